package outdir

import (
	"errors"
	"os"
)

// syncFile opens for writing, which FlushFileBuffers asks for.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
