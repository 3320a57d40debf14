// Package noise makes random numbers that are a pure function of (seed, stream, step, index), so that a run can be resumed
// to the bit and a model can make the same numbers inside its file. Emit writes the generator as standard integer
// operators; both forms give the same integers, and the same floats, everywhere.
//
//	key := noise.NewKey(7, "z", 0)
//	z := make([]float32, 32*64*64)
//	noise.Uniform(z, key) // in Go
//	v := noise.Emit(b, key, 1, 32, 64, 64) // the same numbers inside a graph
//
// The generator is a permutation polynomial over the integers modulo the prime p = 2^31 - 1, applied to a counter:
// x = i*c + a, then x <- x^5 + b, then x <- x^5 (5 is prime to p - 1, so each power is a permutation). It needs addition,
// multiplication and remainder of numbers below 2^62 only, because those are what every runtime has for int64. It is not
// for cryptography.
package noise

import "math"

const (
	prime   = 1<<31 - 1
	spread  = 0x5851f42d // the counter's step, so that neighbours start far apart
	dropped = 8          // low bits that a float32 inside (0, 1) has no room for
	scale   = 1.0 / (1 << (31 - dropped))
)

// Key selects a sequence.
type Key struct{ a, b uint32 }

// NewKey derives the key of a sequence from a seed, the name of what it is for, and a step count.
func NewKey(seed uint64, stream string, step uint64) Key {
	return streamKey(seed, stream).and(step & 0xffff).and(step >> 16)
}

// streamKey is the part of NewKey that is the same at every step.
func streamKey(seed uint64, stream string) Key {
	h := uint64(2166136261) // FNV-1a of the name
	for i := range len(stream) {
		h = (h ^ uint64(stream[i])) * 16777619 & (1<<32 - 1)
	}
	k := Key{0x243f6a88, 0x05a308d3}
	for _, w := range []uint64{seed & 0xffff, seed >> 16 & 0xffff, seed >> 32, h} {
		k = k.and(w)
	}
	return k
}

// crossed sets the index for one half of a key apart from that for the other.
const crossed = 0x3779b9

// and mixes a word into k.
func (k Key) and(w uint64) Key {
	return Key{bits(k, w%prime), bits(Key{k.b, k.a}, (w+crossed)%prime)}
}

// bits is the number in [0, 2^31-1) at an index of the key's sequence.
func bits(k Key, index uint64) uint32 {
	x := power5(index*spread + uint64(k.a))
	x = power5(x + uint64(k.b))
	if x >= prime { // fold leaves p and a little more
		x -= prime
	}
	return uint32(x)
}

// power5 is x^5 mod p, up to a multiple of p that leaves it below 2^31 + 8.
func power5(x uint64) uint64 {
	x = fold(x)
	square := fold(x * x)
	return fold(fold(square*square) * x)
}

// fold brings x below 2^31 + 8 without changing it mod p: 2^31 is 1 there.
func fold(x uint64) uint64 {
	x = x&prime + x>>31
	return x&prime + x>>31
}

// Float is the number in (0, 1), ends excluded, at an index of the key's sequence: an odd multiple of 2^-24.
func Float(k Key, index uint32) float32 {
	return (float32(bits(k, uint64(index))>>dropped) + 0.5) * scale
}

// Uniform fills dst with the first len(dst) numbers of the key's sequence, uniform on (0, 1).
func Uniform(dst []float32, k Key) { UniformAt(dst, k, 0) }

// UniformAt fills dst with the numbers of the key's sequence from an index on. Parts may be filled concurrently.
func UniformAt(dst []float32, k Key, from uint32) {
	// Float at each index, written out: a number is folded only as far as its next product fits 64 bits.
	counter, b := (uint64(from)*spread+uint64(k.a))%prime, uint64(k.b)
	for i := range dst {
		x := counter
		y := x * x
		y = y&prime + y>>31 // below 2^32
		y *= y
		y = y&prime + y>>31
		y = y&prime + y>>31 // below 2^31 + 8
		x *= y
		x = x&prime + x>>31 + b
		x = x&prime + x>>31 // below 2^31 + 8
		y = x * x
		y = y&prime + y>>31 // below 2^32
		y *= y
		y = y&prime + y>>31
		y = y&prime + y>>31
		x *= y
		x = x&prime + x>>31
		x = x&prime + x>>31
		x = min(x, x-prime) // the remainder: what is below prime wraps round to more
		dst[i] = (float32(int32(x>>dropped)) + 0.5) * scale
		counter += spread
		counter = min(counter, counter-prime)
	}
}

// Normal fills dst with standard normal numbers (Box and Muller 1958), two for each pair of uniforms. The last bits depend
// on the platform's logarithm and cosine.
func Normal(dst []float32, k Key) {
	var pairs [256]float32
	for from := 0; from < len(dst); from += len(pairs) {
		part := dst[from:min(from+len(pairs), len(dst))]
		uniforms := pairs[:len(part)+len(part)&1]
		UniformAt(uniforms, k, uint32(from))
		for i := 0; i < len(part); i += 2 {
			r := math.Sqrt(-2 * math.Log(float64(uniforms[i])))
			sin, cos := math.Sincos(2 * math.Pi * float64(uniforms[i+1]))
			part[i] = float32(r * cos)
			if i+1 < len(part) {
				part[i+1] = float32(r * sin)
			}
		}
	}
}
