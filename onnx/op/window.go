package op

import (
	"fmt"

	"graft/onnx"
)

// window is what Conv, ConvTranspose and the pools have in common: a kernel that slides over the spatial axes.
type window struct {
	kernel    []onnx.Dim
	strides   []int64
	pads      []int64
	dilations []int64
	autoPad   string
	ceil      bool
}

// check says whether every list suits that many spatial axes.
func (w *window) check(spatial int) error {
	for _, l := range []struct {
		name string
		v    []int64
		want int
		low  int64
	}{
		{"strides", w.strides, spatial, 1},
		{"dilations", w.dilations, spatial, 1},
		{"pads", w.pads, 2 * spatial, 0},
	} {
		if err := checkList(l.name, l.v, l.want, l.low); err != nil {
			return err
		}
	}
	if len(w.kernel) != spatial {
		return fmt.Errorf("kernel_shape has %d entries, wants %d", len(w.kernel), spatial)
	}
	for _, k := range w.kernel {
		if k.Known() && (k.Size < 1 || k.Size > maxParam) {
			return fmt.Errorf("kernel size %d is not possible", k.Size)
		}
	}
	switch w.autoPad {
	case "", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER":
		return nil
	}
	return fmt.Errorf("auto_pad %q is not known", w.autoPad)
}

func checkList(name string, v []int64, want int, low int64) error {
	if len(v) != want {
		return fmt.Errorf("%s has %d entries, wants %d", name, len(v), want)
	}
	for _, e := range v {
		if e < low || e > maxParam {
			return fmt.Errorf("%s %v: %d is not possible", name, v, e)
		}
	}
	return nil
}

// slide gives the number of places of the window along spatial axis i of size in.
func (w *window) slide(i int, in onnx.Dim) (onnx.Dim, error) {
	stride := w.strides[i]
	if w.autoPad == "SAME_UPPER" || w.autoPad == "SAME_LOWER" {
		switch {
		case stride == 1:
			return in, nil
		case !in.Known():
			return onnx.UnknownDim, nil
		}
		return size((in.Size + stride - 1) / stride), nil
	}
	var before, after int64
	if w.autoPad != "VALID" {
		before, after = w.pads[i], w.pads[i+len(w.kernel)]
	}
	if !w.kernel[i].Known() {
		return onnx.UnknownDim, nil
	}
	reach := w.dilations[i]*(w.kernel[i].Size-1) + 1
	if !in.Known() {
		room := shiftedDim(in, before+after-reach)
		if w.ceil && quotientDim(room, size(stride)) == onnx.UnknownDim {
			return onnx.UnknownDim, nil
		}
		return shiftedDim(floorDim(room, stride), 1), nil
	}
	room := in.Size + before + after - reach
	if room < 0 {
		return size(0), fmt.Errorf("window of %d does not fit axis %d of size %d with pads %d and %d", reach, i+2, in.Size, before, after)
	}
	out := room/stride + 1
	if w.ceil && room%stride != 0 && out*stride < in.Size+before { // the last window must start before the end padding
		out++
	}
	return size(out), nil
}

// slideAll gives the output's spatial axes for an input's.
func (w *window) slideAll(in []onnx.Dim) ([]onnx.Dim, error) {
	out := make([]onnx.Dim, len(in))
	for i, d := range in {
		o, err := w.slide(i, d)
		if err != nil {
			return nil, err
		}
		out[i] = o
	}
	return out, nil
}
