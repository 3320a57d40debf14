package rewrite

import (
	"math"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// evaluated is how many elements constants that the runtime computes may read, make and multiply, whatever the file's size: about
// a second's work.
const evaluated = 1 << 31

// costly are operators whose work does not follow from the sizes of what they read and make.
var costly = map[string]bool{"Einsum": true, "LSTM": true, "GRU": true, "RNN": true, "Attention": true, "LinearAttention": true, "DFT": true,
	"STFT": true, "NonMaxSuppression": true, "RoiAlign": true, "MaxRoiPool": true, "Det": true, "LRN": true, "MaxPool": true, "AveragePool": true,
	"LpPool": true, "Resize": true, "Upsample": true, "TopK": true, "Unique": true, "StringNormalizer": true, "TfIdfVectorizer": true,
	"RegexFullMatch": true, "StringSplit": true}

// spend takes the bytes of a tensor off what folding may compute, which is twice what it may make: the other half goes to tensors
// that turn out to be there. False where it would be too many.
func (s *simplifier) spend(d onnx.DataType, dims []int64) bool {
	size := sizeOf(d, dims)
	if size > s.MaxBytes-s.made || size > 2*s.MaxBytes-s.computed {
		return false
	}
	s.computed += size
	return true
}

// sizeOf is the bytes of a tensor of possible dims.
func sizeOf(d onnx.DataType, dims []int64) int64 {
	if size, ok := limits.Bytes(dims, max(8, d.Bits())); ok {
		return size
	}
	return math.MaxInt64
}

// costOf counts the elements that a node of known shapes reads and makes, and its products; -1 where that says nothing.
func costOf(n *onnx.Node) int64 {
	if costly[n.Op] {
		return -1
	}
	total := int64(0)
	for _, list := range [][]*onnx.Value{n.Inputs(), n.Outputs()} {
		for _, v := range list {
			if v == nil {
				continue
			}
			shape := v.Type.Shape
			if t := op.ConstantOf(v); t != nil {
				shape = t.Type().Shape
			}
			dims, ok := shape.Sizes()
			count, err := onnx.ElementCount(dims)
			if total += count; !ok || err != nil || total < 0 {
				return -1
			}
		}
	}
	products, _, ok := op.MACs(n)
	switch {
	case !ok && (n.Op == "Conv" || n.Op == "ConvTranspose" || n.Op == "MatMul" || n.Op == "Gemm"), total+products < 0:
		return -1
	case ok:
		total += products
	}
	return total
}
