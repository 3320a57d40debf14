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
	case o.numbers == nil:
		return 0, false
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
		case t == nil && c.spreads(v, n.Output(0)):
			// The same for all channels, whatever it is.
		case t == nil:
			if sides[i].channels = c.of(v); sides[i].count() != y.count() || y.count() == 0 || len(v.Type.Shape) != rank || c.axis(v) != c.axis(n.Output(0)) {
				return sides, false
			}
			some = true
		case t.DType != onnx.Float:
			return sides, false
		case t.Len() == 1:
			sides[i].numbers = t.Float32s()
		default: // [C,1,...] or [1,C,1,...], with the result's axis of channels for C, or the same for all channels
			dims := slices.Clone(t.Dims)
			for len(dims) < rank {
				dims = append([]int64{1}, dims...)
			}
			switch {
			case len(dims) != rank:
				return sides, false
			case dims[c.axis(n.Output(0))] == 1:
			case !c.own(v) || dims[c.axis(n.Output(0))] != t.Len() || int(t.Len()) != y.count():
				return sides, false
			default:
				sides[i].numbers = t.Float32s()
			}
		}
	}
	return sides, some
}

// spreads reports whether v is one and the same for all channels of y, of which there are several.
func (c *compactor) spreads(v, y *onnx.Value) bool {
	at := c.axis(y) - len(y.Type.Shape) + len(v.Type.Shape)
	return c.of(y).count() > 1 && v.Type.Shape.Ranked() && len(v.Type.Shape) <= len(y.Type.Shape) && (at < 0 || v.Type.Shape[at] == onnx.Dim{Size: 1})
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

func (r pairRule) needs(c *compactor, n *onnx.Node) {
	sides, _ := r.operands(c, n)
	for _, s := range sides {
		if s.channels == nil && s.numbers == nil {
			c.of(s.value).needAll()
		}
	}
	r.tie(c, n)
}

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
	sides, _ := r.operands(c, n)
	for _, s := range sides {
		if s.channels == nil && len(s.numbers) > 1 {
			t := s.value.Const
			replace(s.value, pick(t, slices.Index(t.Dims, t.Len()), y.kept))
		}
	}
	return nil
}
