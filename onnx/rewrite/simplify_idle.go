package rewrite

import (
	"math"
	"slices"

	"graft/onnx"
)

var idlePatterns = []pattern{
	{"identities", idleOps(), 0, withoutIdle},
}

// idle says for each operator when its first output is its first input.
var idle = map[string]func(s *site, n *onnx.Node) bool{
	"Identity": func(*site, *onnx.Node) bool { return true },
	"Dropout":  isInference,
	"Cast":     func(s *site, n *onnx.Node) bool { return sameType(n) },
	"CastLike": func(s *site, n *onnx.Node) bool { return sameType(n) },

	"Transpose": func(s *site, n *onnx.Node) bool { p, ok := permOf(n); return ok && inOrder(p) },
	"Reshape":   sameShape, "Flatten": sameShape, "Expand": sameShape, "Tile": sameShape, "Squeeze": sameShape, "Unsqueeze": sameShape,
	"Slice": sameShape, "Pad": sameShape, "Resize": unscaled, "Upsample": unscaled,
	"DepthToSpace": func(s *site, n *onnx.Node) bool { return onnx.AttrOr(n, "blocksize", int64(0)) == 1 },
	"SpaceToDepth": func(s *site, n *onnx.Node) bool { return onnx.AttrOr(n, "blocksize", int64(0)) == 1 },

	"Concat": oneInput, "Sum": oneInput, "Max": oneInput, "Min": oneInput, "Mean": oneInput,
	"Split": func(s *site, n *onnx.Node) bool { return n.NumOutputs() == 1 && sameShape(s, n) },

	"Add": neutral, "Sub": neutral, "Mul": neutral, "Div": neutral, "Pow": neutral, "And": neutral, "Or": neutral,
	"Clip": func(s *site, n *onnx.Node) bool {
		_, lo := n.Attr("min")
		_, hi := n.Attr("max")
		return n.Input(1) == nil && n.Input(2) == nil && !lo && !hi
	},
	"Relu": func(s *site, n *onnx.Node) bool {
		return s.source(n.Input(0), "Relu", "Sigmoid", "Softmax", "Abs") != nil
	},
	"Abs": func(s *site, n *onnx.Node) bool { return s.source(n.Input(0), "Abs", "Relu") != nil },
}

func idleOps() []string {
	ops := make([]string, 0, len(idle))
	for name := range idle {
		ops = append(ops, name)
	}
	slices.Sort(ops)
	return ops
}

// withoutIdle lets the readers of a node that does nothing read what it reads.
func withoutIdle(s *site, n *onnx.Node) []*onnx.Value {
	x, o := n.Input(0), n.Output(0)
	if x == nil || o == nil {
		return nil
	}
	for _, other := range n.Outputs()[1:] {
		if other != nil && (other.NumUses() > 0 || s.outputs[other]) {
			return nil
		}
	}
	if !idle[n.Op](s, n) {
		if n.Op != "Add" && n.Op != "Mul" && n.Op != "And" && n.Op != "Or" || n.Input(1) == nil || !neutralAt(s, n, 0) {
			return nil
		}
		x = n.Input(1)
	}
	if !s.mayAlias(o, x) {
		return nil
	}
	return []*onnx.Value{x}
}

func isInference(s *site, n *onnx.Node) bool {
	training := n.Input(2)
	if training == nil {
		return true
	}
	on, ok := s.number(training)
	return ok && on == 0
}

func sameType(n *onnx.Node) bool {
	d := n.Input(0).Type.DType
	return d != onnx.Undefined && d == n.Output(0).Type.DType
}

// permOf is the permutation of a Transpose.
func permOf(n *onnx.Node) ([]int64, bool) {
	if p := onnx.AttrOr[[]int64](n, "perm", nil); p != nil {
		return p, true
	}
	r := rank(n.Input(0))
	if r < 0 {
		return nil, false
	}
	p := make([]int64, r)
	for i := range p {
		p[i] = int64(r - 1 - i)
	}
	return p, true
}

func inOrder(p []int64) bool {
	for i, k := range p {
		if k != int64(i) {
			return false
		}
	}
	return true
}

// sameShape holds for operators that move elements or leave some out, but not when as many stay: then all are in place. One
// size that is not known follows from the others. Slices and pads can also move elements, so that they are looked at.
func sameShape(s *site, n *onnx.Node) bool {
	a, b := n.Input(0).Type.Shape, n.Output(0).Type.Shape
	switch n.Op {
	case "Pad":
		pads, given, ok := s.listed(n, 1, "pads")
		return given && ok && !anyNot(pads, 0)
	case "Slice":
		if steps, given, ok := s.listed(n, 4, ""); given && (!ok || anyNot(steps, 1)) {
			return false
		}
		return alike(a, b) || wholeSlice(s, n)
	case "Tile":
		repeats, ok := s.integers(n.Input(1))
		return ok && !anyNot(repeats, 1)
	}
	if alike(a, b) {
		return true
	}
	if n.Op == "Expand" || n.Op == "Split" || !a.Ranked() || len(a) != len(b) {
		return false
	}
	open := 0
	for i := range a {
		switch {
		case a[i].Known() && a[i] == b[i] && a[i].Size > 0:
		case a[i].Known() || b[i].Known():
			return false
		default:
			open++
		}
	}
	return open <= 1
}

// wholeSlice reports whether a Slice leaves nothing out, whatever the sizes.
func wholeSlice(s *site, n *onnx.Node) bool {
	starts, _, ok := s.listed(n, 1, "starts")
	ends, _, ok2 := s.listed(n, 2, "ends")
	return ok && ok2 && !anyNot(starts, 0) && !slices.ContainsFunc(ends, func(e int64) bool { return e < math.MaxInt32 })
}

func anyNot(list []int64, v int64) bool {
	return slices.ContainsFunc(list, func(x int64) bool { return x != v })
}

// unscaled reports whether a Resize gives each pixel itself.
func unscaled(s *site, n *onnx.Node) bool {
	if onnx.AttrOr(n, "coordinate_transformation_mode", "") == "tf_crop_and_resize" {
		return false
	}
	a, b := n.Input(0).Type.Shape, n.Output(0).Type.Shape
	_, ok := a.Sizes()
	_, ok2 := b.Sizes()
	return ok && ok2 && alike(a, b)
}

func oneInput(_ *site, n *onnx.Node) bool { return n.NumInputs() == 1 }

// neutral reports whether the second operand changes nothing.
func neutral(s *site, n *onnx.Node) bool { return neutralAt(s, n, 1) }

var neutralOf = map[string]float64{"Add": 0, "Sub": 0, "Mul": 1, "Div": 1, "Pow": 1, "And": 1, "Or": 0}

// neutralAt reports whether operand i of a node with two is the neutral one everywhere, and does not widen the other.
func neutralAt(s *site, n *onnx.Node, i int) bool {
	x, c := n.Input(1-i), n.Input(i)
	if c == nil || x == nil {
		return false
	}
	t := s.constant(c)
	if t == nil || t.Len() == 0 || t.Len() > 1<<16 || x.Type.DType != n.Output(0).Type.DType {
		return false
	}
	if !alike(x.Type.Shape, n.Output(0).Type.Shape) {
		if t.Len() != 1 || rank(x) < len(t.Dims) {
			return false
		}
	}
	values, ok := t.Reals()
	return ok && !slices.ContainsFunc(values, func(v float64) bool { return v != neutralOf[n.Op] })
}
