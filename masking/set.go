package masking

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// Mask says which elements of one parameter are kept.
type Mask struct {
	Name string // of the initializer
	Dims []int64
	Keep []bool // row-major, one for each element
}

// Kept is the number of kept elements.
func (m *Mask) Kept() int64 {
	n := int64(0)
	for _, k := range m.Keep {
		if k {
			n++
		}
	}
	return n
}

// Set is the masks of a network, in a fixed order and with unique names. The zero Set is empty.
type Set struct {
	masks []*Mask
	index map[string]int
}

// Add appends a mask. Its name must be new, and Keep as long as Dims ask for.
func (s *Set) Add(m *Mask) error {
	n, err := onnx.ElementCount(m.Dims)
	if err != nil {
		return fmt.Errorf("mask %s: %w", limits.Name(m.Name), err)
	}
	if int64(len(m.Keep)) != n {
		return fmt.Errorf("mask %s has %d values, dims %v ask for %d", limits.Name(m.Name), len(m.Keep), m.Dims, n)
	}
	if _, twice := s.index[m.Name]; twice {
		return fmt.Errorf("two masks are called %s", limits.Name(m.Name))
	}
	if s.index == nil {
		s.index = make(map[string]int)
	}
	s.index[m.Name] = len(s.masks)
	s.masks = append(s.masks, m)
	return nil
}

// Masks are the masks in order. The slice is the set's own.
func (s *Set) Masks() []*Mask { return s.masks }

// Get is the mask of the named parameter, or nil; a nil set has none.
func (s *Set) Get(name string) *Mask {
	if s == nil {
		return nil
	}
	if i, ok := s.index[name]; ok {
		return s.masks[i]
	}
	return nil
}

// Names are the parameters' names in order.
func (s *Set) Names() []string {
	list := make([]string, len(s.masks))
	for i, m := range s.masks {
		list[i] = m.Name
	}
	return list
}

// Total is the number of elements of all masks.
func (s *Set) Total() int64 {
	n := int64(0)
	for _, m := range s.masks {
		n += int64(len(m.Keep))
	}
	return n
}

// Kept is the number of kept elements of all masks.
func (s *Set) Kept() int64 {
	n := int64(0)
	for _, m := range s.masks {
		n += m.Kept()
	}
	return n
}

// FromFlat cuts one mask over all parameters, in the order of names, into a set. The number of values must be the
// network's number of parameters exactly.
func FromFlat(names []string, dims [][]int64, keep []bool) (*Set, error) {
	if len(names) != len(dims) {
		return nil, fmt.Errorf("cut mask: %d names, %d shapes", len(names), len(dims))
	}
	total := int64(0)
	for i, d := range dims {
		n, err := onnx.ElementCount(d)
		if err != nil {
			return nil, fmt.Errorf("cut mask: %s: %w", limits.Name(names[i]), err)
		}
		var ok bool
		if total, ok = limits.AddInt(total, n); !ok {
			return nil, fmt.Errorf("cut mask: the number of parameters overflows")
		}
	}
	if total != int64(len(keep)) {
		return nil, limits.Refuse("", "mask has %d values, the network has %d: it belongs to another network", len(keep), total)
	}
	s := &Set{}
	for i, d := range dims {
		n, _ := onnx.ElementCount(d)
		if err := s.Add(&Mask{Name: names[i], Dims: slices.Clone(d), Keep: slices.Clone(keep[:n])}); err != nil {
			return nil, fmt.Errorf("cut mask: %w", err)
		}
		keep = keep[n:]
	}
	return s, nil
}

// Flat joins the masks of the named parameters in the given order. Every name must have a mask; masks of other names are
// an error too, for they would be lost.
func (s *Set) Flat(order []string) ([]bool, error) {
	seen := make(map[string]bool, len(order))
	var flat []bool
	for _, name := range order {
		m := s.Get(name)
		switch {
		case m == nil:
			return nil, limits.Refuse("", "no mask for parameter %s", limits.Name(name))
		case seen[name]:
			return nil, fmt.Errorf("join masks: parameter %s twice", limits.Name(name))
		}
		seen[name] = true
		flat = append(flat, m.Keep...)
	}
	for _, m := range s.masks {
		if !seen[m.Name] {
			return nil, limits.Refuse("", "mask %s belongs to no parameter: it is of another network", limits.Name(m.Name))
		}
	}
	return flat, nil
}
