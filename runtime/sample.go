package runtime

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/noise"
	"graft/onnx/op"
)

// maxSample bounds the bytes that one made-up input takes.
const maxSample = 4 << 30

// Sample makes an input for everything that a graph must be fed with, as SampleValue does.
func Sample(g *onnx.Graph, seed uint64, free map[string]int64) (map[string]*onnx.Tensor, error) {
	feeds := map[string]*onnx.Tensor{}
	for _, v := range g.Inputs() {
		if v.IsInitializer() {
			continue
		}
		t, err := SampleValue(v, seed, free)
		if err != nil {
			return nil, err
		}
		feeds[v.Name] = t
	}
	return feeds, nil
}

// SampleValue makes a tensor for a graph input, from the seed and the input's name alone: floats from N(0, 1); integers
// that index an axis of a known size (through nodes that only convert or rearrange them) uniform over it; other integers of
// 8 and 16 bits uniform over their type's range, wider ones 0 or 1; Booleans at random. A dimension without a size is
// free[symbol], or 1. What cannot be made is an ErrFeed.
func SampleValue(v *onnx.Value, seed uint64, free map[string]int64) (*onnx.Tensor, error) {
	t, err := sample(v, seed, free)
	if err != nil {
		return nil, fmt.Errorf("make input %s: %w", limits.Name(v.Name), err)
	}
	return t, nil
}

func sample(v *onnx.Value, seed uint64, free map[string]int64) (*onnx.Tensor, error) {
	if v.Type.DType == onnx.Undefined || !v.IsTensor() {
		return nil, fmt.Errorf("%w: it is no tensor of a known type", ErrFeed)
	}
	if !v.Type.Shape.Ranked() {
		return nil, fmt.Errorf("%w: its rank is not known", ErrFeed)
	}
	dims := make([]int64, len(v.Type.Shape))
	for i, d := range v.Type.Shape {
		dims[i] = 1
		if d.Known() {
			dims[i] = d.Size
		} else if n, ok := free[d.Symbol]; ok && d.Symbol != "" {
			dims[i] = n
		}
	}
	if n, ok := limits.Bytes(dims, max(8, v.Type.DType.Bits())); !ok || n > maxSample {
		return nil, fmt.Errorf("%w: %v of dims %v is more than %d bytes", ErrFeed, v.Type.DType, dims, int64(maxSample))
	}
	t := onnx.NewTensor(v.Type.DType, dims...)
	t.Name = v.Name
	return t, fill(t, noise.NewKey(seed, "sample/"+v.Name, 0), indexRange(v, 0))
}

// fill makes the elements of t; bound is what they index, 0 when they index nothing.
func fill(t *onnx.Tensor, key noise.Key, bound int64) error {
	n := int(t.Len())
	switch t.DType {
	case onnx.Float:
		noise.Normal(t.Float32s(), key)
		return nil
	case onnx.Double, onnx.Float16, onnx.BFloat16:
		values := make([]float32, n)
		noise.Normal(values, key)
		op.SetFloats(t, values)
		return nil
	}
	u := make([]float32, n)
	noise.Uniform(u, key)
	wide := bound
	if wide <= 0 {
		wide = 2
	}
	switch t.DType {
	case onnx.Bool:
		for i := range u {
			t.Data[i] = byte(2 * u[i])
		}
	case onnx.Int64:
		spread(onnx.View[int64](t), u, wide)
	case onnx.Int32:
		spread(onnx.View[int32](t), u, wide)
	case onnx.Uint64:
		spread(onnx.View[uint64](t), u, wide)
	case onnx.Uint32:
		spread(onnx.View[uint32](t), u, wide)
	case onnx.Int8, onnx.Uint8:
		if bound <= 0 || bound > 128 {
			bound = 256
		}
		spread(t.Data, u, bound) // the upper half is negative for int8
	case onnx.Int16:
		spread(onnx.View[int16](t), u, narrowed(bound))
	case onnx.Uint16:
		spread(onnx.View[uint16](t), u, narrowed(bound))
	default:
		return fmt.Errorf("%w: no made-up values for %v", ErrFeed, t.DType)
	}
	return nil
}

func narrowed(bound int64) int64 {
	if bound <= 0 || bound > 1<<15 {
		return 1 << 16
	}
	return bound
}

func spread[T int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](dst []T, u []float32, bound int64) {
	for i, x := range u {
		dst[i] = T(min(int64(float64(x)*float64(bound)), bound-1))
	}
}

// indexRange is the size of the axis that v, or what is made of it by converting and rearranging, indexes; 0 when it
// indexes none of a known size.
func indexRange(v *onnx.Value, depth int) int64 {
	const deepest = 8
	bound := int64(0)
	note := func(n int64) {
		if n > 0 && (bound == 0 || n < bound) {
			bound = n
		}
	}
	for _, u := range v.Uses() {
		n := u.Node
		switch {
		case (n.Is("Gather") || n.Is("GatherElements")) && u.Index == 1:
			s := n.Input(0).Type.Shape
			axis := onnx.AttrOr(n, "axis", int64(0))
			if axis < 0 {
				axis += int64(len(s))
			}
			if axis >= 0 && axis < int64(len(s)) && s[axis].Known() {
				note(s[axis].Size)
			}
		case u.Index == 0 && depth < deepest && n.Output(0) != nil && (n.Is("Cast") || n.Is("Identity") || n.Is("Reshape") ||
			n.Is("Unsqueeze") || n.Is("Squeeze") || n.Is("Flatten") || n.Is("Transpose") || n.Is("Expand") || n.Is("Slice")):
			note(indexRange(n.Output(0), depth+1))
		}
	}
	return bound
}
