package training

import (
	"errors"
	"fmt"
	"path/filepath"

	"graft/onnx/atomicfile"
)

// LockCheckpoint keeps other trainers away from the checkpoint in dir until release is called or the process dies. A second
// lock is an error at once.
func LockCheckpoint(dir string) (release func() error, err error) {
	dir = filepath.Clean(dir)
	lock, err := atomicfile.TryLock(filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".lock"))
	if errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("lock checkpoint %s: %w: wait for it, or train a copy of the folder", dir, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock checkpoint: %w", atomicfile.Wrap(dir, err))
	}
	return lock.Release, nil
}
