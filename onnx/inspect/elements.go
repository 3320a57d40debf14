package inspect

import (
	"encoding/binary"

	"graft/onnx"
	"graft/onnx/op"
)

// elements counts a float initializer; ok is false for any other.
func elements(v *onnx.Value) (total, nonzero int64, ok bool) {
	switch {
	case v.Const != nil && v.Const.DType.IsFloat():
		return v.Const.Len(), Nonzero(v.Const), true
	case v.Sparse != nil && v.Sparse.Values.DType.IsFloat():
		total, err := onnx.ElementCount(v.Sparse.Dims)
		if err != nil {
			return 0, 0, false
		}
		return total, Nonzero(v.Sparse.Values), true
	}
	return 0, 0, false
}

// constantWeight counts a float Constant or ConstantOfShape node that feeds the weight input of reader; reader is nil for
// any other node.
func constantWeight(n *onnx.Node) (total, nonzero int64, reader *onnx.Node) {
	y := n.Output(0)
	if y == nil || !n.Is("Constant") && !n.Is("ConstantOfShape") {
		return 0, 0, nil
	}
	reader, i := op.Consumer(y)
	if reader == nil || !op.IsWeightInput(reader, i) {
		return 0, 0, nil
	}
	if n.Is("Constant") {
		if t := op.ConstantOf(y); t != nil && t.DType.IsFloat() {
			return t.Len(), Nonzero(t), reader
		}
		return 0, 0, nil
	}
	sizes, ok := y.Type.Shape.Sizes()
	if !ok || !y.Type.DType.IsFloat() {
		return 0, 0, nil
	}
	total, err := onnx.ElementCount(sizes)
	if err != nil {
		return 0, 0, nil
	}
	if t := onnx.AttrOr[*onnx.Tensor](n, "value", nil); t != nil && Nonzero(t) > 0 {
		nonzero = total
	}
	return total, nonzero, reader
}

// Nonzero counts the elements of a float tensor that are neither +0 nor -0; 0 for other types.
func Nonzero(t *onnx.Tensor) (n int64) {
	switch t.DType {
	case onnx.Float:
		for _, x := range onnx.Read[float32](t) {
			if x != 0 {
				n++
			}
		}
	case onnx.Double:
		for _, x := range onnx.Read[float64](t) {
			if x != 0 {
				n++
			}
		}
	case onnx.Float16, onnx.BFloat16:
		for i := 0; i+1 < len(t.Data); i += 2 {
			if binary.LittleEndian.Uint16(t.Data[i:])&0x7fff != 0 {
				n++
			}
		}
	}
	return n
}
