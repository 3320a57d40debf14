package op

import (
	"fmt"

	"graft/onnx"
)

var tapered = accepted{{17, setOf(onnx.Int32, onnx.Int64)}}

// Tapers of signals and the filter bank that goes with their spectra.
var taper = []Schema{
	row("BlackmanWindow", 17, 1, 1, tapered, inferTaper, "output_datatype", "periodic"),
	row("HammingWindow", 17, 1, 1, tapered, inferTaper, "output_datatype", "periodic"),
	row("HannWindow", 17, 1, 1, tapered, inferTaper, "output_datatype", "periodic"),
	row("MelWeightMatrix", 17, 5, 5, tapered, inferMelWeights, "output_datatype"),
}

// dimOf is the dimension that a scalar operand gives; unknown where it is not known.
func dimOf(n *onnx.Node, i int, what string) (onnx.Dim, error) {
	if s := shapeOf(n, i); s.Ranked() && len(s) > 0 && !(len(s) == 1 && (s[0] == size(1) || !s[0].Known())) {
		return onnx.UnknownDim, fmt.Errorf("%s has shape %v, wants a scalar", what, s)
	}
	e, _, ok := scalarElement(n.Input(i))
	if !ok {
		return onnx.UnknownDim, nil
	}
	if e.known && (e.i < 0 || e.i > maxSize) {
		return onnx.UnknownDim, fmt.Errorf("%s %d is not possible", what, e.i)
	}
	return e.dim(), nil
}

// inferTaper: a vector of the size that the operand says.
func inferTaper(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := typeAttr(n, "output_datatype", onnx.Float, floats|bfloat|integers)
	if err != nil {
		return nil, err
	}
	length, err := dimOf(n, 0, "size")
	return one(d, onnx.Shape{length}), err
}

// inferMelWeights: [dft_length/2 + 1, num_mel_bins].
func inferMelWeights(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := typeAttr(n, "output_datatype", onnx.Float, floats|bfloat|integers)
	if err != nil {
		return nil, err
	}
	bins, err := dimOf(n, 0, "num_mel_bins")
	if err != nil {
		return nil, err
	}
	spectrum, err := dimOf(n, 1, "dft_length")
	if err != nil {
		return nil, err
	}
	if spectrum.Known() {
		spectrum = size(spectrum.Size/2 + 1)
	} else {
		spectrum = onnx.UnknownDim
	}
	return one(d, onnx.Shape{spectrum, bins}), nil
}
