package masking

import (
	"math"
	"slices"

	"graft/onnx"
)

// pairRule is that of an operator on two operands, element by element, or on any number taken two by two: values of the same
// channels, and constants that have one number for each channel or one for all.
type pairRule struct {
	of func(a, b float64) float64
	// absorbs says that a zero on either side makes zero, whatever is on the other.
	absorbs bool
}

// operand is one side of a pair: channels, or a constant's numbers.
type operand struct {
	*channels
	numbers []float32 // one for each channel, or one for all
	value   *onnx.Value
}

func (o operand) at(i int) (value float64, constant bool) {
	switch {
	case o.channels != nil:
		return o.channels.value[i], o.channels.constant[i]
	case len(o.numbers) == 1:
		return float64(o.numbers[0]), true
	}
	return float64(o.numbers[i]), true
}

// operands reads all sides; ok is false where the rule does not hold.
func (pairRule) operands(c *compactor, n *onnx.Node) (sides []operand, ok bool) {
	if n.NumInputs() == 0 || n.Output(0) == nil || slices.Contains(n.Inputs(), nil) {
		return nil, false
	}
	sides = make([]operand, n.NumInputs())
	y := c.of(n.Output(0))
	rank, some := len(n.Output(0).Type.Shape), false
	for i, v := range n.Inputs() {
		sides[i].value = v
		switch t := c.fixed(v); {
		case t == nil:
			if sides[i].channels = c.of(v); sides[i].count() != y.count() || y.count() == 0 || len(v.Type.Shape) != rank {
				return sides, false
			}
			some = true
		case t.DType != onnx.Float:
			return sides, false
		case t.Len() == 1:
			sides[i].numbers = t.Float32s()
		default: // [C,1,...] or [1,C,1,...], with axis 1 of the result for C
			dims := slices.Clone(t.Dims)
			for len(dims) < rank {
				dims = append([]int64{1}, dims...)
			}
			if !c.own(v) || len(dims) != rank || dims[1] != t.Len() || int(t.Len()) != y.count() {
				return sides, false
			}
			sides[i].numbers = t.Float32s()
		}
	}
	return sides, some
}

func (r pairRule) fits(c *compactor, n *onnx.Node) bool {
	_, ok := r.operands(c, n)
	return ok
}

func (r pairRule) constants(c *compactor, n *onnx.Node) {
	y := c.of(n.Output(0))
	sides, _ := r.operands(c, n)
	for i := range y.count() {
		value, known := sides[0].at(i)
		for _, side := range sides[1:] {
			b, knownB := side.at(i)
			switch {
			case r.absorbs && (known && value == 0 || knownB && b == 0):
				value, known = 0, true
			case known && knownB:
				value = r.of(value, b)
			default:
				known = false
			}
		}
		if known && !math.IsNaN(value) && !math.IsInf(value, 0) {
			y.set(i, value)
		}
	}
}

func (r pairRule) needs(c *compactor, n *onnx.Node) { r.tie(c, n) }

func (r pairRule) tie(c *compactor, n *onnx.Node) (changed bool) {
	y := c.of(n.Output(0))
	sides, _ := r.operands(c, n)
	for _, s := range sides {
		if s.channels != nil {
			changed = same(s.channels, y) || changed
		}
	}
	return changed
}

func (r pairRule) apply(c *compactor, n *onnx.Node) error {
	y := c.of(n.Output(0))
	if y.whole() {
		return nil
	}
	for _, v := range n.Inputs() {
		t := c.fixed(v)
		if t == nil || t.Len() == 1 {
			continue
		}
		axis := slices.Index(t.Dims, t.Len())
		replace(v, pick(t, axis, y.kept))
	}
	return nil
}
