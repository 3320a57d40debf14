package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"graft/onnx/atomicfile"
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

// writeFile writes a file that is whole or not there.
func writeFile(path string, data []byte) error {
	if err := atomicfile.WriteFile(path, data, 0o666); err != nil {
		return &Error{File: path, Err: err, Code: exitEnvironment}
	}
	return nil
}
