package op

import "graft/onnx"

// typeSet is a set of element types, a bit each.
type typeSet uint64

func setOf(types ...onnx.DataType) typeSet {
	var s typeSet
	for _, d := range types {
		s |= 1 << d
	}
	return s
}

func (s typeSet) has(d onnx.DataType) bool { return d >= 0 && d < 64 && s>>d&1 == 1 }

// Groups of element types as the standard's type constraints have them.
var (
	floats   = setOf(onnx.Float16, onnx.Float, onnx.Double)
	bfloat   = setOf(onnx.BFloat16)
	bytes    = setOf(onnx.Int8, onnx.Uint8)
	signed   = setOf(onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64)
	unsigned = setOf(onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64)
	integers = signed | unsigned
	wide     = setOf(onnx.Int32, onnx.Int64, onnx.Uint32, onnx.Uint64)
	boolean  = setOf(onnx.Bool)
	text     = setOf(onnx.String)
	float8   = setOf(onnx.Float8E4M3FN, onnx.Float8E4M3FNUZ, onnx.Float8E5M2, onnx.Float8E5M2FNUZ)
	int4     = setOf(onnx.Int4, onnx.Uint4)
	float4   = setOf(onnx.Float4E2M1)
	exponent = setOf(onnx.Float8E8M0)
	int2     = setOf(onnx.Int2, onnx.Uint2)
	anything = floats | integers | boolean | text | setOf(onnx.Complex64, onnx.Complex128)
)

// accepted says since which opset an operator takes which element types. The first entry that has a type counts.
type accepted []struct {
	since int64
	types typeSet
}

// since is the lowest opset that takes d; ok is false when none does.
func (a accepted) since(d onnx.DataType) (opset int64, ok bool) {
	for _, e := range a {
		if e.types.has(d) {
			return e.since, true
		}
	}
	return 0, false
}

// The histories of element types that operators have in common: the number is the opset that brought bfloat16, which
// came last to most of them.
var (
	floats13   = accepted{{7, floats}, {13, bfloat}}
	floats16   = accepted{{7, floats}, {16, bfloat}}
	floats22   = accepted{{7, floats}, {22, bfloat}}
	numbers13  = accepted{{7, floats | integers}, {13, bfloat}}
	wide13     = accepted{{7, floats | wide}, {13, bfloat}}
	anything13 = accepted{{7, anything}, {13, bfloat}}
	// Operators that pass data on took the narrow types one after the other.
	narrow19 = accepted{{7, anything}, {13, bfloat}, {19, float8}, {21, int4}, {23, float4}, {24, exponent}, {25, int2}}
	narrow21 = accepted{{7, anything}, {13, bfloat}, {21, float8 | int4}, {23, float4}, {24, exponent}, {25, int2}}

	arithmetic = accepted{{7, floats | wide}, {13, bfloat}, {14, integers}}
	extremum   = accepted{{8, floats}, {12, integers}, {13, bfloat}}
	product9   = accepted{{7, floats}, {9, wide}, {13, bfloat}}
	booleans   = accepted{{7, boolean}}
)
