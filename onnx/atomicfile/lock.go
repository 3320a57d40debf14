package atomicfile

import (
	"errors"
	"os"
)

// ErrLocked says that another process, or another part of this one, holds a lock.
var ErrLocked = errors.New("is in use by another graft run")

// Lock is a locked file. The system unlocks it when the process dies, so that a killed run blocks nobody.
type Lock struct {
	f    *os.File
	path string
}

// TryLock locks the file at path, made when missing, or gives ErrLocked at once. Release removes the file.
func TryLock(path string) (*Lock, error) {
	for {
		f, err := openLock(path)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		// The former owner may have removed the file between the two calls: then the lock is on a file that nobody else
		// will find.
		held, herr := f.Stat()
		named, nerr := os.Lstat(path)
		if herr == nil && nerr == nil && os.SameFile(held, named) {
			return &Lock{f: f, path: path}, nil
		}
		if err := errors.Join(herr, f.Close()); err != nil {
			return nil, err
		}
	}
}
