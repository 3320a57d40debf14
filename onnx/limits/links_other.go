//go:build !unix && !windows

package limits

import (
	"io/fs"
	"os"
)

// HardLinks is 1 where the system does not tell.
func HardLinks(*os.File, fs.FileInfo) uint64 { return 1 }
