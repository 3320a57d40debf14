package pipeline

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Plan is every run of every step, each behind those that it needs.
type Plan struct {
	File   *File
	Places Places
	Runs   []*Run
}

// Run is a step in one cell of the axes that it sees: those that it names, and those of the steps that it needs. Cells
// that differ in other axes share it.
type Run struct {
	ID      string // "half.model=a.onnx,precision=fp16"
	Step    *Step
	Cell    map[string]string
	Folder  string // where its outputs lie; a path
	Words   []Word // arguments, then flags
	Needs   []*Run
	outputs map[string]string // flag to path
}

// Word is one word of a command line. Stable is the same with references in place of paths of the work folder.
type Word struct {
	Text, Stable string
}

// Outputs are the paths that the run writes, by flag.
func (r *Run) Outputs() map[string]string { return maps.Clone(r.outputs) }

// Command is the line as words: the verb, then arguments and flags.
func (r *Run) Command() []string {
	words := strings.Fields(r.Step.Verb)
	for _, w := range r.Words {
		words = append(words, w.Text)
	}
	return words
}

// Plan spreads the matrix.
func (f *File) Plan(places Places) (*Plan, error) {
	p := &Plan{File: f, Places: places}
	cells := f.cells()
	if len(cells) == 0 {
		return nil, f.refuse(Position{}, "except leaves no cell of the matrix")
	}
	seen := map[string][]string{}        // axes by step
	runs := map[string]map[string]*Run{} // by step and cell
	folders := map[string]bool{}
	for _, s := range f.Steps {
		axes := f.axesOf(s, seen)
		seen[s.Name], runs[s.Name] = axes, map[string]*Run{}
		for _, cell := range cells {
			id := cellID(axes, cell)
			if runs[s.Name][id] != nil {
				continue
			}
			if len(p.Runs) == maxPlanned {
				return nil, f.refuse(Position{}, "more than %d steps and cells", maxPlanned)
			}
			r := &Run{ID: s.Name, Step: s, Cell: map[string]string{}, outputs: map[string]string{}}
			for _, a := range axes {
				r.Cell[a] = cell[a]
			}
			if id != "" {
				r.ID += "." + id
			}
			folder := folderName(r.ID)
			if folders[strings.ToLower(folder)] {
				folder = fmt.Sprintf("%s~%x", folder, sha256.Sum256([]byte(r.ID)))[:len(folder)+9]
			}
			folders[strings.ToLower(folder)] = true
			r.Folder = filepath.Join(places.Work, folder)
			for _, o := range s.Outputs {
				r.outputs[o.Flag] = filepath.Join(r.Folder, o.Name)
			}
			for _, name := range s.needs() {
				r.Needs = append(r.Needs, runs[name][cellID(seen[name], cell)])
			}
			r.words(p, cell, func(step string) *Run { return runs[step][cellID(seen[step], cell)] })
			runs[s.Name][id] = r
			p.Runs = append(p.Runs, r)
		}
	}
	return p, nil
}

// cells are the combinations of the axes' values that are not left out; without a matrix there is one, which is empty.
func (f *File) cells() []map[string]string {
	cells := []map[string]string{{}}
	for _, a := range f.Matrix {
		var next []map[string]string
		for _, c := range cells {
			for _, v := range a.Values {
				with := maps.Clone(c)
				with[a.Name] = v
				next = append(next, with)
			}
		}
		cells = next
	}
	return slices.DeleteFunc(cells, func(c map[string]string) bool {
		return slices.ContainsFunc(f.Except, func(except map[string]string) bool {
			for name, value := range except {
				if c[name] != value {
					return false
				}
			}
			return true
		})
	})
}

// axesOf are the axes that a step sees, in the order of the file.
func (f *File) axesOf(s *Step, of map[string][]string) (axes []string) {
	sees := map[string]bool{}
	note := func(t Text) {
		for _, p := range t.refs(ofMatrix) {
			sees[p.Name] = true
		}
	}
	for _, t := range s.texts() {
		note(t)
		for _, p := range t.refs(ofInputs) {
			note(f.input(p.Name))
		}
	}
	for _, name := range s.needs() {
		for _, a := range of[name] {
			sees[a] = true
		}
	}
	for _, a := range f.Matrix {
		if sees[a.Name] {
			axes = append(axes, a.Name)
		}
	}
	return axes
}

func (f *File) input(name string) Text {
	for _, in := range f.Inputs {
		if in.Name == name {
			return in.Path
		}
	}
	return Text{}
}

func cellID(axes []string, cell map[string]string) string {
	parts := make([]string, len(axes))
	for i, a := range axes {
		parts[i] = a + "=" + cell[a]
	}
	return strings.Join(parts, ",")
}

// folderName keeps letters, digits, "-", "_", "=", "," and dots of ASCII; the rest is written as %2f.
func folderName(id string) string {
	const longest = 120
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_=,", c) >= 0
		if plain || c == '.' && i < len(id)-1 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	name := b.String()
	if len(name) > longest {
		name = fmt.Sprintf("%s~%x", name[:longest], sha256.Sum256([]byte(id)))[:longest+17]
	}
	return name
}

// words writes arguments, flags and outputs out.
func (r *Run) words(plan *Plan, cell map[string]string, run func(step string) *Run) {
	f := plan.File
	write := func(t Text) (w Word) {
		for _, p := range t.Parts {
			text := p.Literal
			stable := ""
			switch p.Kind {
			case ofMatrix:
				text = cell[p.Name]
			case ofInputs:
				for _, q := range f.input(p.Name).Parts {
					text += q.Literal
					if q.Kind == ofMatrix {
						text += cell[q.Name]
					}
				}
			case ofSteps:
				text = plan.short(run(p.Name).outputs[p.outputFlag()])
				stable = "${steps." + p.Name + "." + p.outputFlag() + "}"
			}
			if stable == "" {
				stable = text
			}
			w.Text += text
			w.Stable += stable
		}
		return w
	}
	flag := func(name string, w Word) {
		r.Words = append(r.Words, Word{"--" + name + "=" + w.Text, "--" + name + "=" + w.Stable})
	}
	for _, fl := range r.Step.Flags {
		for _, v := range fl.Values {
			flag(fl.Name, write(v))
		}
	}
	for _, o := range r.Step.Outputs {
		flag(o.Flag, Word{plan.short(r.outputs[o.Flag]), "${" + o.Name + "}"})
	}
	// Arguments stand behind --, so that none can be taken for a flag.
	r.Words = append(r.Words, Word{"--", "--"})
	for _, a := range r.Step.Args {
		r.Words = append(r.Words, write(a))
	}
}
