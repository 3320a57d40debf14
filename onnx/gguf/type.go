package gguf

import (
	"fmt"

	"graft/onnx"
)

// Type is a tensor's type, by its number in the file.
type Type uint32

// format describes a type: block elements take bytes bytes. decode turns whole blocks into float32; where dtype is given the
// elements are ONNX's and are copied. A type with neither is known by size alone.
type format struct {
	name         string
	block, bytes int64
	dtype        onnx.DataType
	decode       func(dst []float32, src []byte)
}

// formats are the types by number. Numbers 4, 5, 31 to 33 and 36 to 38 were taken out of the format.
var formats = map[Type]format{
	0: {name: "F32", block: 1, bytes: 4, dtype: onnx.Float}, 1: {name: "F16", block: 1, bytes: 2, dtype: onnx.Float16},
	30: {name: "BF16", block: 1, bytes: 2, dtype: onnx.BFloat16}, 28: {name: "F64", block: 1, bytes: 8, dtype: onnx.Double},
	24: {name: "I8", block: 1, bytes: 1, dtype: onnx.Int8}, 25: {name: "I16", block: 1, bytes: 2, dtype: onnx.Int16},
	26: {name: "I32", block: 1, bytes: 4, dtype: onnx.Int32}, 27: {name: "I64", block: 1, bytes: 8, dtype: onnx.Int64},

	2: {name: "Q4_0", block: 32, bytes: 18, decode: decodeQ40}, 3: {name: "Q4_1", block: 32, bytes: 20, decode: decodeQ41},
	6: {name: "Q5_0", block: 32, bytes: 22, decode: decodeQ50}, 7: {name: "Q5_1", block: 32, bytes: 24, decode: decodeQ51},
	8: {name: "Q8_0", block: 32, bytes: 34, decode: decodeQ80},

	10: {name: "Q2_K", block: 256, bytes: 84, decode: decodeQ2K}, 11: {name: "Q3_K", block: 256, bytes: 110, decode: decodeQ3K},
	12: {name: "Q4_K", block: 256, bytes: 144, decode: decodeQ4K}, 13: {name: "Q5_K", block: 256, bytes: 176, decode: decodeQ5K},
	14: {name: "Q6_K", block: 256, bytes: 210, decode: decodeQ6K},

	9: {name: "Q8_1", block: 32, bytes: 40}, 15: {name: "Q8_K", block: 256, bytes: 292},
	16: {name: "IQ2_XXS", block: 256, bytes: 66}, 17: {name: "IQ2_XS", block: 256, bytes: 74},
	18: {name: "IQ3_XXS", block: 256, bytes: 98}, 19: {name: "IQ1_S", block: 256, bytes: 50},
	20: {name: "IQ4_NL", block: 32, bytes: 18}, 21: {name: "IQ3_S", block: 256, bytes: 110},
	22: {name: "IQ2_S", block: 256, bytes: 82}, 23: {name: "IQ4_XS", block: 256, bytes: 136},
	29: {name: "IQ1_M", block: 256, bytes: 56}, 34: {name: "TQ1_0", block: 256, bytes: 54},
	35: {name: "TQ2_0", block: 256, bytes: 66}, 39: {name: "MXFP4", block: 32, bytes: 17},
	40: {name: "NVFP4", block: 64, bytes: 36},
}

func (t Type) format() (format, bool) {
	f, ok := formats[t]
	return f, ok
}

// String is the type's name in llama.cpp: "Q4_K".
func (t Type) String() string {
	if f, ok := formats[t]; ok {
		return f.name
	}
	return fmt.Sprintf("type(%d)", uint32(t))
}

// DType is the element type of the tensor that is read, Undefined where the type cannot be.
func (t Type) DType() onnx.DataType {
	f := formats[t]
	if f.decode != nil {
		return onnx.Float
	}
	return f.dtype
}
