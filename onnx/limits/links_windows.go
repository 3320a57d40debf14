package limits

import (
	"io/fs"
	"os"
	"syscall"
)

// HardLinks is the number of names that an open file has.
func HardLinks(f *os.File, _ fs.FileInfo) uint64 {
	var info syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &info); err != nil {
		return 1
	}
	return uint64(info.NumberOfLinks)
}
