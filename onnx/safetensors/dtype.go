package safetensors

import "graft/onnx"

// dtypes are the element types that both the format and ONNX have.
var dtypes = map[string]onnx.DataType{
	"BOOL": onnx.Bool, "U8": onnx.Uint8, "I8": onnx.Int8, "U16": onnx.Uint16, "I16": onnx.Int16,
	"U32": onnx.Uint32, "I32": onnx.Int32, "U64": onnx.Uint64, "I64": onnx.Int64,
	"F16": onnx.Float16, "BF16": onnx.BFloat16, "F32": onnx.Float, "F64": onnx.Double, "C64": onnx.Complex64,
	"F8_E4M3": onnx.Float8E4M3FN, "F8_E5M2": onnx.Float8E5M2, "F8_E8M0": onnx.Float8E8M0,
	"F8_E4M3FNUZ": onnx.Float8E4M3FNUZ, "F8_E5M2FNUZ": onnx.Float8E5M2FNUZ, "F4": onnx.Float4E2M1,
}

// names is the inverse of dtypes.
var names = func() map[onnx.DataType]string {
	m := make(map[onnx.DataType]string, len(dtypes))
	for s, d := range dtypes {
		m[d] = s
	}
	return m
}()
