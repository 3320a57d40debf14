package op

import (
	"fmt"

	"graft/onnx"
)

// Spectra of signals.
var signal = []Schema{
	row("DFT", 20, 1, 3, accepted{{17, floats | bfloat}}, inferDFT, "axis", "inverse", "onesided").lowest(dftLowest),
	row("STFT", 17, 2, 4, accepted{{17, floats | bfloat}}, inferSTFT, "onesided"),
}

// DFT is the discrete Fourier transform of x [..., n, 1 or 2] along an axis, of dft_length points: the second last axis is
// the usual one. inverse divides by the number of points.
func (b *Builder) DFT(x *onnx.Value, axis int64, points *onnx.Value, inverse, onesided bool) *onnx.Value {
	attrs := []onnx.Attr{onnx.Int("inverse", 0), onnx.Int("onesided", 0)}
	if inverse {
		attrs[0] = onnx.Int("inverse", 1)
	}
	if onesided {
		attrs[1] = onnx.Int("onesided", 1)
	}
	at := onnx.NewTensor(onnx.Int64)
	at.Int64s()[0] = axis
	return b.node("DFT", []*onnx.Value{x, points, b.Const(at)}, attrs...)
}

// dftLowest: the axis is an input since 20; before, an attribute, whose default is the second axis.
func dftLowest(n *onnx.Node) int64 {
	if _, older := n.Attr("axis"); older {
		return 17
	}
	return 20
}

// inferDFT: x [..., n, 1 or 2] to [..., points, 2]; half of the points and one when one-sided; 1 for the inverse of half a
// spectrum.
func inferDFT(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	onesided, inverse := onnx.AttrOr(n, "onesided", int64(0)) != 0, onnx.AttrOr(n, "inverse", int64(0)) != 0
	if !x.Ranked() {
		return one(d, nil), nil
	}
	if len(x) < 2 {
		return nil, fmt.Errorf("input has rank %d, wants at least 2", len(x))
	}
	if last := x[len(x)-1]; last.Known() && last.Size != 1 && last.Size != 2 {
		return nil, fmt.Errorf("the last axis has %d elements, wants 1 (real) or 2 (complex)", last.Size)
	}
	s := x.Clone()
	s[len(s)-1] = size(2)
	if onesided && inverse {
		s[len(s)-1] = size(1)
	}
	axis := int64(-2)
	if n.Input(2) != nil {
		e, _, ok := scalarElement(n.Input(2))
		if !ok || !e.known {
			return one(d, append(unknownShape(len(x)-1), s[len(s)-1])), nil
		}
		axis = e.i
	}
	axis = onnx.AttrOr(n, "axis", axis)
	at, err := axisOf(axis, len(x))
	if err != nil {
		return nil, err
	}
	if at == len(x)-1 {
		return nil, fmt.Errorf("axis %d is the one of real and imaginary parts", axis)
	}
	if n.Input(1) != nil {
		if s[at], err = dimOf(n, 1, "dft_length"); err != nil {
			return nil, err
		}
	} else if onesided && inverse {
		s[at] = onnx.UnknownDim
		if x[at].Known() {
			s[at] = size(max(0, 2*(x[at].Size-1)))
		}
	}
	if onesided && !inverse {
		if s[at].Known() {
			s[at] = size(s[at].Size/2 + 1)
		} else {
			s[at] = onnx.UnknownDim
		}
	}
	return one(d, s), nil
}

// inferSTFT: a signal [N, L, 1 or 2] to the spectra of its frames [N, frames, bins, 2].
func inferSTFT(n *onnx.Node) ([]onnx.TensorType, error) {
	d, x := dtypeOf(n, 0), shapeOf(n, 0)
	s := onnx.Shape{onnx.UnknownDim, onnx.UnknownDim, onnx.UnknownDim, size(2)}
	if !x.Ranked() {
		return one(d, s), nil
	}
	if len(x) != 3 {
		return nil, fmt.Errorf("signal has rank %d, wants 3", len(x))
	}
	s[0] = x[0]
	length := onnx.UnknownDim
	switch w := shapeOf(n, 2); {
	case n.Input(3) != nil:
		var err error
		if length, err = dimOf(n, 3, "frame_length"); err != nil {
			return nil, err
		}
	case w.Ranked() && len(w) == 1:
		length = w[0]
	}
	if !length.Known() || length.Size < 1 {
		return one(d, s), nil
	}
	s[2] = length
	if onnx.AttrOr(n, "onesided", int64(1)) != 0 {
		s[2] = size(length.Size/2 + 1)
	}
	if e, _, ok := scalarElement(n.Input(1)); ok && e.known && x[1].Known() {
		if e.i < 1 {
			return nil, fmt.Errorf("frame_step %d is not possible", e.i)
		}
		s[1] = size(max(0, (x[1].Size-length.Size)/e.i+1))
	}
	return one(d, s), nil
}
