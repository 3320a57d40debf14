package precision

import (
	"math"

	"graft/onnx"
)

// Round gives t's elements in another floating-point type, rounded to nearest, ties to even; what is beyond the type's range
// becomes infinite. t is a float, float16 or bfloat16 tensor.
func Round(t *onnx.Tensor, to onnx.DataType) *onnx.Tensor {
	if t.DType == to {
		return t
	}
	out := onnx.NewTensor(to, t.Dims...)
	out.Name = t.Name
	var wide []float32
	if t.DType == onnx.Float {
		wide = onnx.Read[float32](t)
	} else {
		values, _ := t.Reals() // exact: each is a float32
		wide = make([]float32, len(values))
		for i, v := range values {
			wide[i] = float32(v)
		}
	}
	switch to {
	case onnx.Float16:
		bits := onnx.View[uint16](out)
		for i, v := range wide {
			bits[i] = half(v)
		}
	case onnx.BFloat16:
		bits := onnx.View[uint16](out)
		for i, v := range wide {
			bits[i] = brain(v)
		}
	default:
		copy(out.Float32s(), wide)
	}
	return out
}

// half is the IEEE binary16 pattern nearest to v.
func half(v float32) uint16 {
	bits := math.Float32bits(v)
	sign, magnitude := uint16(bits>>16&0x8000), bits&0x7fffffff
	switch {
	case magnitude > 0x7f800000: // NaN
		return sign | 0x7e00
	case magnitude >= 0x477ff000: // from 65520 on
		return sign | 0x7c00
	case magnitude < 0x33000000: // below half of the smallest subnormal
		return sign
	case magnitude < 0x38800000: // subnormal: units of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(magnitude))*(1<<24)))
	}
	rebiased := magnitude - 112<<23 // exponent bias 127 to 15
	return sign | uint16((rebiased+0xfff+(rebiased>>13&1))>>13)
}

// brain is the bfloat16 pattern nearest to v.
func brain(v float32) uint16 {
	bits := math.Float32bits(v)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40
	}
	return uint16((bits + 0x7fff + (bits >> 16 & 1)) >> 16)
}

// Largest is the largest finite number of a floating-point type of 16 or 32 bits.
func Largest(d onnx.DataType) float64 {
	switch d {
	case onnx.Float16:
		return 65504
	case onnx.BFloat16:
		return float64(math.Float32frombits(0x7f7f0000))
	}
	return math.MaxFloat32
}

// Fits says why a float32 tensor does not survive rounding to a type: "" when it does. Infinite elements do.
func Fits(t *onnx.Tensor, to onnx.DataType) string {
	largest, some := float32(0), false
	for _, v := range onnx.Read[float32](t) {
		if v < 0 {
			v = -v
		}
		if v > largest && !math.IsInf(float64(v), 0) {
			largest, some = v, true
		}
	}
	if !some {
		return ""
	}
	rounded := Round(onnx.FromSlice([]float32{largest}), to)
	near, _ := rounded.Reals()
	switch {
	case math.IsInf(near[0], 0):
		return "overflows"
	case math.Abs(near[0]-float64(largest)) > float64(largest)/64:
		return "underflows"
	}
	return ""
}
