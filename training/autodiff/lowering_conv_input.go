package autodiff

import (
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Two forms of the cotangent of a convolution's input. The transposed convolution multiplies first and then adds C k k
// columns into the picture, on one thread; the convolution with the flipped weight gathers O k k columns first. Milliseconds
// of processor time on ONNX Runtime 1.28, one thread, weights that are not constant (BenchmarkInputLowerings measures them
// anew):
//
//	batch  C from O    kernel  stride  places   transposed  flipped
//	16     16 from 8   3x3     1       28x28    1.57        1.05
//	16     16 from 16  3x3     1       7x7      0.20        0.23
//	16     16 from 16  3x3     1       28x28    2.41        1.67
//	16     16 from 32  3x3     1       28x28    4.33        4.95
//	1      64 from 128 5x5     1       56x56    26.0        25.1
//	1      32 from 16  5x5     1       128x128  18.9        8.5
//	16     8 from 16   5x5     1       14x14    1.28        1.99
//	8      32 depthwise 3x3    1       56x56    6.1         3.9
//	32     32 from 64  3x3     2       14x14    6.4         27.8 (dY spread by zeros)
//
// Microseconds on an NVIDIA H100 80GB HBM3 by the CUDA provider of ONNX Runtime 1.31.1, TF32 off; the least
// that any small graph takes is 40; there the transposed convolution is the faster form throughout:
//
//	batch  C from O    kernel  stride  places   transposed  flipped
//	16     16 from 8   3x3     1       28x28    50          59
//	16     16 from 16  3x3     1       7x7      49          58
//	16     16 from 16  3x3     1       28x28    59          82
//	16     16 from 32  3x3     1       28x28    61          70
//	1      64 from 128 5x5     1       56x56    136         158
//	1      32 from 16  5x5     1       128x128  87          107
//	16     8 from 16   5x5     1       14x14    72          87
//	8      32 depthwise 3x3    1       56x56    56          68
//
// A matrix product followed by Col2Im takes as long as the transposed convolution, and memory for the columns of the whole
// batch. Sub-pixels (a convolution to s s C channels and DepthToSpace) take 1.8 to 2.4 times as long for 3x3 and stride 2,
// and 0.8 of the time for 4x4; neither is kept.

// directFrom is the number of places per image, times (C/O)^3, from which the flipped weight is faster. It is fitted to 90
// geometries between 7x7 and 112x112, 8 and 256 channels.
const directFrom = 400

// On CUDA a transposed convolution has the same padding on both sides of an axis, or it runs on the CPU: more is made than
// is wanted, and cut.

// convInput is the cotangent of a convolution's input x.
func (b *Builder) convInput(x, dy, w *onnx.Value, win window) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	if b.options.Device == CPU && win.flips() && b.flipPays(w, win) {
		return b.convFlipped(dy, w, win)
	}
	return b.convTransposed(x, dy, w, win)
}

// flips reports whether the convolution with the flipped weight leads back to x.
func (w window) flips() bool {
	for i := range w.kernel {
		if w.strides[i] != 1 || w.begins[i] >= w.span(i) || w.rests[i] == unsized || w.span(i)-1-w.ends[i]+w.rests[i] < 0 {
			return false
		}
	}
	return true
}

// flipPays reports whether the convolution with the flipped weight is the faster form.
func (b *Builder) flipPays(w *onnx.Value, win window) bool {
	o, c := w.Type.Shape[0], w.Type.Shape[1]
	if !o.Known() || !c.Known() || o.Size == 0 {
		return false
	}
	if win.group > 1 || all(win.kernel, 1) || win.places() == unsized {
		return true
	}
	return float64(win.places())*math.Pow(float64(c.Size)/float64(o.Size), 3) >= directFrom
}

// convFlipped is the convolution of dy [N,O,...] with the flipped weight.
func (b *Builder) convFlipped(dy, w *onnx.Value, win window) *onnx.Value {
	pads := make([]int64, 2*len(win.kernel))
	for i := range win.kernel {
		pads[i] = win.span(i) - 1 - win.begins[i]
		pads[len(win.kernel)+i] = win.span(i) - 1 - win.ends[i] + win.rests[i]
	}
	return b.Conv(dy, b.flipped(w, win), nil, op.ConvAttrs{Kernel: win.kernel, Dilations: win.dilations, Pads: pads, Group: win.group})
}

