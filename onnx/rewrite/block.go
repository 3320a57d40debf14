package rewrite

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// blockwise are the operators that work element by element on operands of one shape or of one element.
var blockwise = []string{"Abs", "Add", "And", "Cast", "Ceil", "Clip", "Div", "Equal", "Erf", "Exp", "Floor", "Greater",
	"GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Log", "Max", "Min", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal",
	"Relu", "Round", "Sigmoid", "Sign", "Sqrt", "Sub", "Sum", "Tanh", "Where"}

// Blocked is an elementwise expression of vectors as a graph that works on a block of them.
type Blocked struct {
	Body    *onnx.Graph   // inputs and outputs have the block's length; values of one element are read from the graph around
	Vectors []*onnx.Value // of the graph around, one for each input of Body
}

// Block writes the results, vectors of the same known length, as an expression for a block of that many elements. What the
// expression starts from are the vectors that no elementwise operator makes, those in stop, and those that others read
// than the expression.
//
// A chain of elementwise operators over long vectors moves each of its intermediates through memory; over a block that
// fits the cache it moves only what goes in and comes out.
func Block(g *onnx.Graph, results, stop []*onnx.Value, block int64) (*Blocked, error) {
	if len(results) == 0 {
		return nil, fmt.Errorf("block: no results")
	}
	k := &blocking{g: g, results: results, length: results[0].Type.Shape, block: block, member: map[*onnx.Node]bool{}, in: map[*onnx.Value]*onnx.Value{}}
	if len(k.length) != 1 || !k.length.Static() {
		return nil, fmt.Errorf("block: the results are %v, want vectors of known length", results[0].Type)
	}
	for _, v := range results {
		if !v.Type.Shape.Equal(k.length) {
			return nil, fmt.Errorf("block: results of %v and %v", results[0].Type, v.Type)
		}
		k.gather(v, stop)
	}
	for k.prune() {
	}
	out := &Blocked{Body: onnx.NewGraph("block")}
	k.sub = out
	outputs := make([]*onnx.Value, len(results))
	for i, v := range results {
		w := k.write(v)
		if w.Producer() == nil || slices.Contains(outputs[:i], w) { // handed through
			w = op.NewBuilder(out.Body).Identity(w)
		}
		outputs[i] = w
	}
	out.Body.SetOutputs(outputs...)
	return out, nil
}

type blocking struct {
	g       *onnx.Graph
	results []*onnx.Value
	length  onnx.Shape
	block   int64
	member  map[*onnx.Node]bool
	sub     *Blocked
	in      map[*onnx.Value]*onnx.Value // what stands for a value inside
}

// gather follows v back through elementwise operators.
func (k *blocking) gather(v *onnx.Value, stop []*onnx.Value) {
	n := v.Producer()
	if n == nil || n.Graph() != k.g || k.member[n] || slices.Contains(stop, v) || !k.long(v) || n.NumOutputs() != 1 || !n.Is(n.Op) || !slices.Contains(blockwise, n.Op) {
		return
	}
	for _, x := range n.Inputs() {
		if x != nil && !k.long(x) && !single(x) {
			return
		}
	}
	k.member[n] = true
	for _, x := range n.Inputs() {
		if x != nil {
			k.gather(x, stop)
		}
	}
}

func (k *blocking) long(v *onnx.Value) bool { return v.Type.Shape.Equal(k.length) }

// single reports whether v has one element and no more dimensions than a vector.
func single(v *onnx.Value) bool {
	s := v.Type.Shape
	return s.Ranked() && (len(s) == 0 || len(s) == 1 && s[0].Known() && s[0].Size == 1)
}

// prune takes out a node that others read as well; what it makes is then a vector to start from.
func (k *blocking) prune() bool {
	for n := range k.member {
		v := n.Output(0)
		if slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool { return !k.member[u.Node] && !slices.Contains(k.results, v) }) {
			delete(k.member, n)
			return true
		}
	}
	return false
}

// write gives what stands for v in the body.
func (k *blocking) write(v *onnx.Value) *onnx.Value {
	if w := k.in[v]; w != nil {
		return w
	}
	n := v.Producer()
	if !k.long(v) {
		return v // of one element: read from the graph around
	}
	if n == nil || !k.member[n] {
		w := k.sub.Body.AddInput("", onnx.TypeOf(v.Type.DType, k.block))
		k.sub.Vectors, k.in[v] = append(k.sub.Vectors, v), w
		return w
	}
	inputs := make([]*onnx.Value, n.NumInputs())
	for i, x := range n.Inputs() {
		if x != nil {
			inputs[i] = k.write(x)
		}
	}
	w := k.sub.Body.Add(n.Op, inputs, 1, n.Attrs...).Output(0)
	w.Type = onnx.TypeOf(v.Type.DType, k.block)
	k.in[v] = w
	return w
}
