package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

var pool = []row{
	{op: "AveragePool", grad: of(gradAveragePool)},
	{op: "MaxPool", grad: gradMaxPool},
	{op: "GlobalAveragePool", grad: of(gradGlobalAveragePool)},
	{op: "GlobalMaxPool", none: later},
	{op: "LpPool", none: later},
	{op: "GlobalLpPool", none: later},
}

// y = the mean of x over all spatial axes: dx = dy / their size, everywhere.
func gradGlobalAveragePool(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	r, ok := b.rank(x)
	if !ok {
		return nil
	}
	var axes []int64
	for i := 2; i < r; i++ {
		axes = append(axes, int64(i))
	}
	return b.expandLike(b.Div(dy, b.count(x, axes)), x)
}

// poolWindow reads the geometry of a pool.
func (b *Builder) poolWindow(n *onnx.Node) (window, bool) {
	x, ok := b.sizes(n.Input(0))
	y, ok2 := b.sizes(n.Output(0))
	if !ok || !ok2 {
		return window{}, false
	}
	a := op.PoolAttrsOf(n)
	k := len(a.Kernel)
	win := window{kernel: a.Kernel, strides: a.Strides, dilations: a.Dilations, in: x[2:], out: y[2:], group: 1}
	if len(win.in) != k {
		b.Fail("kernel_shape %v does not fit %s of rank %d", a.Kernel, label(n.Input(0)), len(x))
		return window{}, false
	}
	win.begins, win.ends = make([]int64, k), make([]int64, k)
	for i := range k {
		switch a.AutoPad {
		case "", "NOTSET":
			win.begins[i], win.ends[i] = a.Pads[i], a.Pads[k+i]
		case "SAME_UPPER", "SAME_LOWER":
			total := max(0, (win.out[i]-1)*win.strides[i]+win.span(i)-win.in[i])
			win.begins[i] = total / 2
			if a.AutoPad == "SAME_LOWER" {
				win.begins[i] = total - total/2
			}
			win.ends[i] = total - win.begins[i]
		}
	}
	return win, true
}

// y = the mean of x over each window: dx = the sum over the windows that see it of dy / their count.
func gradAveragePool(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	win, ok := b.poolWindow(n)
	if !ok {
		return nil
	}
	if win.tiles() {
		count, scales := int64(1), []float32{1, 1}
		for _, k := range win.kernel {
			count *= k
			scales = append(scales, float32(k))
		}
		return b.Resize(b.Mul(dy, b.Scalar(dy, 1/float64(count))), nearest, scales...)
	}
	d := b.Mul(dy, b.Const(win.weights(dy.Type.DType, op.PoolAttrsOf(n).CountIncludePad)))
	// One channel at a time: [N*C,1,...]. Windows that ceil_mode lets hang over the end see nothing there.
	spatial := len(win.kernel)
	over := make([]int64, spatial)
	for i := range spatial {
		over[i] = max(0, -win.rest(i))
		win.ends[i] += over[i]
	}
	ones := onnx.NewTensor(onnx.Float, append([]int64{1, 1}, win.kernel...)...)
	for i := range ones.Float32s() {
		ones.Float32s()[i] = 1
	}
	d = b.Reshape(d, append([]int64{-1, 1}, win.out...)...)
	return b.reshapeLike(b.convTransposed(d, b.castLike(b.Const(ones), dy), win), n.Input(0))
}

var nearest = op.ResizeAttrs{Mode: "nearest", Coordinates: "asymmetric", NearestMode: "floor"}

// tiles reports whether the windows cover x without overlap, gap or rest.
func (w window) tiles() bool {
	for i, k := range w.kernel {
		if k != w.strides[i] || w.dilations[i] != 1 || w.begins[i] != 0 || w.ends[i] != 0 || w.out[i]*k != w.in[i] {
			return false
		}
	}
	return true
}

// weights gives 1/count for every window of an average pool: [1,1,...]. Elements of the padding count when asked to,
// elements beyond it never.
func (w window) weights(d onnx.DataType, includePad bool) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Double, append([]int64{1, 1}, w.out...)...)
	v := onnx.View[float64](t)
	for p := range v {
		count, rest := int64(1), int64(p)
		for i := len(w.out) - 1; i >= 0; i-- {
			at := rest%w.out[i]*w.strides[i] - w.begins[i]
			rest /= w.out[i]
			lo, hi := int64(0), w.in[i]
			if includePad {
				lo, hi = -w.begins[i], w.in[i]+w.ends[i]
			}
			seen := int64(0)
			for k := range w.kernel[i] {
				if e := at + k*w.dilations[i]; e >= lo && e < hi {
					seen++
				}
			}
			count *= seen
		}
		if count > 0 {
			v[p] = 1 / float64(count)
		}
	}
	if d == onnx.Double {
		return t
	}
	f := onnx.NewTensor(onnx.Float, t.Dims...)
	for i, x := range v {
		f.Float32s()[i] = float32(x)
	}
	return f
}

// y = the maximum of each window: dy goes to where it stood.
func gradMaxPool(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	win, ok := b.poolWindow(n)
	if !ok || dy[0] == nil {
		return nil
	}
	x := n.Input(0)
	size, err := onnx.ElementCount(must(x.Type.Shape.Sizes()))
	if err != nil {
		b.Fail("%w", err)
		return nil
	}
	indices := n.Output(1)
	if indices == nil || onnx.AttrOr(n, "storage_order", int64(0)) != 0 {
		_, indices = b.MaxPoolIndices(x, op.PoolAttrsOf(n))
	}
	reduction := "add"
	if win.tiles() {
		reduction = "none"
	}
	zeros := b.ConstantOfShape(b.Ints(size), onnx.NewTensor(x.Type.DType, 1))
	flat := b.ScatterElements(zeros, b.Reshape(indices, -1), b.Reshape(dy[0], -1), 0, reduction)
	return []*onnx.Value{b.reshapeLike(flat, x)}
}

func must(v []int64, _ bool) []int64 { return v }
