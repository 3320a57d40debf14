package gguf

import (
	"encoding/binary"
	"math"
)

func encodeF32(dst []byte, x []float32) []byte {
	for _, v := range x {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
	}
	return dst
}

func encodeF16(dst []byte, x []float32) []byte {
	for _, v := range x {
		dst = binary.LittleEndian.AppendUint16(dst, toHalf(v))
	}
	return dst
}

// q = round(x / d), d = max|x| / 127 in 32 elements; d is stored in float16, and divided by as it was before.
func encodeQ80(dst []byte, x []float32) []byte {
	for ; len(x) >= 32; x = x[32:] {
		most := float32(0)
		for _, v := range x[:32] {
			most = max(most, float32(math.Abs(float64(v))))
		}
		d, inverse := most/127, float32(0)
		if d > 0 {
			inverse = 1 / d
		}
		dst = binary.LittleEndian.AppendUint16(dst, toHalf(d))
		for _, v := range x[:32] {
			dst = append(dst, byte(int8(math.Round(float64(v*inverse)))))
		}
	}
	return dst
}

// toHalf is the nearest IEEE binary16, ties to even.
func toHalf(v float32) uint16 {
	b := math.Float32bits(v)
	sign, rest := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case rest > 0x7f800000: // not a number
		return sign | 0x7e00
	case rest >= 0x477ff000: // 65520 and more: infinite
		return sign | 0x7c00
	case rest < 0x38800000: // below 2^-14: subnormal, a multiple of 2^-24
		return sign | uint16(math.RoundToEven(math.Ldexp(float64(math.Float32frombits(rest)), 24)))
	}
	rest += 0xfff + rest>>13&1
	return sign | uint16((rest-0x38000000)>>13)
}
