//go:build unix && !linux

package cli

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// limitChild keeps a crash from leaving a memory image behind. The other
// limits of Linux mean something else here and are left alone.
func limitChild() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }

func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func redirect(from, to int) error { return unix.Dup2(from, to) }
