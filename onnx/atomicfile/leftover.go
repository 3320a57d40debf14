package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// leftover is how a file is called while it is written.
var leftover = regexp.MustCompile(`^\..+[0-9]{6,}$`)

// RemoveLeftovers removes, below and in a folder that belongs to the caller alone, the half-written files of killed
// processes: the regular files whose names begin with a dot and end in six digits or more.
func RemoveLeftovers(root string) error {
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !leftover.MatchString(e.Name()) {
			return err
		}
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}
