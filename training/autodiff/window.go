package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// window is the geometry of a convolution or pool: y[t] sees x[t*stride + i*dilation - begin] for the tap i.
type window struct {
	kernel, strides, dilations []int64
	begins, ends               []int64 // padding; negative cuts
	in, out                    []int64 // sizes of x and y; unsized where they are not known
	rests                      []int64 // elements of the padded x behind the last window; negative where it hangs over, unsized where not known
	group                      int64
}

// unsized stands for a size that the graph does not tell.
const unsized = -1 << 62

// windowOf reads the geometry of Conv from x [N,C,...] and y [N,M,...]. For ConvTranspose, whose output plays x, the caller
// exchanges the two. Spatial sizes may be unknown; the kernel's may not.
func (b *Builder) windowOf(n *onnx.Node, x, w, y *onnx.Value) (window, bool) {
	rank, ok := b.rank(w)
	if !ok {
		return window{}, false
	}
	spatial := rank - 2
	a := op.ConvAttrsOf(n, spatial)
	win := window{strides: a.Strides, dilations: a.Dilations, group: max(a.Group, 1), kernel: a.Kernel}
	for _, v := range []*onnx.Value{x, y} {
		if got, ok := b.rank(v); !ok || got != rank {
			b.Fail("%s has shape %v, the weight rank %d", label(v), v.Type.Shape, rank)
			return window{}, false
		}
	}
	win.in, win.out = spatialSizes(x), spatialSizes(y)
	if kernel, ok := w.Type.Shape[2:].Sizes(); ok {
		win.kernel = kernel
	}
	if len(win.kernel) != spatial {
		b.Fail("the kernel's size is not known: %s is %v; fix its sizes or set kernel_shape", label(w), w.Type.Shape)
		return window{}, false
	}
	if len(a.Strides) != spatial || len(a.Dilations) != spatial || len(a.Pads) != 2*spatial || len(a.OutputPadding) != spatial {
		b.Fail("strides, dilations or pads do not fit %d spatial dimensions", spatial)
		return window{}, false
	}
	transposed := n.Op == "ConvTranspose"
	padding := a.AutoPad
	if len(a.OutputShape) > 0 && padding != "SAME_UPPER" {
		padding = "SAME_LOWER" // what ONNX Runtime pads for NOTSET too: the odd element goes to the front
	}
	win.pad(padding, a.Pads, a.OutputPadding, transposed && len(a.OutputShape) == 0)
	if !transposed {
		a.OutputPadding = nil
	}
	return win, b.rests(win, x, a.OutputPadding)
}

// rests finds what lies behind the last window over x, as far as sizes tell it. Of a transposed convolution it is the output
// padding where they do not. It fails where they do not tell the padding in front.
func (b *Builder) rests(w window, x *onnx.Value, outputPadding []int64) bool {
	for i := range w.kernel {
		switch {
		case w.begins[i] == unsized:
			b.Fail("the padding depends on axis %d of %s, which is %v: fix that dimension", i+2, label(x), x.Type.Shape)
			return false
		case w.in[i] != unsized && w.out[i] != unsized:
			w.rests[i] = w.in[i] + w.begins[i] + w.ends[i] - (w.out[i]-1)*w.strides[i] - w.span(i)
		case outputPadding != nil:
			w.rests[i] = outputPadding[i]
		case w.strides[i] == 1:
			w.rests[i] = 0
		}
	}
	return true
}

// pad resolves automatic padding. Where x is what a transposed convolution makes, its size follows from y's.
func (w *window) pad(auto string, pads, outputPadding []int64, follows bool) {
	k := len(w.kernel)
	w.begins, w.ends, w.rests = make([]int64, k), make([]int64, k), make([]int64, k)
	for i := range k {
		w.rests[i] = unsized
		var total int64
		switch auto {
		case "", "NOTSET":
			w.begins[i], w.ends[i] = pads[i], pads[k+i]
			continue
		case "VALID":
			continue
		}
		extra := int64(0)
		if outputPadding != nil {
			extra = outputPadding[i]
		}
		switch {
		case w.in[i] != unsized && w.out[i] != unsized:
			total = (w.out[i]-1)*w.strides[i] + w.span(i) + extra - w.in[i]
		case follows: // x has stride times as many elements
			total = w.span(i) + extra - w.strides[i]
		case w.strides[i] == 1:
			total = w.span(i) - 1
		default:
			w.begins[i], w.ends[i] = unsized, unsized
			continue
		}
		total = max(0, total)
		if w.begins[i] = total / 2; auto == "SAME_LOWER" {
			w.begins[i] = total - total/2
		}
		w.ends[i] = total - w.begins[i]
	}
}

// spatialSizes lists the sizes of v [N,C,...] from the third dimension on.
func spatialSizes(v *onnx.Value) []int64 {
	shape := v.Type.Shape[2:]
	out := make([]int64, len(shape))
	for i, d := range shape {
		if out[i] = unsized; d.Known() {
			out[i] = d.Size
		}
	}
	return out
}

// span is how many elements of x the kernel covers along axis i.
func (w window) span(i int) int64 { return (w.kernel[i]-1)*w.dilations[i] + 1 }

// sized reports whether all sizes are known.
func (w window) sized() bool {
	return !slices.Contains(w.in, unsized) && !slices.Contains(w.out, unsized)
}

// places is how many windows there are; unsized when that is not known.
func (w window) places() int64 {
	if slices.Contains(w.out, unsized) {
		return unsized
	}
	return product(w.out)
}

// taps is how many elements the kernel has.
func (w window) taps() int64 { return product(w.kernel) }

// tiles reports whether the windows cover x without overlap, gap or rest.
func (w window) tiles() bool {
	for i, k := range w.kernel {
		if k != w.strides[i] || w.dilations[i] != 1 || w.begins[i] != 0 || w.ends[i] != 0 || w.rests[i] != 0 {
			return false
		}
	}
	return true
}

// seen is the slice of the padded x [N,C,...] that a tap sees along spatial axis i. Without sizes the stride must be 1.
func (w window) seen(i int, tap int64) op.SliceSpec {
	start := tap * w.dilations[i]
	s := op.SliceSpec{Axis: int64(i + 2), Start: start, Step: w.strides[i]}
	switch last := w.span(i) - 1 - start; {
	case w.out[i] != unsized:
		s.End = start + (w.out[i]-1)*w.strides[i] + 1
	case last == 0:
		s.End = 1<<63 - 1
	default:
		s.End = -last
	}
	return s
}

// padded is x with the window's padding made explicit.
func (b *Builder) padded(x *onnx.Value, win window) *onnx.Value {
	if all(win.begins, 0) && all(win.ends, 0) {
		return x
	}
	none := []int64{0, 0}
	return b.Pad(x, "constant", slices.Concat(none, win.begins, none, win.ends)...)
}

func all(v []int64, x int64) bool {
	return !slices.ContainsFunc(v, func(e int64) bool { return e != x })
}

func product(v []int64) int64 {
	p := int64(1)
	for _, e := range v {
		p *= e
	}
	return p
}
