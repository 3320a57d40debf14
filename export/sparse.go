package export

import (
	"graft/onnx"
)

// bytesPerNonzero is what one stored element costs: a float32 value and an int64 index.
const bytesPerNonzero = 12

// sparseOverhead is about what the second tensor and its fields cost.
const sparseOverhead = 48

// storeSparse turns float initializers into sparse ones, with linear indices in ascending order, where that takes fewer
// bytes. A tensor of zeros alone stays dense: some readers do not take an empty index list.
func storeSparse(g *onnx.Graph) error {
	for _, v := range g.Initializers() {
		if v.Const == nil || v.Const.DType != onnx.Float || g.IsInput(v) {
			continue
		}
		data := onnx.Read[float32](v.Const)
		nonzero := 0
		for _, x := range data {
			if x != 0 {
				nonzero++
			}
		}
		if nonzero == 0 || nonzero*bytesPerNonzero+sparseOverhead >= 4*len(data) {
			continue
		}
		values := onnx.NewTensor(onnx.Float, int64(nonzero))
		indices := onnx.NewTensor(onnx.Int64, int64(nonzero))
		at := 0
		for i, x := range data {
			if x != 0 {
				values.Float32s()[at], indices.Int64s()[at] = x, int64(i)
				at++
			}
		}
		values.Name = v.Name
		v.Sparse = &onnx.SparseTensor{Values: values, Indices: indices, Dims: v.Const.Dims}
		v.Const = nil
	}
	return nil
}
