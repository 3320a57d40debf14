package pipeline

import (
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Keys of a pipeline, and of one of its steps.
var (
	DocumentKeys = []string{"name", "inputs", "matrix", "except", "steps"}
	StepKeys     = []string{"name", "verb", "args", "flags", "out", "outputs", "after", "allow-no", "alone", "cache"}
)

func (f *File) document(root *yaml.Node) error {
	all, err := f.fields(root, "a pipeline", DocumentKeys...)
	if err != nil {
		return err
	}
	for _, e := range all {
		switch e.name {
		case "name":
			if f.Name, err = f.scalar(e.value, "name"); err == nil && !validName(f.Name) {
				err = f.refuse(at(e.value), "name: %s: wants letters, digits, - and _", show(f.Name))
			}
		case "inputs":
			err = f.inputs(e.value)
		case "matrix":
			err = f.matrix(e.value)
		case "except":
			err = f.except(e.value)
		case "steps":
			err = f.steps(e.value)
		}
		if err != nil {
			return err
		}
	}
	if f.Name == "" {
		f.Name = strings.TrimSuffix(filepath.Base(f.Path), filepath.Ext(f.Path))
	}
	if len(f.Steps) == 0 {
		return f.refuse(at(root), "has no steps")
	}
	return nil
}

func (f *File) inputs(n *yaml.Node) error {
	all, err := f.fields(n, "inputs")
	for _, e := range all {
		if !validName(e.name) {
			return f.refuse(at(e.key), "input %s: wants letters, digits, - and _", show(e.name))
		}
		path, err := f.text(e.value, "input "+e.name)
		if err != nil {
			return err
		}
		f.Inputs = append(f.Inputs, Input{e.name, path})
	}
	return err
}

func (f *File) matrix(n *yaml.Node) error {
	all, err := f.fields(n, "matrix")
	for _, e := range all {
		if !validName(e.name) {
			return f.refuse(at(e.key), "axis %s: wants letters, digits, - and _", show(e.name))
		}
		values, err := f.scalars(e.value, "axis "+e.name)
		if err != nil {
			return err
		}
		for i, v := range values {
			if slices.Contains(values[:i], v) {
				return f.refuse(at(e.value), "axis %s has %s twice", e.name, show(v))
			}
		}
		if len(values) == 0 {
			return f.refuse(at(e.value), "axis %s has no values", e.name)
		}
		f.Matrix = append(f.Matrix, Axis{e.name, values})
	}
	cells := 1
	for _, a := range f.Matrix {
		if cells *= len(a.Values); cells > maxCells {
			return f.refuse(at(n), "the matrix has more than %d cells", maxCells)
		}
	}
	return err
}

func (f *File) except(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return f.refuse(at(n), "except wants a list of cells")
	}
	for _, item := range n.Content {
		all, err := f.fields(item, "a cell of except")
		if err != nil {
			return err
		}
		cell := map[string]string{}
		for _, e := range all {
			if cell[e.name], err = f.scalar(e.value, "except "+e.name); err != nil {
				return err
			}
		}
		if len(cell) == 0 {
			return f.refuse(at(item), "a cell of except names no axis: it would leave out everything")
		}
		f.Except = append(f.Except, cell)
	}
	return nil
}

func (f *File) steps(n *yaml.Node) error {
	if n.Kind != yaml.SequenceNode {
		return f.refuse(at(n), "steps wants a list")
	}
	if len(n.Content) > maxSteps {
		return f.refuse(at(n), "%d steps, a pipeline has at most %d", len(n.Content), maxSteps)
	}
	for _, item := range n.Content {
		s, err := f.readStep(item)
		if err != nil {
			return err
		}
		f.Steps = append(f.Steps, s)
	}
	return nil
}

func (f *File) readStep(n *yaml.Node) (*Step, error) {
	s := &Step{At: at(n)}
	all, err := f.fields(n, "a step", StepKeys...)
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		switch e.name {
		case "name":
			if s.Name, err = f.scalar(e.value, "name"); err == nil && !validName(s.Name) {
				err = f.refuse(at(e.value), "name of a step: %s: wants letters, digits, - and _", show(s.Name))
			}
		case "verb":
			s.Verb, err = f.scalar(e.value, "verb")
		case "args":
			s.Args, err = f.texts(e.value, "args")
		case "flags":
			err = f.flags(s, e.value)
		case "out":
			var name string
			if name, err = f.scalar(e.value, "out"); err == nil {
				err = f.addOutput(s, e.value, Output{"out", name})
			}
		case "outputs":
			err = f.outputs(s, e.value)
		case "after":
			s.After, err = f.scalars(e.value, "after")
		case "allow-no":
			s.AllowNo, err = f.truth(e.value, e.name)
		case "alone":
			s.Alone, err = f.truth(e.value, e.name)
		case "cache":
			var cache bool
			cache, err = f.truth(e.value, e.name)
			s.NoCache = !cache
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case s.Verb == "":
		return nil, f.refuse(at(n), "a step has no verb")
	case s.Name == "":
		return nil, f.refuse(at(n), "the step %s has no name", show(s.Verb))
	}
	return s, nil
}

func (f *File) flags(s *Step, n *yaml.Node) error {
	all, err := f.fields(n, "flags")
	for _, e := range all {
		if !validName(e.name) {
			return f.refuse(at(e.key), "flag %s: the name is written without dashes", show(e.name))
		}
		values, err := f.texts(e.value, "flag "+e.name)
		if err != nil {
			return err
		}
		s.Flags = append(s.Flags, Flag{e.name, values})
	}
	return err
}

func (f *File) outputs(s *Step, n *yaml.Node) error {
	all, err := f.fields(n, "outputs")
	for _, e := range all {
		name, err := f.scalar(e.value, "output "+e.name)
		if err != nil {
			return err
		}
		if err := f.addOutput(s, e.value, Output{e.name, name}); err != nil {
			return err
		}
	}
	return err
}

func (f *File) addOutput(s *Step, n *yaml.Node, o Output) error {
	switch {
	case !validName(o.Flag):
		return f.refuse(at(n), "output %s: wants the name of the flag that says where, without dashes", show(o.Flag))
	case !validFile(o.Name):
		return f.refuse(at(n), "output %s: %s: wants the name of one file, without a folder: it lies in the step's own", o.Flag, show(o.Name))
	case s.output(o.Flag) != nil:
		return f.refuse(at(n), "output %s is there twice", o.Flag)
	}
	for _, other := range s.Outputs {
		if strings.EqualFold(other.Name, o.Name) {
			return f.refuse(at(n), "outputs %s and %s are one file", other.Flag, o.Flag)
		}
	}
	s.Outputs = append(s.Outputs, o)
	return nil
}
