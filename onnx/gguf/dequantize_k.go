package gguf

// Blocks of 256 elements in groups of 16 or 32, the "k-quants". d is the block's float16 scale, dmin that of the minima;
// groups have small integer scales s and minima m of their own.

// x = d s q - dmin m; 2-bit q, groups of 16. Bytes: s and m as nibbles [16], q [64], d, dmin.
func decodeQ2K(dst []float32, src []byte) {
	for ; len(src) >= 84; src, dst = src[84:], dst[256:] {
		groups, q := src[:16], src[16:80]
		d, dmin := half(src[80:]), half(src[82:])
		for g, sm := range groups {
			scale, least := d*float32(sm&15), dmin*float32(sm>>4)
			from, shift := g/8*32+g%2*16, g%8/2*2
			for i, b := range q[from : from+16] {
				dst[g*16+i] = float32(scale*float32(b>>shift&3)) - least
			}
		}
	}
}

// x = d (s - 32) (q - 4), q's third bit in the mask; groups of 16. Bytes: mask [32], low bits of q [64], 6-bit s [12], d.
func decodeQ3K(dst []float32, src []byte) {
	for ; len(src) >= 110; src, dst = src[110:], dst[256:] {
		mask, q, packed, d := src[:32], src[32:96], src[96:108], half(src[108:])
		for g := range 16 {
			s := packed[g%8] >> (g / 8 * 4) & 15
			s |= packed[8+g%4] >> (g / 4 * 2) & 3 << 4
			scale := d * float32(int(s)-32)
			from, shift := g/8*32+g%2*16, g%8/2*2
			for i, b := range q[from : from+16] {
				x := int(b>>shift&3) - 4 + int(mask[g%2*16+i]>>(g/2)&1)<<2
				dst[g*16+i] = scale * float32(x)
			}
		}
	}
}

// scaleMin unpacks the 6-bit scale and minimum of group g of 8 from 12 bytes.
func scaleMin(packed []byte, g int) (s, m byte) {
	if g < 4 {
		return packed[g] & 63, packed[g+4] & 63
	}
	return packed[g+4]&15 | packed[g-4]>>6<<4, packed[g+4]>>4 | packed[g]>>6<<4
}

// x = d s q - dmin m; 4-bit q, groups of 32. Bytes: d, dmin, s and m [12], q [128].
func decodeQ4K(dst []float32, src []byte) {
	for ; len(src) >= 144; src, dst = src[144:], dst[256:] {
		d, dmin, packed, q := half(src), half(src[2:]), src[4:16], src[16:144]
		for g := range 8 {
			s, m := scaleMin(packed, g)
			scale, least, shift := d*float32(s), dmin*float32(m), g%2*4
			for i, b := range q[g/2*32 : g/2*32+32] {
				dst[g*32+i] = float32(scale*float32(b>>shift&15)) - least
			}
		}
	}
}

// x = d s q - dmin m; 5-bit q, groups of 32. Bytes: d, dmin, s and m [12], fifth bits [32], low bits [128].
func decodeQ5K(dst []float32, src []byte) {
	for ; len(src) >= 176; src, dst = src[176:], dst[256:] {
		d, dmin, packed, qh, q := half(src), half(src[2:]), src[4:16], src[16:48], src[48:176]
		for g := range 8 {
			s, m := scaleMin(packed, g)
			scale, least, shift := d*float32(s), dmin*float32(m), g%2*4
			for i, b := range q[g/2*32 : g/2*32+32] {
				dst[g*32+i] = float32(scale*float32(b>>shift&15|qh[i]>>g&1<<4)) - least
			}
		}
	}
}

// x = d s (q - 32); 6-bit q, groups of 16 with int8 s. Bytes: low bits [128], high bits [64], s [16], d.
func decodeQ6K(dst []float32, src []byte) {
	for ; len(src) >= 210; src, dst = src[210:], dst[256:] {
		low, high, scales, d := src[:128], src[128:192], src[192:208], half(src[208:])
		for g := range 16 {
			scale := d * float32(int8(scales[g]))
			part := g % 8 / 2 // which 32 of the 128
			from := g/8*64 + part%2*32 + g%2*16
			lowShift, highFrom, highShift := part/2*4, g/8*32+g%2*16, part*2
			for i := range 16 {
				x := low[from+i]>>lowShift&15 | high[highFrom+i]>>highShift&3<<4
				dst[g*16+i] = scale * float32(int(x)-32)
			}
		}
	}
}
