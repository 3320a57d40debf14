package limits

import "math/bits"

// Budget is a number of things (bytes, opcodes, entries) that may still be spent. The zero Budget has nothing left.
type Budget struct {
	what        string
	left, limit int64
}

// NewBudget is a budget of limit units of what ("opcodes", "tensors").
func NewBudget(what string, limit int64) *Budget { return &Budget{what, limit, limit} }

// Spend takes n, or refuses: field says where in the file.
func (b *Budget) Spend(n int64, field string) error {
	if n < 0 || n > b.left {
		return Refuse(field, "more than %d %s", b.limit, b.what)
	}
	b.left -= n
	return nil
}

// Left is what may still be spent.
func (b *Budget) Left() int64 { return b.left }

// Depth counts nesting.
type Depth struct{ level, limit int }

// NewDepth allows limit levels.
func NewDepth(limit int) *Depth { return &Depth{0, limit} }

// Enter goes one level down, or refuses.
func (d *Depth) Enter(field string) error {
	if d.level >= d.limit {
		return Refuse(field, "nested deeper than %d levels", d.limit)
	}
	d.level++
	return nil
}

// Leave goes one level up.
func (d *Depth) Leave() { d.level-- }

// Add is a+b; ok is false when it does not fit.
func Add(a, b uint64) (sum uint64, ok bool) {
	s, carry := bits.Add64(a, b, 0)
	return s, carry == 0
}

// Mul is a*b; ok is false when it does not fit.
func Mul(a, b uint64) (product uint64, ok bool) {
	hi, lo := bits.Mul64(a, b)
	return lo, hi == 0
}

// AddInt is a+b; ok is false when it does not fit.
func AddInt(a, b int64) (sum int64, ok bool) {
	s := a + b
	return s, (s > a) == (b > 0)
}

// MulInt is a*b; ok is false when it does not fit.
func MulInt(a, b int64) (product int64, ok bool) {
	if a == 0 || b == 0 {
		return 0, true
	}
	p := a * b
	return p, (p < 0) == ((a < 0) != (b < 0)) && p/b == a
}

// MaxRank is the largest number of dimensions that a reader accepts.
const MaxRank = 1024

// Bytes is the size of a dense array of the given dimensions and element width in bits, which must end on a byte; ok is
// false for a negative dimension, more than MaxRank of them, an overflow, or a size that ends inside a byte. A zero
// dimension does not hide an overflow of the others.
func Bytes(dims []int64, width int) (n int64, ok bool) {
	if len(dims) > MaxRank || width <= 0 {
		return 0, false
	}
	elements, zero := int64(1), false
	for _, d := range dims {
		if d < 0 {
			return 0, false
		}
		if d == 0 {
			zero = true
			continue
		}
		if elements, ok = MulInt(elements, d); !ok {
			return 0, false
		}
	}
	size, ok := MulInt(elements, int64(width))
	switch {
	case !ok:
		return 0, false
	case zero:
		return 0, true
	}
	return size / 8, size%8 == 0
}
