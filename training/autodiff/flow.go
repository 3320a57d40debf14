package autodiff

import (
	"errors"
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
)

var flow = []row{
	{op: "If", grad: gradIf},
	{op: "Loop", grad: gradLoop},
	{op: "Scan", grad: gradScan},
}

// copied is a copy of a subgraph that a gradient computes anew, for a subgraph of its own: a builder for it, and its inputs
// and outputs in the original's order. Its values have no names, so that they can be anywhere.
func (b *Builder) copied(g *onnx.Graph) (c *op.Builder, inputs, outputs []*onnx.Value) {
	body, values := g.Clone()
	for _, v := range values {
		v.Name = ""
	}
	body.Name = "gradient of " + g.Name
	return b.Inside(body), body.Inputs(), body.Outputs()
}

// discard forgets subgraphs that no node is going to hold: they read nothing any more.
func (b *Builder) discard(graphs ...*onnx.Graph) {
	for _, g := range graphs {
		if g != nil {
			_ = b.Graph().Remove(b.Graph().Add("If", nil, 0, onnx.GraphAttr("then_branch", g)))
		}
	}
}

// inferred infers the types in c's graph from those of its inputs.
func inferred(c *op.Builder) error {
	err := op.InferGraph(c.Graph())
	var unknown *op.UnknownOperatorsError
	if errors.As(err, &unknown) { // the rest is inferred
		return nil
	}
	return err
}

// handOut makes the values the outputs of c's graph: each the result of a node of its own, as ONNX Runtime wants it.
func handOut(c *op.Builder, values []*onnx.Value) {
	g := c.Graph()
	g.SetOutputs()
	for _, v := range values {
		if c.Err() != nil {
			return
		}
		if v.Producer() == nil || v.Producer().Graph() != g || g.IsOutput(v) {
			v = c.Identity(v)
		}
		if c.Err() == nil {
			g.AddOutput(v, "")
		}
	}
	g.RemoveUnused()
}

// refine gives t what more is known of it from u; where they contradict each other, t.
func refine(t, u onnx.TensorType) onnx.TensorType {
	if t.DType == onnx.Undefined {
		t.DType = u.DType
	}
	if !t.Shape.Ranked() {
		t.Shape = u.Shape.Clone()
		return t
	}
	if len(t.Shape) != len(u.Shape) {
		return t
	}
	t.Shape = t.Shape.Clone()
	for i, d := range u.Shape {
		if !t.Shape[i].Known() && d.Known() || t.Shape[i] == onnx.UnknownDim {
			t.Shape[i] = d
		}
	}
	return t
}

// y = the outputs of one branch or the other: the cotangent of what they read of the graphs around them is an If on the same
// condition of what flows back through each, zeros where nothing does. A branch is computed anew in its gradient.
func gradIf(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	operands := reads(n)
	var xs []*onnx.Value
	for i, v := range operands {
		if b.Wants(i) {
			xs = append(xs, v)
		}
	}
	var branches [2]*onnx.Graph
	var failed []error
	taken := op.TakenBranch(n)
	for k, name := range []string{"then_branch", "else_branch"} {
		branch := onnx.AttrOr[*onnx.Graph](n, name, nil)
		if branch == nil {
			b.Fail("%s is missing", name)
			return nil
		}
		c, _, ys := b.copied(branch)
		branches[k] = c.Graph()
		if taken != nil && taken != branch { // it may be written for operands that are never there
			ys = nil
		}
		if err := b.backBranch(c, ys, dy, xs); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", name, err))
		}
	}
	if failed != nil {
		b.discard(branches[:]...)
		b.Fail("%w", together(failed))
		return nil
	}
	ds := b.If(n.Input(0), branches[0], branches[1])
	out := make([]*onnx.Value, len(operands))
	for i := range operands {
		if b.Wants(i) {
			out[i], ds = ds[0], ds[1:]
			if b.Err() == nil {
				out[i].Type = refine(out[i].Type, operands[i].Type)
			}
		}
	}
	return out
}

// backBranch makes of a copied branch its gradient: from dys to xs.
func (b *Builder) backBranch(c *op.Builder, ys, dys, xs []*onnx.Value) error {
	seeds := make([]*onnx.Value, len(ys))
	for i, y := range ys {
		if i < len(dys) && dys[i] != nil {
			seeds[i] = c.Identity(dys[i]) // of what the If gives, which may say less than what this branch does
			seeds[i].Type = refine(y.Type, dys[i].Type)
		}
	}
	ds, err := b.engine.back(c, ys, seeds, xs)
	if err != nil {
		return err
	}
	for i, d := range ds {
		if d == nil {
			ds[i] = (&Builder{Builder: c}).zerosLike(xs[i])
		}
	}
	handOut(c, ds)
	return c.TakeErr()
}
