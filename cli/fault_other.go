//go:build !unix

package cli

import (
	"errors"
	"syscall"
)

// isSystemFault says whether err comes from the disk or the system's limits
// rather than from the content of a file (Windows error numbers).
func isSystemFault(err error) bool {
	const (
		handleDiskFull = syscall.Errno(39)
		diskFull       = syscall.Errno(112)
		writeProtect   = syscall.Errno(19)
	)
	var n syscall.Errno
	return errors.As(err, &n) && (n == handleDiskFull || n == diskFull || n == writeProtect)
}
