package gguf

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Blocks of 32 elements. d and m are the block's float16 scale and minimum. Element i of the first half lies in the low
// four bits of byte i, element i+16 in the high ones; the fifth bits are in qh, one bit an element. Products are rounded
// to float32 before they are added, as everywhere that the format is read.

// half is the number of the IEEE binary16 at the beginning of b.
func half(b []byte) float32 {
	h := uint32(binary.LittleEndian.Uint16(b))
	sign, exponent, fraction := h>>15<<31, h>>10&31, h&1023
	switch exponent {
	case 31: // infinity, or not a number
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	case 0:
		if fraction == 0 {
			return math.Float32frombits(sign)
		}
		shift := uint32(bits.LeadingZeros16(uint16(fraction))) - 5 // subnormal: the leading bit becomes the hidden one
		return math.Float32frombits(sign | (113-shift)<<23 | fraction<<shift&1023<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// x = d (q - 8)
func decodeQ40(dst []float32, src []byte) {
	for ; len(src) >= 18; src, dst = src[18:], dst[32:] {
		d, q := half(src), src[2:18]
		for i, b := range q {
			dst[i] = d * float32(int(b&15)-8)
			dst[i+16] = d * float32(int(b>>4)-8)
		}
	}
}

// x = d q + m
func decodeQ41(dst []float32, src []byte) {
	for ; len(src) >= 20; src, dst = src[20:], dst[32:] {
		d, m, q := half(src), half(src[2:]), src[4:20]
		for i, b := range q {
			dst[i] = float32(d*float32(b&15)) + m
			dst[i+16] = float32(d*float32(b>>4)) + m
		}
	}
}

// x = d (q - 16)
func decodeQ50(dst []float32, src []byte) {
	for ; len(src) >= 22; src, dst = src[22:], dst[32:] {
		d, qh, q := half(src), binary.LittleEndian.Uint32(src[2:]), src[6:22]
		for i, b := range q {
			dst[i] = d * float32(int(fifth(b&15, qh, i))-16)
			dst[i+16] = d * float32(int(fifth(b>>4, qh, i+16))-16)
		}
	}
}

// x = d q + m
func decodeQ51(dst []float32, src []byte) {
	for ; len(src) >= 24; src, dst = src[24:], dst[32:] {
		d, m, qh, q := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:]), src[8:24]
		for i, b := range q {
			dst[i] = float32(d*float32(fifth(b&15, qh, i))) + m
			dst[i+16] = float32(d*float32(fifth(b>>4, qh, i+16))) + m
		}
	}
}

// fifth puts bit i of qh above four bits.
func fifth(low byte, qh uint32, i int) byte { return low | byte(qh>>i&1)<<4 }

// x = d q
func decodeQ80(dst []float32, src []byte) {
	for ; len(src) >= 34; src, dst = src[34:], dst[32:] {
		d := half(src)
		for i, b := range src[2:34] {
			dst[i] = d * float32(int8(b))
		}
	}
}
