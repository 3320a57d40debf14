//go:build unix

package cli

import (
	"errors"
	"syscall"
)

// isSystemFault says whether err comes from the disk or the system's limits
// rather than from the content of a file.
func isSystemFault(err error) bool {
	var n syscall.Errno
	if !errors.As(err, &n) {
		return false
	}
	switch n {
	case syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EFBIG:
		return true
	}
	return false
}
