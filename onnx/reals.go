package onnx

import (
	"math"
	"slices"
)

// Reals gives t's elements as float64, a copy; ok is false for types that are no numbers of a byte or wider, and for 8-bit
// floats. 64-bit integers beyond 2^53 are rounded.
func (t *Tensor) Reals() (out []float64, ok bool) {
	switch t.DType {
	case Float:
		return widened(Read[float32](t)), true
	case Double:
		return slices.Clone(Read[float64](t)), true
	case Int8:
		return widened(Read[int8](t)), true
	case Int16:
		return widened(Read[int16](t)), true
	case Int32:
		return widened(Read[int32](t)), true
	case Int64:
		return widened(Read[int64](t)), true
	case Uint8:
		return widened(Read[uint8](t)), true
	case Uint16:
		return widened(Read[uint16](t)), true
	case Uint32:
		return widened(Read[uint32](t)), true
	case Uint64:
		return widened(Read[uint64](t)), true
	case Bool:
		for _, b := range t.Data {
			out = append(out, float64(b))
		}
		return out, true
	case Float16, BFloat16:
		for _, bits := range Read[uint16](t) {
			if t.DType == BFloat16 {
				out = append(out, float64(math.Float32frombits(uint32(bits)<<16)))
			} else {
				out = append(out, half(bits))
			}
		}
		return out, true
	}
	return nil, false
}

func widened[T float32 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](values []T) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// half is the number of an IEEE binary16 pattern.
func half(bits uint16) float64 {
	exponent, fraction := int(bits>>10&0x1f), float64(bits&0x3ff)
	x := math.Ldexp(fraction, -24)
	switch exponent {
	case 0:
	case 0x1f:
		x = math.Inf(1)
		if fraction != 0 {
			return math.NaN()
		}
	default:
		x = math.Ldexp(1024+fraction, exponent-25)
	}
	if bits>>15 == 1 {
		x = -x
	}
	return x
}
