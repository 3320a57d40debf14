package onnx

import "fmt"

// DataType is an element type, with the numbers of TensorProto.DataType in the ONNX standard.
type DataType int32

// The element types of the standard.
const (
	Undefined      DataType = 0
	Float          DataType = 1
	Uint8          DataType = 2
	Int8           DataType = 3
	Uint16         DataType = 4
	Int16          DataType = 5
	Int32          DataType = 6
	Int64          DataType = 7
	String         DataType = 8
	Bool           DataType = 9
	Float16        DataType = 10
	Double         DataType = 11
	Uint32         DataType = 12
	Uint64         DataType = 13
	Complex64      DataType = 14
	Complex128     DataType = 15
	BFloat16       DataType = 16
	Float8E4M3FN   DataType = 17
	Float8E4M3FNUZ DataType = 18
	Float8E5M2     DataType = 19
	Float8E5M2FNUZ DataType = 20
	Uint4          DataType = 21
	Int4           DataType = 22
	Float4E2M1     DataType = 23
	Float8E8M0     DataType = 24
	Uint2          DataType = 25
	Int2           DataType = 26
)

// dataTypes holds, for each element type, its name in the textual syntax and its width in bits (0: no fixed width).
var dataTypes = [...]struct {
	name string
	bits int
}{
	Undefined: {"undefined", 0}, Float: {"float", 32}, Uint8: {"uint8", 8}, Int8: {"int8", 8},
	Uint16: {"uint16", 16}, Int16: {"int16", 16}, Int32: {"int32", 32}, Int64: {"int64", 64},
	String: {"string", 0}, Bool: {"bool", 8}, Float16: {"float16", 16}, Double: {"double", 64},
	Uint32: {"uint32", 32}, Uint64: {"uint64", 64}, Complex64: {"complex64", 64}, Complex128: {"complex128", 128},
	BFloat16: {"bfloat16", 16}, Float8E4M3FN: {"float8e4m3fn", 8}, Float8E4M3FNUZ: {"float8e4m3fnuz", 8},
	Float8E5M2: {"float8e5m2", 8}, Float8E5M2FNUZ: {"float8e5m2fnuz", 8}, Uint4: {"uint4", 4}, Int4: {"int4", 4},
	Float4E2M1: {"float4e2m1", 4}, Float8E8M0: {"float8e8m0", 8}, Uint2: {"uint2", 2}, Int2: {"int2", 2},
}

// Valid reports whether d is an element type of the standard.
func (d DataType) Valid() bool { return d > Undefined && int(d) < len(dataTypes) }

// Bits is the width of one element, 0 for strings and for types outside the standard. Types narrower than a byte are packed.
func (d DataType) Bits() int {
	if d < 0 || int(d) >= len(dataTypes) {
		return 0
	}
	return dataTypes[d].bits
}

// IsFloat reports whether d is a floating-point type of 16 bits or more.
func (d DataType) IsFloat() bool {
	return d == Float || d == Double || d == Float16 || d == BFloat16
}

// String is the type's name in ONNX's textual syntax: "float", "int64", "bfloat16".
func (d DataType) String() string {
	if d < 0 || int(d) >= len(dataTypes) {
		return fmt.Sprintf("dtype(%d)", int32(d))
	}
	return dataTypes[d].name
}

// ParseDataType is the inverse of DataType.String; it also takes NumPy's names "float32" and "float64".
func ParseDataType(s string) (DataType, bool) {
	switch s {
	case "float32":
		return Float, true
	case "float64":
		return Double, true
	}
	for i := range dataTypes {
		if dataTypes[i].name == s && i > 0 {
			return DataType(i), true
		}
	}
	return Undefined, false
}
