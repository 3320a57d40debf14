package outdir

import (
	"errors"
	"os"
)

// lock is a locked file. The system unlocks it when the process dies, so that a killed run blocks nobody.
type lock struct {
	f    *os.File
	path string
}

// acquire locks the file at path, made when missing, or gives ErrInUse.
func acquire(path string) (*lock, error) {
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
			return &lock{f: f, path: path}, nil
		}
		if err := errors.Join(herr, f.Close()); err != nil {
			return nil, err
		}
	}
}
