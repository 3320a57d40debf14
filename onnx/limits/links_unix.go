//go:build unix

package limits

import (
	"io/fs"
	"os"
	"syscall"
)

// HardLinks is the number of names that an open file has.
func HardLinks(_ *os.File, info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink)
	}
	return 1
}
