package cli

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Limits of an isolated run:
//
//   - RLIMIT_CORE 0: a crash on hostile input leaves no memory image behind.
//   - RLIMIT_CPU cpuLimit seconds: a run that never ends does end.
//   - RLIMIT_DATA the machine's memory: private writable memory, so that one
//     allocation beyond it fails in the child instead of stopping the machine.
//
// RLIMIT_AS is left alone: the Go runtime reserves far more address space than
// it uses, and so do the allocators of the providers.
const cpuLimit = 7 * 24 * 3600

func limitChild() {
	lower(unix.RLIMIT_CORE, 0, 0)
	lower(unix.RLIMIT_CPU, cpuLimit, cpuLimit+60)
	if bytes := physicalMemory(); bytes > 0 {
		lower(unix.RLIMIT_DATA, bytes, bytes)
	}
}

// lower sets a limit, or leaves a lower one that the caller has set: root could raise it.
func lower(which int, soft, hard uint64) {
	var now unix.Rlimit
	if unix.Getrlimit(which, &now) == nil {
		soft, hard = min(soft, now.Cur), min(hard, now.Max)
	}
	_ = unix.Setrlimit(which, &unix.Rlimit{Cur: soft, Max: hard})
}

// physicalMemory is the machine's memory or, where smaller, that of the
// control group, in bytes; 0 when unknown.
func physicalMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	bytes := uint64(info.Totalram) * uint64(info.Unit)
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && limit < bytes {
			bytes = limit
		}
	}
	return bytes
}

func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func redirect(from, to int) error { return unix.Dup3(from, to, 0) }
