package pipeline

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Bounds of a pipeline file. They are far above what a person writes.
const (
	maxBytes    = 1 << 20
	maxDepth    = 32
	maxNodes    = 20_000 // aliases counted as often as they are used
	maxSteps    = 500
	maxCells    = 4096
	maxPlanned  = 10_000 // steps times the cells that they see
	maxNameSize = 64
)

// File is a pipeline as it is written.
type File struct {
	Path   string
	Name   string
	Inputs []Input
	Matrix []Axis
	Except []map[string]string // cells that are left out; each names some axes
	Steps  []*Step
}

// Input is a file or folder with a name.
type Input struct {
	Name string
	Path Text
}

// Axis is one direction of the matrix.
type Axis struct {
	Name   string
	Values []string
}

// Step is one run of a verb, or one for each cell of the axes that it sees.
type Step struct {
	Name    string
	Verb    string // "convert", "runtime info"
	Args    []Text
	Flags   []Flag
	Outputs []Output
	After   []string // steps to wait for whose outputs are not read
	AllowNo bool     // an answer of no is a result, not a failure
	Alone   bool     // nothing else runs meanwhile
	NoCache bool     // runs every time
	At      Position
}

// Flag is a flag of a step's verb. A list has several values, and the flag is given for each.
type Flag struct {
	Name   string
	Values []Text
}

// Output is a file or folder that a step writes: the flag that says where, and the name below the step's folder.
type Output struct {
	Flag, Name string
}

// Position is a place in the file.
type Position struct{ Line, Column int }

// Error is a pipeline that is refused.
type Error struct {
	Path string
	At   Position
	Msg  string
}

func (e *Error) Error() string {
	if e.At.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Path, e.Msg)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.At.Line, e.At.Column, e.Msg)
}

func (f *File) refuse(at Position, format string, a ...any) error {
	return &Error{Path: f.Path, At: at, Msg: fmt.Sprintf(format, a...)}
}

// Refuse is an error about a step.
func (f *File) Refuse(s *Step, format string, a ...any) error {
	return f.refuse(s.At, "step %s: %s", s.Name, fmt.Sprintf(format, a...))
}

// Dir is the folder that the file lies in, which the paths in it start from.
func (f *File) Dir() string { return filepath.Dir(f.Path) }

// step is the step of that name, or nil.
func (f *File) step(name string) *Step {
	for _, s := range f.Steps {
		if s.Name == name {
			return s
		}
	}
	return nil
}

func (f *File) stepNames() []string {
	names := make([]string, len(f.Steps))
	for i, s := range f.Steps {
		names[i] = s.Name
	}
	return names
}

// output is the output of that flag, or nil.
func (s *Step) output(flag string) *Output {
	for i := range s.Outputs {
		if s.Outputs[i].Flag == flag {
			return &s.Outputs[i]
		}
	}
	return nil
}

// texts are all texts of the step in which references may stand.
func (s *Step) texts() []Text {
	all := append([]Text{}, s.Args...)
	for _, f := range s.Flags {
		all = append(all, f.Values...)
	}
	return all
}

// validName says whether a name of a step, input or axis can stand in a reference and in a path.
func validName(s string) bool {
	if s == "" || len(s) > maxNameSize || s[0] == '-' || s[0] == '.' {
		return false
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// validFile says whether a name is that of one file in a folder, on every system.
func validFile(s string) bool {
	return s != "" && len(s) <= 200 && s[0] != '.' && !strings.ContainsAny(s, `/\:*?"<>|`) && filepath.IsLocal(s) &&
		!strings.EqualFold(s, stateName) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
