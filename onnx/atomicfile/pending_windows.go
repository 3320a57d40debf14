package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// pending is a file beside its target. Windows replaces a file by a rename as long as nobody has it open.
type pending struct{ *os.File }

func create(path string, _ fs.FileMode) (pending, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	return pending{f}, err
}

// SyncFolder does nothing: Windows journals the names of files.
func SyncFolder(string) error { return nil }

func isFull(err error) bool {
	const handleDiskFull, diskFull = syscall.Errno(39), syscall.Errno(112)
	return errors.Is(err, handleDiskFull) || errors.Is(err, diskFull)
}
