package autodiff

import (
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var conv = []row{
	{op: "Conv", grad: gradConv},
	{op: "ConvTranspose", grad: gradConvTranspose},
	{op: "ConvInteger", none: integer},
}

// window is the geometry of a convolution: y[t] sees x[t*stride + i*dilation - begin] for the tap i.
type window struct {
	kernel, strides, dilations []int64
	begins, ends               []int64 // padding; negative cuts
	in, out                    []int64 // sizes of x and y
	group                      int64
}

// windowOf reads the geometry of Conv from the static spatial sizes of x [N,C,...] and y [N,M,...]. For ConvTranspose, whose
// output plays x, the caller exchanges the two.
func (b *Builder) windowOf(n *onnx.Node, x, w, y *onnx.Value) (window, bool) {
	rank, ok := b.rank(w)
	if !ok {
		return window{}, false
	}
	spatial := rank - 2
	a := op.ConvAttrsOf(n, spatial)
	win := window{strides: a.Strides, dilations: a.Dilations, group: a.Group}
	for _, s := range []struct {
		v   *onnx.Value
		dst *[]int64
	}{{x, &win.in}, {y, &win.out}, {w, &win.kernel}} {
		shape := s.v.Type.Shape
		if len(shape) != rank {
			b.Fail("%s has rank %d, the weight %d", label(s.v), len(shape), rank)
			return window{}, false
		}
		sizes, static := shape[2:].Sizes()
		if !static {
			b.Fail("the rule wants static spatial sizes, %s is %v", label(s.v), shape)
			return window{}, false
		}
		*s.dst = sizes
	}
	if len(a.Strides) != spatial || len(a.Dilations) != spatial || len(a.Pads) != 2*spatial {
		b.Fail("strides, dilations or pads do not fit %d spatial dimensions", spatial)
		return window{}, false
	}
	win.begins, win.ends = a.Pads[:spatial], a.Pads[spatial:]
	if (a.AutoPad != "NOTSET" && a.AutoPad != "") || len(a.OutputShape) > 0 {
		win.begins, win.ends = make([]int64, spatial), make([]int64, spatial)
		for i := range spatial {
			total := max(0, (win.out[i]-1)*win.strides[i]+win.span(i)+a.OutputPadding[i]-win.in[i])
			switch a.AutoPad {
			case "VALID":
				total = 0
			case "SAME_UPPER": // the odd element goes to the end
				win.begins[i] = total / 2
			default:
				win.begins[i] = total - total/2
			}
			win.ends[i] = total - win.begins[i]
		}
	}
	return win, true
}

// span is how many elements of x the kernel covers along axis i.
func (w window) span(i int) int64 { return (w.kernel[i]-1)*w.dilations[i] + 1 }

// rest is how many elements of the padded x lie behind the last window along axis i.
func (w window) rest(i int) int64 {
	return w.in[i] + w.begins[i] + w.ends[i] - (w.out[i]-1)*w.strides[i] - w.span(i)
}

func all(v []int64, x int64) bool {
	return !slices.ContainsFunc(v, func(e int64) bool { return e != x })
}

// Y = X * W + B: dX = the transposed convolution of dY by W; dW[o,c,i] = sum_t dY[o,t] X[c, t*stride + i*dilation - begin];
// dB = sum dY.
func gradConv(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, w := n.Input(0), n.Input(1)
	out := make([]*onnx.Value, 3)
	win, ok := b.windowOf(n, x, w, n.Output(0))
	if !ok {
		return nil
	}
	if b.Wants(0) {
		out[0] = b.convInput(dy[0], w, win)
	}
	if b.Wants(1) {
		out[1] = b.convWeight(x, dy[0], w, win)
	}
	if b.Wants(2) {
		out[2] = b.sumChannels(dy[0])
	}
	return out
}

// sumChannels sums d [N,M,...] over all but the channels: [M].
func (b *Builder) sumChannels(d *onnx.Value) *onnx.Value {
	r, ok := b.rank(d)
	if !ok {
		return nil
	}
	axes := []int64{0}
	for i := 2; i < r; i++ {
		axes = append(axes, int64(i))
	}
	return b.ReduceSum(d, false, axes...)
}

// directFrom is how many elements the columns of a transposed convolution may have before it is slower than a convolution
// with the flipped weight. Measured on ONNX Runtime 1.28 with weights that are not constant: at 2.5 million (10 MB) the two
// take as long; at a quarter of that the transposed convolution takes 0.5 to 0.8 of the time, at four times 1.3 to 1.6.
const directFrom = 2_500_000

// convInput is the cotangent of a convolution's input: the transposed convolution of dy by w, or with stride 1 and much to
// do the convolution with the flipped weight.
func (b *Builder) convInput(dy, w *onnx.Value, win window) *onnx.Value {
	spatial := len(win.kernel)
	begins, ends := make([]int64, spatial), make([]int64, spatial)
	direct := win.group <= 1 && all(win.strides, 1)
	columns := int64(1)
	if c := w.Type.Shape[1]; c.Known() {
		columns = c.Size
	}
	for i := range spatial {
		columns *= win.kernel[i] * win.out[i]
		begins[i] = win.span(i) - 1 - win.begins[i]
		ends[i] = win.in[i] + win.begins[i] - win.out[i]
		direct = direct && begins[i] >= 0 && ends[i] >= 0
	}
	negative := slices.ContainsFunc(slices.Concat(win.begins, win.ends), func(p int64) bool { return p < 0 })
	if direct && (columns > directFrom || negative || all(win.kernel, 1)) {
		return b.Conv(dy, b.flipped(w, win), nil, op.ConvAttrs{Kernel: win.kernel, Dilations: win.dilations,
			Pads: slices.Concat(begins, ends), Group: win.group})
	}
	return b.convTransposed(dy, w, win)
}

// convTransposed is the transposed convolution of dy [N,M,...] by w [M,C/group,...] to win.in.
func (b *Builder) convTransposed(dy, w *onnx.Value, win window) *onnx.Value {
	spatial := len(win.kernel)
	rest, pads := make([]int64, spatial), make([]int64, 2*spatial)
	for i := range spatial {
		rest[i] = win.rest(i)
		pads[i], pads[spatial+i] = win.begins[i], win.ends[i]
		if rest[i] < 0 || rest[i] >= max(win.strides[i], win.dilations[i]) || win.begins[i] < 0 || win.ends[i] < 0 {
			b.Fail("no transposed convolution leads from %v back to %v with pads %v and %v", win.out, win.in, win.begins, win.ends)
			return nil
		}
	}
	return b.ConvTranspose(dy, w, nil, op.ConvAttrs{Kernel: win.kernel, Strides: win.strides, Dilations: win.dilations,
		Pads: pads, OutputPadding: rest, Group: win.group})
}

// flipped is w [M,C,...] with its channels exchanged and its taps in reverse order: [C,M,...].
func (b *Builder) flipped(w *onnx.Value, win window) *onnx.Value {
	perm := []int64{1, 0}
	var specs []op.SliceSpec
	for i, k := range win.kernel {
		perm = append(perm, int64(i+2))
		if k > 1 {
			specs = append(specs, op.SliceSpec{Axis: int64(i + 2), Start: -1, End: math.MinInt64, Step: -1})
		}
	}
	if len(specs) > 0 {
		w = b.Slice(w, specs...)
	}
	return b.Transpose(w, perm...)
}

// Y = the transposed convolution of X by W, + B: dX = the convolution of dY by W; dW is that of the convolution from Y to
// X; dB = sum dY.
func gradConvTranspose(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, w := n.Input(0), n.Input(1)
	out := make([]*onnx.Value, 3)
	win, ok := b.windowOf(n, n.Output(0), w, x)
	if !ok {
		return nil
	}
	switch {
	case b.Wants(0) && fitsBlocks(win):
		out[0] = b.Conv(b.blocks(b.padded(dy[0], win), win), b.blockWeight(w, win), nil, op.ConvAttrs{})
	case b.Wants(0):
		out[0] = b.Conv(dy[0], w, nil, op.ConvAttrs{Kernel: win.kernel, Strides: win.strides, Dilations: win.dilations,
			Pads: slices.Concat(win.begins, win.ends), Group: win.group})
		for i, o := range win.out { // an output padding of a stride or more gives windows that x does not have
			if win.rest(i) >= win.strides[i] {
				out[0] = b.Slice(out[0], op.SliceSpec{Axis: int64(i + 2), Start: 0, End: o})
			}
		}
	}
	if b.Wants(1) {
		out[1] = b.convWeight(dy[0], x, w, win)
	}
	if b.Wants(2) {
		out[2] = b.sumChannels(dy[0])
	}
	return out
}
