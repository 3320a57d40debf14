//go:build cgo

package runtime

import "graft/onnx"

// toElement is the number of an element type when a value is made: ONNX's own. The C API's header numbers the last three
// types otherwise, but ONNX Runtime 1.28 reads what it is given as ONNX's number; TestElementTypes tells when that ends.
func toElement(d onnx.DataType) int { return int(d) }

// fromElement is the element type of a number that ONNX Runtime gives, which is the header's; Undefined when it is not known.
func fromElement(n int) onnx.DataType {
	switch n {
	case 24:
		return onnx.Uint2
	case 25:
		return onnx.Int2
	case 26:
		return onnx.Float8E8M0
	}
	if d := onnx.DataType(n); d.Valid() {
		return d
	}
	return onnx.Undefined
}
