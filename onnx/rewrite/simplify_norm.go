package rewrite

import (
	"math"
	"slices"

	"graft/onnx"
)

var normPatterns = []pattern{
	{"LayerNormalization", []string{"Add", "Mul"}, 17, layerNorm},
	{"RMSNormalization", []string{"Mul"}, 23, rmsNorm},
	{"Gelu", []string{"Mul"}, 20, gelu},
}

// near reports whether a constant of one element is x, as far as its type can tell.
func (s *site) near(v *onnx.Value, x float64) bool {
	got, ok := s.number(v)
	tolerance := 1e-6
	if v.Type.DType == onnx.Float16 {
		tolerance = 1e-3
	}
	return ok && math.Abs(got-x) <= tolerance*math.Abs(x)
}

// alongLast reports whether a reduction is over the last axis alone, which it keeps.
func (s *site) alongLast(n *onnx.Node) bool {
	axes, given, ok := s.listed(n, 1, "axes")
	r := rank(n.Input(0))
	return given && ok && r > 0 && len(axes) == 1 && fromEnd(axes[0], r) == int64(r-1) && onnx.AttrOr(n, "keepdims", int64(1)) == 1
}

// overRoot takes v = d / sqrt(m + epsilon) apart, however it is written.
func (s *site) overRoot(v *onnx.Value) (d, m *onnx.Value, epsilon float64, ok bool) {
	n := s.maker(v, "Div", "Mul")
	if n == nil {
		return nil, nil, 0, false
	}
	d, root := n.Input(0), n.Input(1)
	if n.Is("Mul") {
		if root, d = either(n, func(v *onnx.Value) bool { return s.maker(v, "Reciprocal") != nil }); root == nil {
			return nil, nil, 0, false
		}
		root = root.Producer().Input(0)
	}
	sqrt := s.maker(root, "Sqrt")
	if sqrt == nil {
		return nil, nil, 0, false
	}
	sum := s.maker(sqrt.Input(0), "Add")
	if sum == nil {
		return nil, nil, 0, false
	}
	e, m := either(sum, func(v *onnx.Value) bool { _, ok := s.number(v); return ok })
	if e == nil || !s.sole(m) {
		return nil, nil, 0, false
	}
	epsilon, _ = s.number(e)
	return d, m, epsilon, true
}

// meanSquare gives x where m is the mean of its squares along the last axis.
func (s *site) meanSquare(m *onnx.Value) *onnx.Value {
	mean := s.maker(m, "ReduceMean")
	if mean == nil || !s.alongLast(mean) {
		return nil
	}
	square := s.maker(mean.Input(0), "Pow", "Mul")
	switch {
	case square == nil:
	case square.Is("Pow") && s.near(square.Input(1), 2), square.Is("Mul") && square.Input(0) == square.Input(1):
		return square.Input(0)
	}
	return nil
}

// lastAxis reports whether v is a constant vector as long as the last axis of x.
func (s *site) lastAxis(v, x *onnx.Value) bool {
	t := s.constant(v)
	if t == nil || len(t.Dims) != 1 || rank(x) < 1 || t.DType != x.Type.DType {
		return false
	}
	d := x.Type.Shape[rank(x)-1]
	return d.Known() && d.Size == t.Dims[0]
}

// layerNorm, over the last axis:
//
//	d = x - mean(x), y = d / sqrt(mean(d d) + epsilon) scale (+ bias)
func layerNorm(s *site, n *onnx.Node) []*onnx.Value {
	product, bias := n, (*onnx.Value)(nil)
	if n.Is("Add") {
		var v *onnx.Value
		if v, bias = either(n, func(v *onnx.Value) bool { return s.maker(v, "Mul") != nil }); v == nil {
			return nil
		}
		product = v.Producer()
	}
	scale, normal := either(product, func(v *onnx.Value) bool { return s.constant(v) != nil })
	if scale == nil {
		return nil
	}
	d, m, epsilon, ok := s.overRoot(normal)
	if !ok || s.meanSquare(m) != d {
		return nil
	}
	sub := s.source(d, "Sub")
	if sub == nil {
		return nil
	}
	x := sub.Input(0)
	mean := s.source(sub.Input(1), "ReduceMean")
	if mean == nil || mean.Input(0) != x || !s.alongLast(mean) || !s.lastAxis(scale, x) || x.Type.DType != onnx.Float {
		return nil
	}
	if bias == nil {
		if next := s.reader(n.Output(0), "Add"); next != nil {
			if c, _ := either(next, func(v *onnx.Value) bool { return s.lastAxis(v, x) }); c != nil {
				return nil // the Add takes it all
			}
		}
	} else if !s.lastAxis(bias, x) {
		return nil
	}
	return s.one("LayerNormalization", []*onnx.Value{x, scale, bias}, onnx.Int("axis", -1), onnx.Float32("epsilon", float32(epsilon)))
}

