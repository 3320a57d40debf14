package onnx

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"graft/onnx/limits"
)

// folders are the directories in which a model may keep its weights.
type folders struct {
	own   string   // the model's directory, as named
	blobs string   // where the links of a Hugging Face snapshot lead; empty when the model is not in one
	more  []string // what the user allows besides
}

// foldersOf finds the directories for the model at path.
func foldersOf(path string, allow []string) folders {
	return folders{own: filepath.Dir(path), blobs: blobsOf(path), more: allow}
}

// blobsOf recognises the Hugging Face cache: <repo>/snapshots/<revision>/.../model.onnx is a link to <repo>/blobs/<hash>,
// and so is the data beside it. It returns <repo>/blobs, or nothing.
func blobsOf(path string) string {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return ""
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	logical, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return ""
	}
	if logical, err = filepath.EvalSymlinks(logical); err != nil {
		return ""
	}
	blobs := filepath.Dir(real)
	for dir := logical; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if filepath.Base(dir) == "snapshots" {
			if filepath.Base(blobs) == "blobs" && filepath.Dir(blobs) == filepath.Dir(dir) {
				return blobs
			}
			return ""
		}
	}
	return ""
}

// open opens the regular file at a location, wherever a folder that may hold it does hold it. The file has one name: a
// second hard link could be anyone's secret.
func (f folders) open(location string, p place) (*os.File, int64, error) {
	file, err := f.find(location)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, p.refuse("its data file %s does not exist", limits.Name(location))
	case err != nil:
		return nil, 0, p.refuse("its data file %s cannot be opened: %v", limits.Name(location), reason(err))
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		err = p.refuse("its data file %s: %v", limits.Name(location), reason(err))
	case !info.Mode().IsRegular():
		err = p.refuse("its data file %s is not a regular file", limits.Name(location))
	default:
		if n := limits.HardLinks(file, info); n > 1 {
			err = p.refuse("its data file %s has %d hard links, so it may belong to someone else", limits.Name(location), n).
				WithHint("copy the file")
		}
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

var errOutside = errors.New("it is outside of the model's folder; --allow-external DIR permits another one")

// find opens a location without following it out of the folders.
func (f folders) find(location string) (*os.File, error) {
	var first error
	if filepath.IsLocal(location) {
		file, err := openIn(f.own, filepath.Clean(location))
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		first = err
	}
	logical := location
	if !filepath.IsAbs(location) {
		logical = filepath.Join(f.own, location)
	}
	others := f.more
	if f.blobs != "" && filepath.IsLocal(location) {
		others = append([]string{f.blobs}, others...)
	}
	if len(others) > 0 {
		if real, err := filepath.EvalSymlinks(logical); err == nil {
			for _, dir := range others {
				if file, err := openReal(dir, real); err == nil {
					return file, nil
				}
			}
		} else if errors.Is(err, fs.ErrNotExist) {
			first = err
		}
	}
	if first == nil || strings.Contains(first.Error(), "escapes") {
		first = errOutside
	}
	return nil, first
}

// openReal opens a file by its resolved path when it lies in dir.
func openReal(dir, real string) (*os.File, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, err
	}
	name, err := filepath.Rel(dir, real)
	if err != nil || !filepath.IsLocal(name) {
		return nil, errOutside
	}
	return openIn(dir, name)
}

// openIn opens a file below dir. Links that lead out are errors, and a named pipe does not block.
func openIn(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// reason is an error without the path, which the message has in the file's words.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
