package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"graft/onnx"
	"graft/onnx/limits"
)

// maxFiles bounds a folder that a step reads.
const maxFiles = 1_000_000

// hasher takes the contents of files and folders, each once in a run of the pipeline.
type hasher struct {
	mu    sync.Mutex
	taken map[string]*hashed
	skip  string // the folder of results, which is no part of a folder around it
}

type hashed struct {
	once sync.Once
	sum  string
	err  error
}

// of is the SHA-256 of what lies at a path: of a file, of the files in which a model keeps its weights besides, of a
// folder's names and files.
func (h *hasher) of(path string) (string, error) {
	h.mu.Lock()
	if h.taken == nil {
		h.taken = map[string]*hashed{}
	}
	e := h.taken[path]
	if e == nil {
		e = &hashed{}
		h.taken[path] = e
	}
	h.mu.Unlock()
	e.once.Do(func() { e.sum, e.err = hashPath(path, h.skip) })
	return e.sum, e.err
}

// forget makes the next of take the contents anew.
func (h *hasher) forget(path string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := range h.taken {
		if p == path || strings.HasPrefix(p, path+string(filepath.Separator)) {
			delete(h.taken, p)
		}
	}
}

func hashPath(path, skip string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return hashFolder(path, skip)
	}
	sum, err := limits.HashFile(path)
	if err != nil || !strings.EqualFold(filepath.Ext(path), ".onnx") {
		return sum, err
	}
	// A file that is no model is the verb's to refuse.
	names, err := onnx.ExternalFiles(path)
	if err != nil || len(names) == 0 {
		return sum, nil
	}
	all := sha256.New()
	fmt.Fprintf(all, "%s\n", sum)
	for _, name := range names {
		sum, err := limits.HashFile(filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
		if err != nil {
			sum = "not read"
		}
		fmt.Fprintf(all, "%q %s\n", name, sum)
	}
	return hex.EncodeToString(all.Sum(nil)), nil
}

// hashFolder takes what lies below a folder by name, without the path except.
func hashFolder(root, except string) (string, error) {
	all, n := sha256.New(), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		if n++; n > maxFiles {
			return fmt.Errorf("%s: more than %d files", root, maxFiles)
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if abs, err := filepath.Abs(path); err != nil || abs == except {
			if err == nil && d.IsDir() {
				return filepath.SkipDir
			}
			return err
		}
		if d.IsDir() {
			fmt.Fprintf(all, "%q folder\n", filepath.ToSlash(rel))
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
				to, _ := os.Readlink(path)
				fmt.Fprintf(all, "%q link %q\n", filepath.ToSlash(rel), to)
				return nil
			}
		}
		sum, err := limits.HashFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(all, "%q %s\n", filepath.ToSlash(rel), sum)
		return nil
	})
	return hex.EncodeToString(all.Sum(nil)), err
}

// key is what a run's result follows from. Its fields are only ever added to with another Form.
type key struct {
	Form  int
	Stamp string // of the program and its libraries
	Verb  string
	Words []string
	Files [][2]string // word by word: what it leads to, and its contents
	Needs [][2]string // step and its contents
}

const keyForm = 1

// keyOf is the key of a run whose needs are there.
func (p *Plan) keyOf(r *Run, stamp string, h *hasher) (string, error) {
	k := key{Form: keyForm, Stamp: stamp, Verb: r.Step.Verb}
	for _, w := range r.Words {
		k.Words = append(k.Words, w.Stable)
		files, err := p.files(w)
		if err != nil {
			return "", err
		}
		for _, path := range files {
			sum, err := h.of(path)
			if err != nil {
				return "", err
			}
			k.Files = append(k.Files, [2]string{w.Stable, sum})
		}
	}
	for _, need := range r.Needs {
		s, err := readState(need.Folder)
		if err != nil {
			return "", err
		}
		k.Needs = append(k.Needs, [2]string{need.Step.Name, s.Contents})
	}
	data, err := json.Marshal(k)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), err
}

func (p *Plan) below(path, folder string) bool {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(folder, abs)
	return err == nil && filepath.IsLocal(rel)
}

// stateName is the file in a run's folder that says that it has finished. It is written last and removed first.
const stateName = "step.json"

// State is a finished run.
type State struct {
	Key      string          `json:"key"`
	Contents string          `json:"contents"` // SHA-256 of the folder without this file
	Exit     int             `json:"exit"`
	Seconds  float64         `json:"seconds"`
	Command  []string        `json:"command"`
	Document json.RawMessage `json:"document,omitempty"`
}

var errNoState = errors.New("has not finished")

func readState(folder string) (*State, error) {
	const largest = 64 << 20
	f, size, err := limits.OpenRegular(filepath.Join(folder, stateName))
	if err != nil || size > largest {
		return nil, errors.Join(errNoState, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, largest))
	if err != nil {
		return nil, err
	}
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, errors.Join(errNoState, err)
	}
	return &s, nil
}

// kept is the state of a run that need not run again: same key, contents as they were left, outputs there.
func (r *Run) kept(key string) *State {
	if r.Step.NoCache {
		return nil
	}
	s, err := readState(r.Folder)
	if err != nil || s.Key != key || r.missing() != "" {
		return nil
	}
	if sum, err := hashFolder(r.Folder, filepath.Join(r.Folder, stateName)); err != nil || sum != s.Contents {
		return nil
	}
	return s
}

// missing is the flag of an output that is not there, or "".
func (r *Run) missing() string {
	for _, o := range r.Step.Outputs {
		if _, err := os.Stat(r.outputs[o.Flag]); err != nil {
			return o.Flag
		}
	}
	return ""
}