// rmsNorm, over the last axis: y = x / sqrt(mean(x x) + epsilon) scale.
func rmsNorm(s *site, n *onnx.Node) []*onnx.Value {
	scale, normal := either(n, func(v *onnx.Value) bool { return s.constant(v) != nil })
	if scale == nil {
		return nil
	}
	x, m, epsilon, ok := s.overRoot(normal)
	if !ok || s.meanSquare(m) != x || !s.lastAxis(scale, x) || x.Type.DType != onnx.Float {
		return nil
	}
	return s.one("RMSNormalization", []*onnx.Value{x, scale}, onnx.Int("axis", -1), onnx.Float32("epsilon", float32(epsilon)))
}

// factors are what is multiplied to give n's output, products inside products taken apart.
func (s *site) factors(n *onnx.Node, depth int) []*onnx.Value {
	const deepest = 4
	var list []*onnx.Value
	for _, v := range n.Inputs() {
		if inner := s.maker(v, "Mul"); inner != nil && depth < deepest {
			list = append(list, s.factors(inner, depth+1)...)
		} else {
			list = append(list, v)
		}
	}
	return list
}

// gelu has two forms:
//
//	0.5 x (1 + erf(x / sqrt(2)))
//	0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
func gelu(s *site, n *onnx.Node) []*onnx.Value {
	list := s.factors(n, 0)
	if len(list) != 3 || n.Output(0).Type.DType != onnx.Float {
		return nil
	}
	half := slices.IndexFunc(list, func(v *onnx.Value) bool { return v != nil && s.near(v, 0.5) })
	if half < 0 {
		return nil
	}
	list = slices.Delete(list, half, half+1)
	for i, v := range list {
		x := list[1-i]
		inner := s.onePlus(v, "Erf", "Tanh")
		switch {
		case inner == nil || x == nil || !alike(x.Type.Shape, n.Output(0).Type.Shape):
		case inner.Is("Erf") && s.scaledBy(inner.Input(0), x, math.Sqrt2/2):
			return s.one("Gelu", []*onnx.Value{x})
		case inner.Is("Tanh") && s.cubic(inner.Input(0), x):
			return s.one("Gelu", []*onnx.Value{x}, onnx.Str("approximate", "tanh"))
		}
	}
	return nil
}

// onePlus is the node f, one of those operators, where v = 1 + f.
func (s *site) onePlus(v *onnx.Value, ops ...string) *onnx.Node {
	sum := s.maker(v, "Add")
	if sum == nil {
		return nil
	}
	one, f := either(sum, func(v *onnx.Value) bool { return s.near(v, 1) })
	if one == nil {
		return nil
	}
	return s.maker(f, ops...)
}

// scaledBy reports whether v = x c.
func (s *site) scaledBy(v, x *onnx.Value, c float64) bool {
	n := s.maker(v, "Mul", "Div")
	if n == nil {
		return false
	}
	by, of := either(n, func(v *onnx.Value) bool { _, ok := s.number(v); return ok })
	if by == nil || of != x {
		return false
	}
	if n.Is("Div") {
		return of == n.Input(0) && s.near(by, 1/c)
	}
	return s.near(by, c)
}

// cubic reports whether v = sqrt(2/pi) (x + 0.044715 x^3).
func (s *site) cubic(v, x *onnx.Value) bool {
	n := s.maker(v, "Mul")
	if n == nil {
		return false
	}
	by, of := either(n, func(v *onnx.Value) bool { return s.near(v, math.Sqrt(2/math.Pi)) })
	if by == nil {
		return false
	}
	sum := s.maker(of, "Add")
	if sum == nil {
		return false
	}
	_, term := either(sum, func(v *onnx.Value) bool { return v == x })
	if term == nil {
		return false
	}
	product := s.maker(term, "Mul")
	if product == nil {
		return false
	}
	c, cube := either(product, func(v *onnx.Value) bool { return s.near(v, 0.044715) })
	if c == nil {
		return false
	}
	power := s.maker(cube, "Pow")
	return power != nil && power.Input(0) == x && s.near(power.Input(1), 3)
}
