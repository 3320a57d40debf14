package masking

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// Fit says whether the set is of the network g: every parameter has a mask of its shape, and every mask is that of a float
// initializer. The error is a *limits.InputError that names the first tensor that differs.
func Fit(g *onnx.Graph, set *Set) error {
	tensors := map[string]*onnx.Value{}
	for _, v := range g.Initializers() {
		tensors[v.Name] = v
	}
	for _, m := range set.masks {
		if err := fit(m, tensors[m.Name]); err != nil {
			return err
		}
	}
	for _, v := range Parameters(g) {
		if set.Get(v.Name) == nil {
			return limits.Refuse("", "no mask for parameter %s: the mask is of another network", limits.Name(v.Name))
		}
	}
	return nil
}

func fit(m *Mask, v *onnx.Value) error {
	switch {
	case v == nil:
		return limits.Refuse("", "mask %s: the network has no such initializer: the mask is of another network", limits.Name(m.Name))
	case v.Sparse != nil:
		return limits.Refuse("", "mask %s: the initializer is stored sparse: make it dense first", limits.Name(m.Name))
	case !v.Const.DType.IsFloat():
		return limits.Refuse("", "mask %s: the initializer is of %v, a mask is for floats", limits.Name(m.Name), v.Const.DType)
	case !slices.Equal(v.Const.Dims, m.Dims):
		return limits.Refuse("", "mask %s is of shape %v, the network's tensor of %v: the mask is of another network",
			limits.Name(m.Name), m.Dims, v.Const.Dims)
	}
	return nil
}

// Apply multiplies the parameters of g by their masks, in place: what is not kept becomes +0, bit for bit, what is kept
// stays as it is. The tensors are replaced, not written into, for clones share them. Every mask must be of an initializer
// of its shape; nothing is changed when one is not.
func Apply(g *onnx.Graph, set *Set) error {
	for _, m := range set.masks {
		v := g.Lookup(m.Name)
		if v != nil && !v.IsInitializer() {
			v = nil
		}
		if err := fit(m, v); err != nil {
			return fmt.Errorf("apply mask: %w", err)
		}
	}
	for _, m := range set.masks {
		v := g.Lookup(m.Name)
		t := v.Const.Clone()
		width := t.DType.Bits() / 8
		for i, kept := range m.Keep {
			if !kept {
				clear(t.Data[i*width : (i+1)*width])
			}
		}
		v.Const = t
	}
	return nil
}
