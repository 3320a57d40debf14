package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// mayWrite refuses an output file that exists unless force is set, and
// anything that is no regular file.
func mayWrite(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		folder, err := os.Stat(filepath.Dir(path))
		if err == nil && !folder.IsDir() {
			err = &fs.PathError{Op: "write", Path: path, Err: errors.New("its folder is a file")}
		}
		if err != nil {
			return &Error{File: path, Err: err, Hint: "make the folder first", Code: exitEnvironment}
		}
		return nil
	case err != nil:
		return &Error{File: path, Err: err, Code: exitEnvironment}
	case !info.Mode().IsRegular():
		return &Error{File: path, Reason: "the output is no regular file", Code: exitEnvironment}
	case !force:
		return &Error{File: path, Reason: "the output file exists", Hint: "give another --out, or --force to replace it", Code: exitEnvironment}
	}
	return nil
}

// writeCopy writes the file beside its place, syncs it and renames it.
func writeCopy(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".graft-*")
	if err != nil {
		return &Error{File: path, Reason: fmt.Sprintf("write %s: %v", path, err), Err: err, Code: exitEnvironment}
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = &Error{File: path, Reason: fmt.Sprintf("write %s: %v", path, err), Err: err, Code: exitEnvironment}
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
