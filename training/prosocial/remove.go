package prosocial

import (
	"fmt"

	"graft/graphs/language"
	"graft/onnx"
)

// Masked is a network in which heads do nothing: what their outputs are multiplied by is zero, as if their gates were. Its weights have
// the sizes that they had, so that it goes wherever the network did.
func (n *Network) Masked(heads []Head) (*Network, error) {
	if _, err := n.byLayer(heads); err != nil {
		return nil, fmt.Errorf("mask heads: %w", err)
	}
	out := n.with(nil)
	own := map[string]bool{}
	for _, h := range heads {
		at, err := n.place(h)
		if err != nil {
			return nil, err
		}
		width := n.Config.Defaults().HeadDim
		parts := n.Config.HeadParts(int64(h.Layer))
		last := parts[len(parts)-1]
		t := out.Weights[last.Name]
		if t == nil {
			return nil, fmt.Errorf("mask head %v: no weight %s", h, last.Name)
		}
		if !own[last.Name] {
			t, own[last.Name] = t.Clone(), true
			out.Weights[last.Name] = t
		}
		slice{last.Name, last.Axis, at * width, (at + 1) * width}.each(t.Dims, func(i int64) { t.Float32s()[i] = 0 })
	}
	return out, nil
}

// Removed is a network without heads: their rows of query, key and value and their columns of what follows are cut out, and keys and
// values that several heads read go with the last of them. It gives what Masked gives, but for rounding.
func (n *Network) Removed(heads []Head) (*Network, error) {
	gone, err := n.byLayer(heads)
	if err != nil {
		return nil, fmt.Errorf("remove heads: %w", err)
	}
	out, err := n.reheaded(n.Config.Without(gone))
	if err != nil {
		return nil, fmt.Errorf("remove heads: %w", err)
	}
	return out, nil
}

// reheaded is the network with other heads.
func (n *Network) reheaded(c language.Config) (*Network, error) {
	out := &Network{Config: c, Weights: map[string]*onnx.Tensor{}}
	parts := map[string]language.HeadPart{}
	for layer := range c.NumHiddenLayers {
		for _, part := range c.HeadParts(layer) {
			parts[part.Name] = part
		}
	}
	weight := c.Reheaded(n.Config, func(name string) (*onnx.Tensor, error) { return n.Weights[name], nil })
	for name, t := range n.Weights {
		part, ok := parts[name]
		if ok && len(part.Of) == 0 {
			continue
		}
		if ok {
			dims := append([]int64{}, t.Dims...)
			dims[part.Axis] = int64(len(part.Of)) * c.Defaults().HeadDim
			var err error
			if t, err = weight(language.Parameter{Name: name, Dims: dims}); err != nil {
				return nil, err
			}
		}
		out.Weights[name] = t
	}
	return out, nil
}
