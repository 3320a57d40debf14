package packed

import (
	"encoding/binary"
	"math/bits"

	"graft/onnx/limits"
)

// mostRice is the largest parameter of the code: gaps are below 2^40.
const mostRice = 40

// bitWriter appends bits to bytes, each filled from its lowest bit.
type bitWriter struct {
	bytes []byte
	free  int // bits of the last byte that are not taken
}

func (w *bitWriter) bit(b uint64) {
	if w.free == 0 {
		w.bytes, w.free = append(w.bytes, 0), 8
	}
	w.bytes[len(w.bytes)-1] |= byte(b&1) << (8 - w.free)
	w.free--
}

// riceBits is how many bits the gaps take with a parameter.
func riceBits(gaps []uint64, rice int) (n uint64) {
	for _, z := range gaps {
		n += z>>rice + 1 + uint64(rice)
	}
	return n
}

// bestRice is the parameter with which the gaps take the fewest bits.
func bestRice(gaps []uint64) int {
	sum := uint64(0)
	for _, z := range gaps {
		sum += z
	}
	if len(gaps) == 0 {
		return 0
	}
	near := max(0, bits.Len64(sum/uint64(len(gaps)))-1)
	best := max(0, near-2)
	for rice := best; rice <= min(mostRice, near+2); rice++ {
		if riceBits(gaps, rice) < riceBits(gaps, best) {
			best = rice
		}
	}
	return best
}

// encodeRice writes the gaps.
func encodeRice(gaps []uint64, rice int) []byte {
	w := bitWriter{bytes: make([]byte, 0, riceBits(gaps, rice)/8+1)}
	for _, z := range gaps {
		for range z >> rice {
			w.bit(1)
		}
		w.bit(0)
		for i := range rice {
			w.bit(z >> i)
		}
	}
	return w.bytes
}

// riceReader reads gaps, none of which may be above a limit.
type riceReader struct {
	bytes []byte
	at    int // in bits
	field string
}

// windowBits are those that a window has at least, at whatever bit of a byte it begins.
const windowBits = 57

// window is what comes next, zeros beyond the end.
func (r *riceReader) window() (w uint64) {
	rest := r.bytes[min(r.at/8, len(r.bytes)):]
	if len(rest) >= 8 {
		w = binary.LittleEndian.Uint64(rest)
	} else {
		for i, b := range rest {
			w |= uint64(b) << (8 * i)
		}
	}
	return w >> (r.at % 8)
}

func (r *riceReader) next(rice int, most uint64) (z uint64, err error) {
	tooMany := func() (uint64, error) {
		return 0, limits.Refuse(r.field, "has more zeros than the weight has places left, which are %d", most)
	}
	end := 8 * len(r.bytes)
	cut := func() (uint64, error) { return 0, limits.Refuse(r.field, "ends within a number") }
	high := uint64(0)
	for ones := windowBits; ones == windowBits; {
		ones = min(bits.TrailingZeros64(^r.window()), windowBits)
		high += uint64(ones)
		if r.at += ones; r.at >= end {
			return cut()
		}
		if high > most>>rice {
			return tooMany()
		}
	}
	r.at++
	z = high<<rice | r.window()&(1<<rice-1)
	if r.at += rice; r.at > end {
		return cut()
	}
	if z > most {
		return tooMany()
	}
	return z, nil
}

// end refuses bits behind the last number that are not the rest of a byte, or not 0.
func (r *riceReader) end() error {
	if r.at <= 8*(len(r.bytes)-1) || r.window() != 0 {
		return limits.Refuse(r.field, "goes on behind the last number")
	}
	return nil
}
