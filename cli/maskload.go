package cli

import (
	"fmt"

	"graft/export/pickle"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
)

// loadMask reads the mask file at path for the network g: safetensors with a tensor for each parameter's name, or a torch
// pickle of one flat tensor over all parameters in the order of the initializers, as the authors of Optimal Eye Surgeon
// write it. A mask of another network is refused, naming the tensor.
func loadMask(path string, g *onnx.Graph) (*masking.Set, error) {
	return loadMaskAs(path, g, func(set *masking.Set) (*masking.Set, error) { return set, nil })
}

// loadMaskAs is loadMask with something done to what was read, before it is held against the network.
func loadMaskAs(path string, g *onnx.Graph, adapt func(*masking.Set) (*masking.Set, error)) (*masking.Set, error) {
	isPickle, err := looksPickled(path)
	if err != nil {
		return nil, refused(path, err)
	}
	var set *masking.Set
	if isPickle {
		set, err = flatMask(path, g)
	} else {
		set, err = masking.ReadFile(path)
	}
	if err == nil {
		set, err = adapt(set)
	}
	if err == nil {
		err = masking.Fit(g, set)
	}
	if err != nil {
		return nil, refused(path, limits.InFile(path, err))
	}
	return set, nil
}

// looksPickled tells a pickle (bare, or in PyTorch's zip) from a safetensors file, whose ninth byte opens the header.
func looksPickled(path string) (bool, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, min(size, 9))
	if err := limits.ReadAt(f, head, 0, ""); err != nil {
		return false, limits.InFile(path, err)
	}
	if len(head) == 9 && head[8] == '{' {
		return false, nil
	}
	return len(head) > 1 && (head[0] == 0x80 || head[0] == 'P' && head[1] == 'K'), nil
}

// flatMask cuts the one tensor of a pickle over the parameters of g.
func flatMask(path string, g *onnx.Graph) (*masking.Set, error) {
	f, err := pickle.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, ok := f.Root.(*onnx.Tensor)
	if !ok {
		return nil, limits.Refuse("", "a pickled mask is one tensor over all parameters, this file holds something else")
	}
	values, ok := t.Reals()
	if !ok {
		return nil, limits.Refuse("", "a mask of %v: wants bool, or zeros and ones", t.DType)
	}
	keep := make([]bool, len(values))
	for i, x := range values {
		if x != 0 && x != 1 {
			return nil, limits.Refuse("", "mask: element %d is %g, neither 0 nor 1", i, x)
		}
		keep[i] = x == 1
	}
	var names []string
	var dims [][]int64
	for _, v := range masking.Parameters(g) {
		if v.Const == nil {
			return nil, fmt.Errorf("mask: initializer %s is stored sparse: make it dense first", limits.Name(v.Name))
		}
		names, dims = append(names, v.Name), append(dims, v.Const.Dims)
	}
	return masking.FromFlat(names, dims, keep)
}
