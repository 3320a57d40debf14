package op

import "graft/onnx"

// ConvAttrs are the attributes of Conv and ConvTranspose. Empty lists and zero Group mean the operator's defaults: ones,
// no padding, one group. Pads holds the begins of every axis, then the ends.
type ConvAttrs struct {
	Kernel        []int64
	Strides       []int64
	Pads          []int64
	Dilations     []int64
	Group         int64
	AutoPad       string  // NOTSET, VALID, SAME_UPPER, SAME_LOWER
	OutputPadding []int64 // ConvTranspose only
	OutputShape   []int64 // ConvTranspose only
}

// Conv convolves x [N,C,...] with w [M,C/group,...]; bias [M] may be nil.
func (b *Builder) Conv(x, w, bias *onnx.Value, a ConvAttrs) *onnx.Value {
	return b.node("Conv", []*onnx.Value{x, w, bias}, a.attrs()...)
}

// ConvTranspose is the adjoint of Conv with respect to its input, for w [C,M/group,...]; bias [M] may be nil.
func (b *Builder) ConvTranspose(x, w, bias *onnx.Value, a ConvAttrs) *onnx.Value {
	return b.node("ConvTranspose", []*onnx.Value{x, w, bias}, a.attrs()...)
}

// ConvAttrsOf reads a node's attributes and fills the defaults for that many spatial dimensions in.
func ConvAttrsOf(n *onnx.Node, spatial int) ConvAttrs {
	a := ConvAttrs{
		Kernel:        onnx.AttrOr[[]int64](n, "kernel_shape", nil),
		Strides:       onnx.AttrOr[[]int64](n, "strides", nil),
		Pads:          onnx.AttrOr[[]int64](n, "pads", nil),
		Dilations:     onnx.AttrOr[[]int64](n, "dilations", nil),
		Group:         onnx.AttrOr(n, "group", int64(1)),
		AutoPad:       onnx.AttrOr(n, "auto_pad", "NOTSET"),
		OutputPadding: onnx.AttrOr[[]int64](n, "output_padding", nil),
		OutputShape:   onnx.AttrOr[[]int64](n, "output_shape", nil),
	}
	if a.Strides == nil {
		a.Strides = repeat(1, spatial)
	}
	if a.Dilations == nil {
		a.Dilations = repeat(1, spatial)
	}
	if a.Pads == nil {
		a.Pads = repeat(0, 2*spatial)
	}
	if a.OutputPadding == nil {
		a.OutputPadding = repeat(0, spatial)
	}
	return a
}

func (a ConvAttrs) attrs() []onnx.Attr {
	var out []onnx.Attr
	for _, l := range []struct {
		name string
		v    []int64
	}{{"kernel_shape", a.Kernel}, {"strides", a.Strides}, {"pads", a.Pads}, {"dilations", a.Dilations},
		{"output_padding", a.OutputPadding}, {"output_shape", a.OutputShape}} {
		if len(l.v) > 0 {
			out = append(out, onnx.Ints(l.name, l.v...))
		}
	}
	if a.Group > 1 {
		out = append(out, onnx.Int("group", a.Group))
	}
	if a.AutoPad != "" && a.AutoPad != "NOTSET" {
		out = append(out, onnx.Str("auto_pad", a.AutoPad))
	}
	return out
}

func repeat(v int64, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = v
	}
	return out
}
