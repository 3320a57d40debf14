package onnxtest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"graft/onnx"
)

// Close fails unless got and want have the same type and dims and every element of got is within atol + rtol*|want| of
// want's. NaN equals NaN, infinities equal themselves; types that are not numbers must agree exactly. The worst element is
// named.
func Close(t testing.TB, got, want *onnx.Tensor, atol, rtol float64) {
	t.Helper()
	if err := Compare(got, want, atol, rtol); err != nil {
		t.Error(err)
	}
}

// Compare is Close as an error.
func Compare(got, want *onnx.Tensor, atol, rtol float64) error {
	switch {
	case got == nil || want == nil:
		if got == want {
			return nil
		}
		return fmt.Errorf("one of the tensors is nil: got %v, want %v", got, want)
	case got.DType != want.DType || !slices.Equal(got.Dims, want.Dims):
		return fmt.Errorf("tensor %q is %v %v, want %v %v", want.Name, got.DType, got.Dims, want.DType, want.Dims)
	}
	if err := got.Check(); err != nil {
		return err
	}
	if err := want.Check(); err != nil {
		return err
	}
	if want.DType == onnx.String {
		for i := range want.Strings {
			if got.Strings[i] != want.Strings[i] {
				return fmt.Errorf("tensor %q: element %s is %q, want %q", want.Name, index(i, want.Dims), got.Strings[i], want.Strings[i])
			}
		}
		return nil
	}
	a, ok := numbers(got)
	b, _ := numbers(want)
	if !ok {
		if !bytes.Equal(got.Data, want.Data) {
			return fmt.Errorf("tensor %q: the data differs", want.Name)
		}
		return nil
	}
	worst, at, differing := -1.0, 0, 0
	for i := range b {
		excess := math.Abs(a[i]-b[i]) - (atol + rtol*math.Abs(b[i]))
		switch {
		case a[i] == b[i] || (math.IsNaN(a[i]) && math.IsNaN(b[i])) || excess <= 0:
			continue
		case math.IsNaN(excess):
			excess = math.Inf(1)
		}
		differing++
		if excess > worst {
			worst, at = excess, i
		}
	}
	if differing > 0 {
		return fmt.Errorf("tensor %q: element %s is %v, want %v (atol %g, rtol %g); %d of %d elements differ",
			want.Name, index(at, want.Dims), a[at], b[at], atol, rtol, differing, len(b))
	}
	return nil
}

// index is where the i-th element of a tensor is: "[0 2 1]".
func index(i int, dims []int64) string {
	at := make([]int64, len(dims))
	rest := int64(i)
	for k := len(dims) - 1; k >= 0; k-- {
		at[k] = rest % dims[k]
		rest /= dims[k]
	}
	return fmt.Sprint(at)
}

// numbers are the elements as float64; ok is false for types whose elements must agree to the bit: 64-bit integers, which
// float64 does not hold, complex numbers and narrow types.
func numbers(t *onnx.Tensor) (values []float64, ok bool) {
	switch t.DType {
	case onnx.Float:
		return widen(onnx.View[float32](t)), true
	case onnx.Double:
		return onnx.View[float64](t), true
	case onnx.Int8:
		return widen(onnx.View[int8](t)), true
	case onnx.Int16:
		return widen(onnx.View[int16](t)), true
	case onnx.Int32:
		return widen(onnx.View[int32](t)), true
	case onnx.Uint8, onnx.Bool:
		return widen(onnx.View[uint8](t)), true
	case onnx.Uint16:
		return widen(onnx.View[uint16](t)), true
	case onnx.Uint32:
		return widen(onnx.View[uint32](t)), true
	case onnx.Float16:
		return each(onnx.View[uint16](t), half), true
	case onnx.BFloat16:
		return each(onnx.View[uint16](t), func(b uint16) float64 { return float64(math.Float32frombits(uint32(b) << 16)) }), true
	}
	return nil, false
}

func widen[T float32 | int8 | int16 | int32 | uint8 | uint16 | uint32](in []T) []float64 {
	return each(in, func(v T) float64 { return float64(v) })
}

func each[T any](in []T, f func(T) float64) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// half is the value of a binary16.
func half(b uint16) float64 {
	sign, exponent, fraction := 1.0, int(b>>10)&31, float64(b&1023)
	if b>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
