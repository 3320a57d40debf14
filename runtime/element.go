package runtime

import "graft/onnx"

// toElement is ONNX Runtime's number of an element type. It numbers them as ONNX does, except the last three.
func toElement(d onnx.DataType) int {
	switch d {
	case onnx.Uint2:
		return 24
	case onnx.Int2:
		return 25
	case onnx.Float8E8M0:
		return 26
	}
	return int(d)
}

// fromElement is the inverse of toElement; Undefined for a number that this package does not know.
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
