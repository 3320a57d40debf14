package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Grad is the reverse rule of an operator: from the cotangents dy of n's outputs (nil where nothing flows back) to those of
// its inputs, and of what its subgraphs capture behind them. A cotangent may have the shape that the input was broadcast to: the walker sums it back. An entry may be nil
// for an input without a gradient, and need not be made for an input that b does not want.
type Grad func(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value

// Builder is what a rule adds nodes with.
type Builder struct {
	*op.Builder
	wants   []bool
	engine  engine
	options Options
}

// engine is what rules of operators with subgraphs differentiate those with.
type engine interface {
	// back is what flows from the seeds dys of ys to xs in c's graph, nil where nothing does.
	back(c *op.Builder, ys, dys, xs []*onnx.Value) ([]*onnx.Value, error)
	// between is what lies between xs and ys in g.
	between(g *onnx.Graph, ys, xs []*onnx.Value) *trace
}

// Wants reports whether the cotangent of input i is asked for. What n's subgraphs read of the graphs around them, n.Captured,
// counts on behind n's inputs.
func (b *Builder) Wants(i int) bool { return i < len(b.wants) && b.wants[i] }

// output is the i-th output of n, an optional one that n is made to give where it does not.
func (b *Builder) output(n *onnx.Node, i int) *onnx.Value {
	if v := n.Output(i); v != nil || b.Err() != nil {
		return v
	}
	v := n.WantOutput(i)
	types, err := op.Infer(n)
	if err != nil {
		b.Fail("%w", err)
		return nil
	}
	if i < len(types) {
		v.Type = types[i]
	}
	return v
}

// row is what is known of one operator: a rule; or an expression of other operators that takes its place before anything is
// differentiated; or that its gradient is zero wherever it exists; or why there is none.
type row struct {
	op     string
	grad   Grad
	expand Expand
	zero   bool
	none   string
	cuda   *pointwiseForm // takes the place of grad or expand on CUDA, where it fits
}

// Expand writes a node as an expression of other operators: one value for each output, nil for outputs that it does not
// make. It fails b where it cannot.
type Expand func(b *op.Builder, n *onnx.Node) []*onnx.Value

var families = [][]row{elementwise, activation, logic, matrix, conv, pool, norm, reduce, shape, index, resize, quantize, losses, recurrent, flow, stochastic, taper, vision, sequence, texts, spatial, signal, attention}

var rules = func() map[string]row {
	t := map[string]row{}
	for _, f := range families {
		for _, r := range f {
			t[r.op] = r
		}
	}
	return t
}()

// of wraps the rule of an operator with one differentiable input and one output.
func of(f func(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value) Grad {
	return func(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
		return []*onnx.Value{f(b, n, dy[0])}
	}
}
