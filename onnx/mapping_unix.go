//go:build unix

package onnx

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapMemory maps the first size bytes of a file, and gives a handle of it that nobody else closes.
func mapMemory(file *os.File, size int) ([]byte, *os.File, error) {
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	own := os.NewFile(uintptr(fd), file.Name())
	data, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		own.Close()
		return nil, nil, err
	}
	return data, own, nil
}

func unmapMemory(data []byte) { _ = unix.Munmap(data) }
