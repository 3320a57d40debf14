//go:build cgo

package runtime

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

var errClosed = errors.New("the session is closed")

// errLost is that a step which writes in place has failed half-way.
var errLost = errors.New("the state is lost: a step that writes in place has failed")

// checkFeeds says whether feeds are the model's inputs, all of them, and fit.
func (s *Session) checkFeeds(feeds map[string]*onnx.Tensor) error {
	for _, name := range slices.Sorted(maps.Keys(feeds)) {
		p := s.byName[name]
		if p == nil {
			return unknownPort("input", name, append(slices.Clone(s.inputs), s.overridable...))
		}
		if err := checkFeed(p, feeds[name]); err != nil {
			return err
		}
	}
	for _, p := range s.inputs {
		if feeds[p.Name] == nil {
			return fmt.Errorf("%w: input %q (%v) is not fed", ErrFeed, p.Name, p.Type)
		}
	}
	return nil
}

func (s *Session) checkOutputs(names []string) error {
	for i, name := range names {
		if s.outputPort[name] == nil {
			return unknownPort("output", name, s.outputs)
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%w: output %q is asked for twice", ErrFeed, name)
		}
	}
	return nil
}

// checkFeed says whether t fits an input.
func checkFeed(p *Port, t *onnx.Tensor) error {
	switch {
	case t == nil:
		return fmt.Errorf("%w: %q is fed no tensor", ErrFeed, p.Name)
	case p.Type.DType == onnx.Undefined:
		return fmt.Errorf("%w: %q is not a tensor", ErrFeed, p.Name)
	case t.DType != p.Type.DType:
		return fmt.Errorf("%w: %q wants %v, is fed %v", ErrFeed, p.Name, p.Type, t.Type())
	}
	if err := t.Check(); err != nil {
		return fmt.Errorf("%w: %q: %w", ErrFeed, p.Name, err)
	}
	if !shapeFits(p.Type.Shape, t.Dims) {
		return fmt.Errorf("%w: %q wants %v, is fed %v", ErrFeed, p.Name, p.Type, t.Type())
	}
	return nil
}

// shapeFits reports whether dims agree with what is known of s.
func shapeFits(s onnx.Shape, dims []int64) bool {
	if !s.Ranked() {
		return true
	}
	if len(s) != len(dims) {
		return false
	}
	for i, d := range s {
		if d.Known() && d.Size != dims[i] {
			return false
		}
	}
	return true
}

// unknownPort is the error for a name that the model does not have.
func unknownPort(kind, name string, ports []Port) error {
	if len(ports) == 0 {
		return fmt.Errorf("%w: there is no %s %q, the model has none", ErrFeed, kind, name)
	}
	return fmt.Errorf("%w: there is no %s %q, nearest: %s", ErrFeed, kind, name, strings.Join(nearest(name, ports), ", "))
}

// nearest are the names of at most three ports, those with the smallest edit distance first.
func nearest(name string, ports []Port) []string {
	type candidate struct {
		name     string
		distance int
	}
	list := make([]candidate, len(ports))
	for i, p := range ports {
		list[i] = candidate{p.Name, limits.EditDistance(name[:min(len(name), 64)], p.Name[:min(len(p.Name), 64)])}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return a.distance - b.distance })
	names := []string{}
	for _, c := range list[:min(3, len(list))] {
		names = append(names, fmt.Sprintf("%q", oneLine(c.name)))
	}
	return names
}
