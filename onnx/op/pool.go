package op

import "graft/onnx"

// PoolAttrs are the attributes of AveragePool and MaxPool. Kernel is required; the rest defaults as in ConvAttrs.
type PoolAttrs struct {
	Kernel          []int64
	Strides         []int64
	Pads            []int64
	Dilations       []int64
	AutoPad         string
	CeilMode        bool
	CountIncludePad bool // AveragePool only
}

// AveragePool averages windows of x [N,C,...].
func (b *Builder) AveragePool(x *onnx.Value, a PoolAttrs) *onnx.Value {
	return b.node("AveragePool", []*onnx.Value{x}, a.attrs()...)
}

// MaxPool takes the maximum of windows of x [N,C,...].
func (b *Builder) MaxPool(x *onnx.Value, a PoolAttrs) *onnx.Value {
	return b.node("MaxPool", []*onnx.Value{x}, a.attrs()...)
}

// MaxPoolIndices is MaxPool with its second output: where in the flattened x each maximum stood (int64).
func (b *Builder) MaxPoolIndices(x *onnx.Value, a PoolAttrs) (y, indices *onnx.Value) {
	out := b.Node("MaxPool", []*onnx.Value{x}, 2, a.attrs()...)
	return out[0], out[1]
}

// MaxUnpool puts each element of x where indices, as MaxPool gives them, say that it stood, and zeros elsewhere. dims, which
// may be nil, is the shape of the result.
func (b *Builder) MaxUnpool(x, indices, dims *onnx.Value, a PoolAttrs) *onnx.Value {
	return b.node("MaxUnpool", []*onnx.Value{x, indices, dims}, PoolAttrs{Kernel: a.Kernel, Strides: a.Strides, Pads: a.Pads}.attrs()...)
}

// GlobalAveragePool averages x [N,C,...] to [N,C,1,...].
func (b *Builder) GlobalAveragePool(x *onnx.Value) *onnx.Value {
	return b.unary("GlobalAveragePool", x)
}

// PoolAttrsOf reads a node's attributes and fills the defaults in.
func PoolAttrsOf(n *onnx.Node) PoolAttrs {
	a := PoolAttrs{
		Kernel:          onnx.AttrOr[[]int64](n, "kernel_shape", nil),
		Strides:         onnx.AttrOr[[]int64](n, "strides", nil),
		Pads:            onnx.AttrOr[[]int64](n, "pads", nil),
		Dilations:       onnx.AttrOr[[]int64](n, "dilations", nil),
		AutoPad:         onnx.AttrOr(n, "auto_pad", "NOTSET"),
		CeilMode:        onnx.AttrOr(n, "ceil_mode", int64(0)) != 0,
		CountIncludePad: onnx.AttrOr(n, "count_include_pad", int64(0)) != 0,
	}
	k := len(a.Kernel)
	if a.Strides == nil {
		a.Strides = repeat(1, k)
	}
	if a.Dilations == nil {
		a.Dilations = repeat(1, k)
	}
	if a.Pads == nil {
		a.Pads = repeat(0, 2*k)
	}
	return a
}

func (a PoolAttrs) attrs() []onnx.Attr {
	out := ConvAttrs{Kernel: a.Kernel, Strides: a.Strides, Pads: a.Pads, Dilations: a.Dilations, AutoPad: a.AutoPad}.attrs()
	if a.CeilMode {
		out = append(out, onnx.Int("ceil_mode", 1))
	}
	if a.CountIncludePad {
		out = append(out, onnx.Int("count_include_pad", 1))
	}
	return out
}
