package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Places say where a pipeline may read and write.
type Places struct {
	Work  string   // the folder of the results, absolute
	Allow []string // folders besides the pipeline's own that words may lead into
}

// files are the files and folders that a word leads to, as paths: the word itself, and what stands behind an equals sign or
// between commas in it, as far as such a thing is there. One that leaves the folders that the pipeline may read is refused,
// whether it is there or not.
func (p *Plan) files(w Word) ([]string, error) {
	var found []string
	for _, piece := range pieces(w.Text) {
		path := piece
		if !filepath.IsAbs(path) {
			path = filepath.Join(p.File.Dir(), path)
		}
		real, err := filepath.EvalSymlinks(path)
		there := err == nil
		switch {
		case there:
		case filepath.IsLocal(piece) && errors.Is(err, fs.ErrNotExist):
			continue // a value like any other
		case !filepath.IsAbs(piece) && !strings.Contains(filepath.ToSlash(piece), ".."):
			continue
		default:
			if real, err = filepath.Abs(path); err != nil {
				return nil, err
			}
		}
		inside, err := p.inside(real)
		if err != nil {
			return nil, err
		}
		if !inside {
			return nil, fmt.Errorf("%s leads out of the pipeline's folder: --allow names folders that it may", show(piece))
		}
		if there {
			found = append(found, path)
		}
	}
	return found, nil
}

// short is a path as the steps, which run in the pipeline's folder, are told it: relative where it lies in there.
func (p *Plan) short(path string) string {
	if dir, err := filepath.Abs(p.File.Dir()); err == nil {
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}

// pieces are the parts of a word that may be paths.
func pieces(w string) []string {
	all := []string{w}
	rest := w
	if strings.HasPrefix(w, "--") {
		_, rest, _ = strings.Cut(w, "=")
		all = []string{rest}
	}
	if _, value, ok := strings.Cut(rest, "="); ok {
		all = append(all, value)
	}
	for _, s := range all {
		if strings.Contains(s, ",") {
			all = append(all, strings.Split(s, ",")...)
		}
	}
	var out []string
	for _, s := range all {
		if s = strings.TrimSpace(s); s != "" && s != "-" && s != "--" {
			out = append(out, s)
		}
	}
	return out
}

// inside says whether a path without links lies in a folder that the pipeline may use.
func (p *Plan) inside(real string) (bool, error) {
	for _, dir := range append([]string{p.File.Dir(), p.Places.Work}, p.Places.Allow...) {
		root, err := filepath.EvalSymlinks(dir)
		if errors.Is(err, fs.ErrNotExist) {
			root, err = dir, nil
		}
		if err == nil {
			root, err = filepath.Abs(root)
		}
		if err != nil {
			return false, err
		}
		abs, err := filepath.Abs(real)
		if err != nil {
			return false, err
		}
		if rel, err := filepath.Rel(root, abs); err == nil && filepath.IsLocal(rel) {
			return true, nil
		}
	}
	return false, nil
}

// Check holds every path of the plan against the places, and that the inputs are there.
func (p *Plan) Check() error {
	for _, r := range p.Runs {
		for _, w := range r.Words {
			if _, err := p.files(w); err != nil {
				return p.File.Refuse(r.Step, "%v", err)
			}
		}
		for _, t := range r.Step.texts() {
			for _, ref := range t.refs(ofInputs) {
				path := ""
				for _, q := range p.File.input(ref.Name).Parts {
					path += q.Literal
					if q.Kind == ofMatrix {
						path += r.Cell[q.Name]
					}
				}
				if !filepath.IsAbs(path) {
					path = filepath.Join(p.File.Dir(), path)
				}
				if _, err := os.Stat(path); err != nil {
					return p.File.Refuse(r.Step, "input %s: %v", ref.Name, err)
				}
			}
		}
	}
	return nil
}
