package op

import (
	"encoding/binary"
	"fmt"
	"math"

	"graft/onnx"
)

// ScalarTensor is a tensor of rank 0 that holds v. Integer types refuse a v that they cannot hold exactly; floating-point
// types round to nearest, ties to even.
func ScalarTensor(d onnx.DataType, v float64) (*onnx.Tensor, error) {
	if d == onnx.Bool {
		if v != 0 && v != 1 {
			return nil, fmt.Errorf("bool cannot hold %v", v)
		}
		return onnx.Scalar(v == 1), nil
	}
	if lo, hi, ok := integerRange(d); ok {
		if v != math.Trunc(v) || v < lo || v >= hi {
			return nil, fmt.Errorf("%v cannot hold %v", d, v)
		}
		t := onnx.NewTensor(d)
		var buf [8]byte
		if v < 0 {
			binary.LittleEndian.PutUint64(buf[:], uint64(int64(v)))
		} else {
			binary.LittleEndian.PutUint64(buf[:], uint64(v))
		}
		copy(t.Data, buf[:])
		return t, nil
	}
	if !d.IsFloat() {
		return nil, fmt.Errorf("no scalar of type %v", d)
	}
	t := onnx.NewTensor(d)
	SetFloats(t, []float64{v})
	return t, nil
}

// SetFloats makes values, rounded, the elements of a tensor of a floating-point type of 16 bits or more; any other type is a programming
// error and panics.
func SetFloats[T float32 | float64](t *onnx.Tensor, values []T) {
	switch t.DType {
	case onnx.Double:
		to := onnx.View[float64](t)
		for i, v := range values {
			to[i] = float64(v)
		}
	case onnx.Float16:
		to := onnx.View[uint16](t)
		for i, v := range values {
			to[i] = narrow(float64(v), 10, 15)
		}
	case onnx.BFloat16:
		to := onnx.View[uint16](t)
		for i, v := range values {
			to[i] = narrow(float64(v), 7, 127)
		}
	default:
		to := onnx.View[float32](t)
		for i, v := range values {
			to[i] = float32(v)
		}
	}
}

// integerRange gives the half-open range of an integer type of at least a byte.
func integerRange(d onnx.DataType) (lo, hi float64, ok bool) {
	bits := d.Bits()
	switch d {
	case onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64:
		return -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1), true
	case onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64:
		return 0, math.Ldexp(1, bits), true
	}
	return 0, 0, false
}

// narrow rounds v to a 16-bit floating-point format with that many mantissa bits and that exponent bias.
func narrow(v float64, mantissa, bias int) uint16 {
	sign := uint16(0)
	if math.Signbit(v) {
		sign, v = 0x8000, -v
	}
	expMax := 2*bias + 1
	inf := uint16(expMax) << mantissa
	switch {
	case math.IsNaN(v):
		return sign | inf | 1<<(mantissa-1)
	case math.IsInf(v, 0):
		return sign | inf
	case v == 0:
		return sign
	}
	_, e := math.Frexp(v) // v = f * 2^e, f in [0.5,1)
	e--
	e = max(e, 1-bias) // subnormals share the smallest exponent
	q := math.RoundToEven(math.Ldexp(v, mantissa-e))
	// q counts units of 2^(e-mantissa): adding it to the exponent field carries into it by itself.
	bitsOf := int64(q) + int64(e+bias-1)<<mantissa
	if bitsOf >= int64(inf) {
		return sign | inf
	}
	return sign | uint16(bitsOf)
}
