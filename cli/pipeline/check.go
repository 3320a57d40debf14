package pipeline

import (
	"slices"
)

// check holds references, names and the order of the steps against each other.
func (f *File) check() error {
	for i, s := range f.Steps {
		for _, other := range f.Steps[:i] {
			if other.Name == s.Name {
				return f.Refuse(s, "the name is there twice")
			}
		}
	}
	for _, in := range f.Inputs {
		if err := f.checkRefs([]Text{in.Path}, false); err != nil {
			return err
		}
	}
	for _, s := range f.Steps {
		if err := f.checkRefs(s.texts(), true); err != nil {
			return err
		}
		for _, name := range s.After {
			if f.step(name) == nil {
				return f.Refuse(s, "after: there is no step %s%s", show(name), didYouMean(name, f.stepNames()))
			}
		}
		for _, flag := range s.Flags {
			if s.output(flag.Name) != nil {
				return f.Refuse(s, "--%s is a flag and an output", flag.Name)
			}
		}
	}
	for _, cell := range f.Except {
		for name, value := range cell {
			a := f.axis(name)
			switch {
			case a == nil:
				return f.refuse(Position{}, "except: there is no axis %s%s", show(name), didYouMean(name, f.axisNames()))
			case !slices.Contains(a.Values, value):
				return f.refuse(Position{}, "except: axis %s has no value %s%s", name, show(value), didYouMean(value, a.Values))
			}
		}
	}
	return f.checkOrder()
}

func (f *File) checkRefs(texts []Text, steps bool) error {
	for _, t := range texts {
		for _, p := range t.Parts {
			known := f.inputNames()
			switch {
			case p.Kind == "":
				continue
			case p.Kind == ofMatrix:
				known = f.axisNames()
			case !steps:
				return f.refuse(t.At, "an input is a file that is there: ${matrix.NAME} alone may stand in its path")
			case p.Kind == ofSteps:
				known = f.stepNames()
			}
			if !slices.Contains(known, p.Name) {
				return f.refuse(t.At, "there is no %s in %s%s", show(p.Name), p.Kind, didYouMean(p.Name, known))
			}
			if p.Kind == ofSteps {
				if err := f.checkOutput(t, p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (f *File) checkOutput(t Text, p Part) error {
	s := f.step(p.Name)
	var flags []string
	for _, o := range s.Outputs {
		flags = append(flags, o.Flag)
	}
	flag := p.outputFlag()
	switch {
	case len(flags) == 0:
		return f.refuse(t.At, "step %s has no outputs", p.Name)
	case s.output(flag) == nil:
		return f.refuse(t.At, "step %s has no output %s: there are %v%s", p.Name, show(flag), flags, didYouMean(flag, flags))
	}
	return nil
}

// outputFlag is the flag of the output that a reference to a step means.
func (p Part) outputFlag() string {
	if p.Output == "" {
		return "out"
	}
	return p.Output
}

func (f *File) axis(name string) *Axis {
	for i := range f.Matrix {
		if f.Matrix[i].Name == name {
			return &f.Matrix[i]
		}
	}
	return nil
}

func (f *File) axisNames() (names []string) {
	for _, a := range f.Matrix {
		names = append(names, a.Name)
	}
	return names
}

func (f *File) inputNames() (names []string) {
	for _, in := range f.Inputs {
		names = append(names, in.Name)
	}
	return names
}

// needs are the names of the steps that s waits for, each once.
func (s *Step) needs() (names []string) {
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, t := range s.texts() {
		for _, p := range t.refs(ofSteps) {
			add(p.Name)
		}
	}
	for _, name := range s.After {
		add(name)
	}
	return names
}

// checkOrder puts the steps into an order in which each comes behind those that it needs, and refuses a cycle.
func (f *File) checkOrder() error {
	var order []*Step
	const waiting, open, done = 0, 1, 2
	state := map[string]int{}
	var visit func(s *Step) error
	visit = func(s *Step) error {
		switch state[s.Name] {
		case done:
			return nil
		case open:
			return f.Refuse(s, "waits for itself, through the steps that it needs")
		}
		state[s.Name] = open
		for _, name := range s.needs() {
			if err := visit(f.step(name)); err != nil {
				return err
			}
		}
		state[s.Name] = done
		order = append(order, s)
		return nil
	}
	for _, s := range f.Steps {
		if err := visit(s); err != nil {
			return err
		}
	}
	f.Steps = order
	return nil
}
