package rewrite

import (
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Projected says what Project did.
type Projected struct {
	// Merged are the weights that the projection went into; none where nodes compute it.
	Merged []string
	// Kept is why it could not go into weights; "" where it did.
	Kept string
	// LowRank is whether the nodes compute x - (x U) U'; otherwise there is one product with a matrix.
	LowRank bool
}

// ProjectOptions say how.
type ProjectOptions struct {
	// Nodes leaves weights as they are.
	Nodes bool
	// Shared also takes weights that other nodes read: the readers of x get a weight of their own.
	Shared bool
}

// ProjectionNames begin the names of the initializers that the nodes of a projection have.
const ProjectionNames = "projection."

// Project takes directions, orthonormal vectors u_j, out of the rows of a value, of which the last dimension is a row, for all that
// reads it:
//
//	x <- x - sum_j <x, u_j> u_j = x P,  P = I - U U', the columns of U being the u_j
//
// Where every reader is a product with a constant weight W, P goes into the weight, for x P W = x (P W): nothing is added to the graph.
// That is exact but for rounding, which is done once, from float64. Otherwise nodes are put behind x: a product with P, or
// x - (x U) U' where that takes fewer multiplications. The types of the graph must have been inferred.
func Project(g *onnx.Graph, x *onnx.Value, directions [][]float64, o ProjectOptions) (*Projected, error) {
	if err := orthonormal(x, directions); err != nil {
		return nil, fmt.Errorf("project %s: %w", limits.Name(x.Name), err)
	}
	done := &Projected{Kept: "it was not asked for"}
	if !o.Nodes {
		readers, reason := products(g, x, len(directions[0]), o.Shared)
		if reason == "" {
			for _, n := range readers {
				name, err := mergeProjection(g, n, directions)
				if err != nil {
					return nil, err
				}
				done.Merged = append(done.Merged, name)
			}
			done.Kept = ""
			return done, nil
		}
		done.Kept = reason
	}
	var err error
	done.LowRank, err = projectNodes(g, x, directions)
	return done, err
}

// orthonormal checks directions, and that rows of x are as long as they are.
func orthonormal(x *onnx.Value, directions [][]float64) error {
	if len(directions) == 0 || len(directions[0]) == 0 {
		return fmt.Errorf("there is no direction")
	}
	width := len(directions[0])
	if s := x.Type.Shape; !s.Ranked() || len(s) < 2 || s[len(s)-1].Known() && s[len(s)-1].Size != int64(width) {
		return fmt.Errorf("it is %v, directions have %d numbers", x.Type, width)
	}
	switch x.Type.DType {
	case onnx.Float, onnx.Double, onnx.Float16, onnx.BFloat16:
	default:
		return fmt.Errorf("it is of %s", x.Type.DType)
	}
	for i, u := range directions {
		if len(u) != width {
			return fmt.Errorf("direction %d has %d numbers, the first %d", i+1, len(u), width)
		}
		for j, v := range directions[:i+1] {
			want, dot := 0., 0.
			if i == j {
				want = 1
			}
			for k := range u {
				dot += u[k] * v[k]
			}
			if !(math.Abs(dot-want) < 1e-6) {
				return fmt.Errorf("directions %d and %d have the product %g, want %g: they must be orthonormal", j+1, i+1, dot, want)
			}
		}
	}
	return nil
}

// products are the nodes that multiply x, or rows of it, with a weight; or the reason why there is another reader.
func products(g *onnx.Graph, x *onnx.Value, width int, shared bool) (found []*onnx.Node, reason string) {
	if g.IsOutput(x) {
		return nil, fmt.Sprintf("%s is an output", limits.Name(x.Name))
	}
	uses := x.Uses()
	for i, u := range uses {
		n := u.Node
		if n.Graph() != g {
			return nil, fmt.Sprintf("a graph inside a node reads %s", limits.Name(x.Name))
		}
		if slices.ContainsFunc(uses[:i], func(before onnx.Use) bool { return before.Node == n }) {
			return nil, fmt.Sprintf("%s reads it twice", n)
		}
		switch {
		case (n.Is("Gemm") && !op.GemmAttrsOf(n).TransA || n.Is("MatMul")) && u.Index == 0:
			w := n.Input(1)
			if w == nil || w.Const == nil || len(w.Const.Dims) != 2 || w.Const.DType != onnx.Float && w.Const.DType != onnx.Double {
				return nil, fmt.Sprintf("%s has no constant weight of float", n)
			}
			if !shared && (w.NumUses() > 1 || g.IsOutput(w) || g.IsInput(w)) {
				return nil, fmt.Sprintf("%s is read elsewhere as well", limits.Name(w.Name))
			}
			found = append(found, n)
		case keepsRows(n, u.Index, width):
			more, reason := products(g, n.Output(0), width, shared)
			if reason != "" {
				return nil, reason
			}
			found = append(found, more...)
		default:
			return nil, fmt.Sprintf("%s reads it, which is no product with a weight", n)
		}
	}
	if len(uses) == 0 {
		return nil, "nothing reads it"
	}
	return found, ""
}

// keepsRows reports whether the rows of a node's output are rows of its input, as they are.
func keepsRows(n *onnx.Node, index, width int) bool {
	if index != 0 || n.NumOutputs() != 1 {
		return false
	}
	last := func(v *onnx.Value) bool {
		s := v.Type.Shape
		return len(s) > 0 && s[len(s)-1].Known() && s[len(s)-1].Size == int64(width)
	}
	if !last(n.Input(0)) || !last(n.Output(0)) {
		return false
	}
	rank := int64(len(n.Input(0).Type.Shape))
	switch n.Op {
	case "Identity", "Reshape":
		return n.Is(n.Op)
	case "Gather":
		axis := onnx.AttrOr(n, "axis", int64(0))
		return n.Is("Gather") && axis != rank-1 && axis != -1
	case "Slice":
		axes, ok := op.ConstantInts(n.Input(3))
		return n.Is("Slice") && ok && !slices.Contains(axes, rank-1) && !slices.Contains(axes, -1)
	}
	return false
}

// mergeProjection puts P into the weight of a product, and gives the weight's name.
func mergeProjection(g *onnx.Graph, n *onnx.Node, directions [][]float64) (string, error) {
	w := n.Input(1)
	t := w.Const
	values, ok := t.Reals()
	rows, columns := int(t.Dims[0]), int(t.Dims[1])
	across := n.Is("Gemm") && op.GemmAttrsOf(n).TransB // W is [out, in]: its rows are projected
	in := rows
	if across {
		in = columns
	}
	if !ok || in != len(directions[0]) {
		return "", fmt.Errorf("project: the weight %s is %v, directions have %d numbers", limits.Name(w.Name), t.Type(), len(directions[0]))
	}
	vectors, step, stride := columns, columns, 1 // vectors of P W: columns of W, their numbers a row apart
	if across {
		vectors, step, stride = rows, 1, columns
	}
	for v := range vectors {
		for _, u := range directions {
			dot := 0.
			for k, x := range u {
				dot += x * values[v*stride+k*step]
			}
			for k, x := range u {
				values[v*stride+k*step] -= dot * x
			}
		}
	}
	changed, ok := rounded(t.DType, t.Dims, values)
	if !ok {
		return "", fmt.Errorf("project: the weight %s has numbers that are none", limits.Name(w.Name))
	}
	if w.NumUses() == 1 && !g.IsOutput(w) && !g.IsInput(w) {
		changed.Name = t.Name
		w.Const = changed
		return w.Name, nil
	}
	own := g.AddInitializer("", changed)
	n.SetInput(1, own)
	return w.Name, nil
}

// projectNodes puts the projection behind x.
func projectNodes(g *onnx.Graph, x *onnx.Value, directions [][]float64) (lowRank bool, err error) {
	width, k := len(directions[0]), len(directions)
	uses := x.Uses()
	b := op.NewBuilder(g).In("projection")
	from, dtype := x, x.Type.DType
	if dtype != onnx.Double && dtype != onnx.Float {
		from, dtype = b.Cast(x, onnx.Float), onnx.Float
	}
	constant := func(name string, dims []int64, at func(i, j int) float64) *onnx.Value {
		values := make([]float64, 0, dims[0]*dims[1])
		for i := range int(dims[0]) {
			for j := range int(dims[1]) {
				values = append(values, at(i, j))
			}
		}
		t, ok := rounded(dtype, dims, values)
		if !ok {
			b.Fail("a direction has a number that is none")
			return nil
		}
		return g.AddInitializer(freeName(g, name), t)
	}
	var y *onnx.Value
	if lowRank = 2*k < width; lowRank {
		u := constant(ProjectionNames+"directions", []int64{int64(width), int64(k)}, func(i, j int) float64 { return directions[j][i] })
		v := constant(ProjectionNames+"directions_t", []int64{int64(k), int64(width)}, func(i, j int) float64 { return directions[i][j] })
		y = b.Sub(from, b.MatMul(b.MatMul(from, u), v))
	} else {
		p := constant(ProjectionNames+"matrix", []int64{int64(width), int64(width)}, func(i, j int) float64 {
			sum := 0.
			for _, u := range directions {
				sum -= u[i] * u[j]
			}
			if i == j {
				sum++
			}
			return sum
		})
		y = b.MatMul(from, p)
	}
	if dtype != x.Type.DType {
		y = b.Cast(y, x.Type.DType)
	}
	if err := b.Err(); err != nil {
		return lowRank, fmt.Errorf("project: %w", err)
	}
	y.Type = x.Type
	for _, u := range uses {
		u.Node.SetInput(u.Index, y)
	}
	g.ReplaceHandedOut(map[*onnx.Value]*onnx.Value{x: y})
	if outs := g.Outputs(); slices.Contains(outs, x) {
		for i, v := range outs {
			if v == x {
				outs[i] = y
			}
		}
		g.SetOutputs(outs...)
		y.Name, x.Name = x.Name, ""
	}
	return lowRank, nil
}

// freeName is a name that no value of the graph has.
func freeName(g *onnx.Graph, name string) string {
	for i, free := 1, name; ; i++ {
		if g.Lookup(free) == nil {
			return free
		}
		free = fmt.Sprintf("%s.%d", name, i)
	}
}
