package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

var pool = []row{
	{op: "AveragePool", grad: of(gradAveragePool)},
	{op: "MaxPool", grad: gradMaxPool},
	{op: "LpPool", grad: of(gradLpPool)},
	{op: "GlobalAveragePool", grad: of(gradGlobalAveragePool)},
	{op: "GlobalMaxPool", grad: of(gradGlobalMaxPool)},
	{op: "GlobalLpPool", grad: of(gradGlobalLpPool)},
	{op: "MaxUnpool", grad: gradMaxUnpool},
	{op: "MaxRoiPool", expand: rewrite.MaxRoiPool},
}

// poolWindow reads the geometry of a pool. Spatial sizes may be unknown.
func (b *Builder) poolWindow(n *onnx.Node) (window, bool) {
	x, y := n.Input(0), n.Output(0)
	a := op.PoolAttrsOf(n)
	k := len(a.Kernel)
	for _, v := range []*onnx.Value{x, y} {
		if rank, ok := b.rank(v); !ok || rank != k+2 {
			b.Fail("kernel_shape %v does not fit %s of shape %v", a.Kernel, label(v), v.Type.Shape)
			return window{}, false
		}
	}
	win := window{kernel: a.Kernel, strides: a.Strides, dilations: a.Dilations, in: spatialSizes(x), out: spatialSizes(y), group: 1}
	if len(a.Strides) != k || len(a.Dilations) != k || len(a.Pads) != 2*k {
		b.Fail("strides, dilations or pads do not fit %d spatial dimensions", k)
		return window{}, false
	}
	win.pad(a.AutoPad, a.Pads, nil, false)
	return win, b.rests(win, x, nil)
}

// y = the mean of x over each window: dx = the sum over the windows that see it of dy / their count.
func gradAveragePool(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	win, ok := b.poolWindow(n)
	if !ok {
		return nil
	}
	return b.sumWindows(dy, win, op.PoolAttrsOf(n).CountIncludePad, true)
}

// y = (sum |x|^p)^(1/p) over each window: dx = |x|^(p-1) sign x times the sum over the windows that see it of dy y^(1-p).
// Where y is 0 there is no derivative, and 0 taken.
func gradLpPool(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	win, ok := b.poolWindow(n)
	if !ok {
		return nil
	}
	x, p := n.Input(0), float64(onnx.AttrOr(n, "p", int64(2)))
	return b.Mul(b.powerSlope(x, p), b.sumWindows(b.powerScale(dy, n.Output(0), p), win, true, false))
}

// y = (sum |x|^p)^(1/p) over all spatial axes: dx = |x|^(p-1) sign x dy y^(1-p); 0 where y is 0.
func gradGlobalLpPool(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	p := float64(onnx.AttrOr(n, "p", int64(2)))
	return b.Mul(b.powerSlope(n.Input(0), p), b.powerScale(dy, n.Output(0), p))
}

// powerSlope is |x|^(p-1) sign x.
func (b *Builder) powerSlope(x *onnx.Value, p float64) *onnx.Value {
	switch p {
	case 1:
		return b.Sign(x)
	case 2:
		return x
	}
	return b.Mul(b.Sign(x), b.Pow(b.Abs(x), b.Scalar(x, p-1)))
}

// powerScale is dy y^(1-p), and 0 where y is 0.
func (b *Builder) powerScale(dy, y *onnx.Value, p float64) *onnx.Value {
	if p == 1 {
		return dy
	}
	zero := b.Equal(y, b.Scalar(y, 0))
	y = b.Where(zero, b.Scalar(y, 1), y)
	if p > 2 {
		y = b.Pow(y, b.Scalar(y, p-1))
	}
	return b.Where(zero, b.Scalar(dy, 0), b.Div(dy, y))
}

// y = the mean of x over all spatial axes: dx = dy / their size, everywhere.
func gradGlobalAveragePool(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	r, ok := b.rank(x)
	if !ok {
		return nil
	}
	return b.expandLike(b.Div(dy, b.count(x, spatialAxes(r))), x)
}

// y = the maximum of x over all spatial axes: dy goes to the elements that equal y, in equal parts.
func gradGlobalMaxPool(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	r, ok := b.rank(x)
	if !ok {
		return nil
	}
	if r == 2 {
		return dy
	}
	hits := b.castLike(b.Equal(x, n.Output(0)), dy)
	return b.Mul(hits, b.Div(dy, b.ReduceSum(hits, true, spatialAxes(r)...)))
}
