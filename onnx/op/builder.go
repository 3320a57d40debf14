package op

import (
	"fmt"
	"strings"

	"graft/onnx"
)

// Builder adds nodes to a graph. Its error is sticky: after the first one every method does nothing and gives nil, so that
// expressions nest as mathematics does and one check at the end is enough.
type Builder struct {
	*state
	scope string
}

// state is what the builders of one graph share.
type state struct {
	graph  *onnx.Graph
	failed *failure // shared with the builders of graphs inside this one
	consts map[string]*onnx.Value
}

type failure struct{ err error }

// NewBuilder is a builder for g.
func NewBuilder(g *onnx.Graph) *Builder {
	return &Builder{state: &state{graph: g, failed: &failure{}, consts: map[string]*onnx.Value{}}}
}

// Inside is a builder for g, a branch or a body that a node of b's graph is going to hold. Its nodes may read the values of b's
// graph. Its errors are b's.
func (b *Builder) Inside(g *onnx.Graph) *Builder {
	return &Builder{state: &state{graph: g, failed: b.failed, consts: map[string]*onnx.Value{}}, scope: b.scope}
}

// Graph is the graph that b adds to.
func (b *Builder) Graph() *onnx.Graph { return b.graph }

// Err is the first error, nil while all went well.
func (b *Builder) Err() error { return b.failed.err }

// In is a builder whose nodes are named, and whose errors are reported, under scope: "enc2/Conv".
func (b *Builder) In(scope string) *Builder {
	if b.scope != "" {
		scope = b.scope + "/" + scope
	}
	return &Builder{state: b.state, scope: scope}
}

// Fail records an error of the caller's, unless there is one already.
func (b *Builder) Fail(format string, args ...any) {
	if b.failed.err == nil {
		b.failed.err = b.wrap(fmt.Errorf(format, args...))
	}
}

// TakeErr gives the first error and forgets it, so that the caller can go on and gather others.
func (b *Builder) TakeErr() error {
	err := b.failed.err
	b.failed.err = nil
	return err
}

func (b *Builder) wrap(err error) error {
	where := b.scope
	if where == "" {
		where = b.graph.Name
	}
	if where == "" {
		return err
	}
	return fmt.Errorf("%s: %w", where, err)
}

// Node adds a node of an operator in the table and infers the types of its outputs. It gives the outputs; after an error
// as many nil values.
func (b *Builder) Node(op string, in []*onnx.Value, outs int, attrs ...onnx.Attr) []*onnx.Value {
	if b.failed.err != nil {
		return make([]*onnx.Value, outs)
	}
	for len(in) > 0 && in[len(in)-1] == nil {
		in = in[:len(in)-1]
	}
	n := b.graph.Add(op, in, outs, attrs...)
	types, err := Infer(n)
	if err != nil {
		b.failed.err = b.wrap(fmt.Errorf("%w%s", err, inputShapes(n)))
		_ = b.graph.Remove(n)
		return make([]*onnx.Value, outs)
	}
	results := n.Outputs()
	for i, v := range results {
		if i < len(types) {
			v.Type = types[i]
		}
	}
	return results
}

// node adds a node with one output.
func (b *Builder) node(op string, in []*onnx.Value, attrs ...onnx.Attr) *onnx.Value {
	return b.Node(op, in, 1, attrs...)[0]
}

// Named gives v a name in b's scope, so that it can be found in the file, and gives v back.
func (b *Builder) Named(v *onnx.Value, name string) *onnx.Value {
	if v != nil && b.failed.err == nil {
		if b.scope != "" {
			name = b.scope + "/" + name
		}
		v.Name = name
	}
	return v
}

func inputShapes(n *onnx.Node) string {
	parts := make([]string, 0, n.NumInputs())
	for _, v := range n.Inputs() {
		if v != nil {
			parts = append(parts, v.Type.String())
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (inputs " + strings.Join(parts, ", ") + ")"
}
