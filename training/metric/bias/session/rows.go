package session

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// rows computes given rows of a value [N, ...] or [batch, sequence, ...], of which the last dimension is a row, from rows of what
// lies before, as far back as every node treats rows alone and nothing else wants its other rows. So the product with the
// vocabulary, which is the largest of all, is of few rows, and in the last layer everything behind the attention is as well.
type rows struct {
	b    *op.Builder
	at   *onnx.Value
	few  map[*onnx.Node]bool
	done map[*onnx.Value]*onnx.Value
}

// gatherRows gives rows of a value that nothing reads yet. early: a product with weights is of these rows alone.
func gatherRows(b *op.Builder, v, at *onnx.Value) (found *onnx.Value, early bool) {
	r := &rows{b, at, map[*onnx.Node]bool{}, map[*onnx.Value]*onnx.Value{}}
	for _, n := range slices.Backward(b.Graph().Nodes()) {
		if n.NumOutputs() != 1 || !rowwise(n) {
			continue
		}
		out := n.Output(0)
		if out != v && (out.NumUses() == 0 || slices.ContainsFunc(out.Uses(), func(u onnx.Use) bool { return !r.few[u.Node] })) {
			continue
		}
		r.few[n] = true
		early = early || n.Is("Gemm") || n.Is("MatMul")
	}
	return r.of(v), early
}

func (r *rows) of(v *onnx.Value) *onnx.Value {
	if x := r.done[v]; x != nil || r.b.Err() != nil {
		return x
	}
	n := v.Producer()
	var x *onnx.Value
	switch {
	case n == nil || !r.few[n]:
		if x = v; len(v.Type.Shape) > 2 {
			x = r.b.Flatten(v, int64(len(v.Type.Shape)-1))
		}
		x = r.b.Gather(x, r.at, 0)
	case n.Is("Reshape") || n.Is("Identity"):
		x = r.of(n.Input(0))
	default:
		in := n.Inputs()
		for i, w := range in {
			if w != nil && !fixed(w) {
				in[i] = r.of(w)
			}
		}
		attrs := slices.Clone(n.Attrs)
		if n.Is("LayerNormalization") {
			attrs = slices.DeleteFunc(attrs, func(a onnx.Attr) bool { return a.Name == "axis" }) // the last, whatever the rank
		}
		x = r.b.Node(n.Op, in, 1, attrs...)[0]
	}
	r.done[v] = x
	return x
}

// rowwise reports whether a node makes each row of its output from the same row of its inputs and from constants.
func rowwise(n *onnx.Node) bool {
	x := n.Input(0)
	if x == nil || n.Domain != "" && n.Domain != "ai.onnx" {
		return false
	}
	switch n.Op {
	case "Cast", "Identity", "Gelu", "Erf", "Tanh", "Relu", "Sigmoid", "Sqrt", "Neg", "Reciprocal":
		return ranked(x)
	case "Add", "Sub", "Mul", "Div", "Pow":
		return rowsOrConstant(n.Inputs(), len(n.Output(0).Type.Shape))
	case "LayerNormalization":
		axis := onnx.AttrOr(n, "axis", int64(-1))
		return ranked(x) && (axis == -1 || axis == int64(len(x.Type.Shape)-1)) && vector(n.Input(1)) && (n.Input(2) == nil || vector(n.Input(2)))
	case "ReduceMean":
		axes, ok := op.ConstantInts(n.Input(1))
		if n.NumInputs() < 2 {
			axes, ok = onnx.AttrOr(n, "axes", []int64(nil)), true
		}
		return ranked(x) && ok && len(axes) == 1 && axes[0] == -1 && onnx.AttrOr(n, "keepdims", int64(1)) == 1
	case "Gemm":
		return len(x.Type.Shape) == 2 && onnx.AttrOr(n, "transA", int64(0)) == 0 && constantOfRank(n.Input(1), 2, 2) && (n.Input(2) == nil || vector(n.Input(2)))
	case "MatMul":
		return ranked(x) && constantOfRank(n.Input(1), 2, 2)
	case "Reshape":
		// [N, width] as [batch, sequence, width], or the other way about: the same rows in the same order.
		out := n.Output(0).Type.Shape
		return ranked(x) && (len(out) == 2 || len(out) == 3) && out[len(out)-1].Known() && out[len(out)-1] == x.Type.Shape[len(x.Type.Shape)-1]
	}
	return false
}

// ranked reports whether a value's rows are those of [N, width] or [batch, sequence, width].
func ranked(v *onnx.Value) bool { return len(v.Type.Shape) == 2 || len(v.Type.Shape) == 3 }

// vector reports whether a constant is the same for each row.
func vector(v *onnx.Value) bool { return constantOfRank(v, 0, 1) }

// fixed reports whether a value is a constant.
func fixed(v *onnx.Value) bool { return constantOfRank(v, 0, 64) }

// rowsOrConstant reports whether inputs of an elementwise operator are rows of the same list, one at least, or the same for each
// row. One that may be spread over rows or sequences is neither.
func rowsOrConstant(in []*onnx.Value, rank int) bool {
	some := false
	for _, v := range in {
		switch {
		case v == nil:
			return false
		case vector(v):
		case fixed(v) || !ranked(v) || len(v.Type.Shape) != rank:
			return false
		default:
			for _, d := range v.Type.Shape[:rank-1] {
				if d.Known() && d.Size == 1 {
					return false
				}
			}
			some = true
		}
	}
	return some
}
