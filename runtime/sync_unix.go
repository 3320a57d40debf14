//go:build !windows

package runtime

import (
	"errors"
	"os"
)

// syncFolder makes the names in a folder survive a crash.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
