package atomicfile

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file that is to be written: its path, and what writes it.
type File struct {
	Path string
	Fill func(io.Writer) error
}

// WriteAll is Write of several files, of which the last refers to the others. All of them are whole on the disk before the
// first takes its place. A last file that was there before is taken away before others are replaced, so that no reader
// finds it beside others than its own, also after a crash. When a file cannot be written or put into its place, everything is as it was.
func WriteAll(perm fs.FileMode, files ...File) error {
	waiting := make([]string, 0, len(files))
	defer func() {
		for _, name := range waiting {
			if name != "" {
				_ = os.Remove(name)
			}
		}
	}()
	for _, f := range files {
		name, err := prepare(f, perm)
		if err != nil {
			return err
		}
		waiting = append(waiting, name)
	}
	r := replacement{files: files, waiting: waiting}
	if err := r.run(); err != nil {
		return err
	}
	folders := map[string]bool{}
	for _, f := range files {
		if folder := filepath.Dir(f.Path); !folders[folder] {
			folders[folder] = true
			if err := SyncFolder(folder); err != nil {
				return wrap(f.Path, err)
			}
		}
	}
	return nil
}

// prepare writes a file under a name of its own beside its path, and gives the name.
func prepare(file File, perm fs.FileMode) (name string, err error) {
	if err := refuseTarget(file.Path); err != nil {
		return "", err
	}
	f, err := create(file.Path, perm)
	if err != nil {
		return "", wrap(file.Path, err)
	}
	whole := false
	defer func() { // when fill panics, too
		if !whole {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	// Errors of the file are kept apart from fill's own, which is free to wrap them.
	sink := &sink{w: f}
	buffer := &target{bufio.NewWriterSize(sink, 1<<18), sink, f.File}
	if err := file.Fill(buffer); err != nil {
		if sink.err != nil {
			return "", wrap(file.Path, sink.err)
		}
		return "", err
	}
	if err := buffer.Flush(); err != nil {
		return "", wrap(file.Path, err)
	}
	if err := f.Sync(); err != nil {
		return "", wrap(file.Path, err)
	}
	if err := f.Close(); err != nil {
		return "", wrap(file.Path, err)
	}
	whole = true
	return f.Name(), nil
}

// replacement puts written files into their places.
type replacement struct {
	files   []File
	waiting []string // what the files are called until then; "" of those that are in place
	aside   []moved  // what was in the places of several files
}

type moved struct{ path, name string }

func (r *replacement) run() error {
	last := len(r.files) - 1
	for _, f := range r.files[:last] {
		if exists(f.Path) {
			if err := r.clear(); err != nil {
				return err
			}
			break
		}
	}
	for i, f := range r.files {
		if err := os.Rename(r.waiting[i], f.Path); err != nil {
			r.undo()
			return wrap(f.Path, err)
		}
		r.waiting[i] = ""
	}
	for _, m := range r.aside {
		_ = os.Remove(m.name)
	}
	return nil
}

// clear takes away what is in the files' places, the last first.
func (r *replacement) clear() error {
	for i := len(r.files) - 1; i >= 0; i-- {
		path := r.files[i].Path
		if !exists(path) {
			continue
		}
		if err := refuseTarget(path); err != nil {
			r.undo()
			return err
		}
		name := r.waiting[i] + "0"
		if err := os.Rename(path, name); err != nil {
			r.undo()
			return wrap(path, err)
		}
		r.aside = append(r.aside, moved{path, name})
	}
	return nil
}

// undo makes everything what it was.
func (r *replacement) undo() {
	for i, f := range r.files {
		if r.waiting[i] == "" {
			_ = os.Remove(f.Path)
		}
	}
	for i := len(r.aside) - 1; i >= 0; i-- {
		_ = os.Rename(r.aside[i].name, r.aside[i].path)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