// convTransposed is the transposed convolution of dy [N,M,...] by w [M,C/group,...] to the sizes of x.
func (b *Builder) convTransposed(x, dy, w *onnx.Value, win window) *onnx.Value {
	spatial := len(win.kernel)
	a := op.ConvAttrs{Kernel: win.kernel, Strides: win.strides, Dilations: win.dilations, Pads: make([]int64, 2*spatial),
		OutputPadding: make([]int64, spatial), Group: win.group}
	none := []int64{0, 0}
	front, behind := make([]int64, spatial), make([]int64, spatial) // zeros that no window sees
	unknown := false
	for i := range spatial {
		front[i], a.Pads[i] = max(0, -win.begins[i]), max(0, win.begins[i])
		switch rest := win.rests[i]; {
		case rest == unsized:
			unknown = true
		case rest < 0:
			b.Fail("the last window of axis %d hangs over the end of %s, which is %v", i+2, label(x), x.Type.Shape)
			return nil
		case rest < win.strides[i] && win.ends[i] >= 0:
			a.Pads[spatial+i], a.OutputPadding[i] = win.ends[i], rest
		default: // runtimes take no output padding of a stride or more
			a.Pads[spatial+i], behind[i] = max(0, win.ends[i]-rest), max(0, rest-win.ends[i])
		}
	}
	var cut []op.SliceSpec
	if b.options.Device == CUDA {
		cut = evenPads(a.Pads)
	}
	d := b.ConvTranspose(dy, w, nil, a)
	if cut != nil {
		d = b.Slice(d, cut...)
	}
	switch {
	case unknown: // how many elements lie behind the last window, or in the padding, shows when the model runs
		grow := b.Sub(b.Shape(x), b.Shape(d))
		begins := slices.Concat(none, front)
		return b.Node("Pad", []*onnx.Value{d, b.Concat(0, b.Ints(begins...), b.Sub(grow, b.Ints(begins...)))}, 1)[0]
	case all(front, 0) && all(behind, 0):
		return d
	}
	return b.Pad(d, "constant", slices.Concat(none, front, none, behind)...)
}

// evenPads makes the padding of a transposed convolution the same on both sides of each axis, and says what is to be cut then.
func evenPads(pads []int64) (cut []op.SliceSpec) {
	k := len(pads) / 2
	for i := range k {
		front, behind := pads[i], pads[k+i]
		even := min(front, behind)
		if front == behind {
			continue
		}
		pads[i], pads[k+i] = even, even
		s := op.SliceSpec{Axis: int64(i + 2), Start: front - even, End: math.MaxInt64}
		if behind > even {
			s.End = even - behind
		}
		cut = append(cut, s)
	}
	return cut
}

// flipped is w [M,C/group,...] with the channels of each group exchanged and its taps in reverse order: [C,M/group,...].
func (b *Builder) flipped(w *onnx.Value, win window) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	o, c := w.Type.Shape[0].Size, w.Type.Shape[1].Size
	var specs []op.SliceSpec
	exchanged, grouped := []int64{1, 0}, []int64{0, 2, 1}
	for i, k := range win.kernel {
		exchanged, grouped = append(exchanged, int64(i+2)), append(grouped, int64(i+3))
		if k > 1 {
			specs = append(specs, op.SliceSpec{Axis: int64(i + 2), Start: -1, End: math.MinInt64, Step: -1})
		}
	}
	if len(specs) > 0 {
		w = b.Slice(w, specs...)
	}
	switch {
	case c == 1 && o == win.group: // depthwise, one channel a group
		return w
	case win.group == 1:
		return b.Transpose(w, exchanged...)
	}
	w = b.Transpose(b.Reshape(w, append([]int64{win.group, o / win.group, c}, win.kernel...)...), grouped...)
	return b.Reshape(w, append([]int64{c * win.group, o / win.group}, win.kernel...)...)
}
