package study

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"graft/onnx/atomicfile"
	"graft/onnx/limits"
)

// Names inside a study's folder.
const (
	markFile   = "study.json" // by it graft knows the folder as a study's
	cellFolder = "cells"
	workFolder = "work"
	lockFile   = ".lock"
)

// Folder holds a study: a file for each cell that is done, and work folders of those that are not.
type Folder struct {
	path string
	lock *atomicfile.Lock
}

// Errors that Open gives.
var (
	ErrOther = errors.New("is not a study's folder, and not empty")
	ErrKind  = errors.New("holds another study")
)

type mark struct {
	Producer string `json:"producer"`
	Study    string `json:"study"`
}

// Open takes a folder for a study of that kind, made when it is missing, and keeps other runs out until Close. A folder that
// holds other things is ErrOther unless force is set; one of another kind of study is ErrKind, one in use atomicfile.ErrLocked.
func Open(path, kind string, force bool) (*Folder, error) {
	if err := admit(path, kind, force); err != nil {
		return nil, fmt.Errorf("open study %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Join(path, cellFolder), 0o755); err != nil {
		return nil, fmt.Errorf("open study: %w", atomicfile.Wrap(path, err))
	}
	lock, err := atomicfile.TryLock(filepath.Join(path, lockFile))
	if err != nil {
		return nil, fmt.Errorf("open study %s: %w", path, err)
	}
	f := &Folder{path, lock}
	data, err := json.Marshal(mark{"graft", kind})
	if err == nil {
		err = f.WriteFile(markFile, append(data, '\n'))
	}
	if err == nil {
		err = atomicfile.RemoveLeftovers(filepath.Join(path, cellFolder))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open study: %w", err), f.Close())
	}
	return f, nil
}

// admit says whether the folder may be taken.
func admit(path, kind string, force bool) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := readSmall(filepath.Join(path, markFile))
	var m mark
	switch {
	case err == nil && json.Unmarshal(data, &m) == nil && m.Producer == "graft" && m.Study == kind:
		return nil
	case err == nil && m.Producer == "graft" && m.Study != "":
		return fmt.Errorf("%w, %s", ErrKind, limits.Name(m.Study))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case !force:
		return ErrOther
	}
	return nil
}

// Close lets other runs in.
func (f *Folder) Close() error {
	_ = os.Remove(filepath.Join(f.path, workFolder)) // stays when a cell is under way
	return f.lock.Release()
}

// Path is the place of a file in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.path, name) }

// WriteFile writes a file of the folder whole.
func (f *Folder) WriteFile(name string, data []byte) error {
	return atomicfile.Write(f.Path(name), 0o644, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Record is a cell that is done.
type Record struct {
	Cell    Cell            `json:"parameters"`
	Results json.RawMessage `json:"results"` // an object
	Seconds float64         `json:"seconds"`
}

// mostBytes bounds a record's file.
const mostBytes = 64 << 20

// Load gives the record of a cell, nil when it is not done. A file that is not that cell's is an error.
func (f *Folder) Load(c Cell) (*Record, error) {
	path := f.cellFile(c)
	data, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var r Record
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err == nil && r.Cell.Key() != c.Key() {
		err = errors.New("is of another cell")
	}
	if err == nil {
		_, err = Fields(r.Results)
	}
	if err != nil {
		return nil, fmt.Errorf("read cell %s: %w: take the file away to run the cell again", path, err)
	}
	return &r, nil
}

// Store writes a record, after which the cell is done.
func (f *Folder) Store(r *Record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write cell %s: %w", r.Cell, err)
	}
	return f.WriteFile(filepath.Join(cellFolder, r.Cell.Key()+".json"), append(data, '\n'))
}

func (f *Folder) cellFile(c Cell) string { return f.Path(filepath.Join(cellFolder, c.Key()+".json")) }

// work is the folder of a cell under way.
func (f *Folder) work(c Cell) string { return f.Path(filepath.Join(workFolder, c.Key())) }

func readSmall(path string) ([]byte, error) {
	file, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if size > mostBytes {
		return nil, fmt.Errorf("%d bytes, at most %d are read", size, mostBytes)
	}
	data := make([]byte, size)
	_, err = io.ReadFull(file, data)
	return data, err
}

// Done says that the folder at path has a file for the cell.
func Done(path string, c Cell) bool {
	_, err := os.Lstat((&Folder{path: path}).cellFile(c))
	return err == nil
}
