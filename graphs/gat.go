package graphs

import (
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// GAT is the graph attention network of Velickovic et al. (arXiv 1710.10903) for the classes of nodes: each head weighs node i
// itself and its neighbours j by softmax over j of LeakyReLU(a x_j W + c x_i W), heads stand side by side with ELU between
// layers, and those of the last layer are averaged. The zero value is for Cora, 92,373 parameters.
type GAT struct {
	In       int64   // features of a node; 1433
	Hidden   []int64 // width of a head, in each hidden layer; {8}
	Heads    int64   // of the hidden layers; 8
	OutHeads int64   // of the last; 1
	Classes  int64   // 7
	Nodes    int64   // written into the model; 0: any number
	Edges    int64   // likewise, of a sparse graph
	Sparse   bool    // the graph is the input edges, int64 [2,E], and not adjacency, float [N,N] with numbers above 0 for edges
	Dropout  float64 // in front of each layer and of what is weighed; 0
}

// Defaults fills the published values in where a field is zero.
func (c GAT) Defaults() GAT {
	if len(c.Hidden) == 0 {
		c.Hidden = []int64{8}
	}
	c.In, c.Classes, c.Heads, c.OutHeads = orDefault(c.In, 1433), orDefault(c.Classes, 7), orDefault(c.Heads, 8), orDefault(c.OutHeads, 1)
	return c
}

// Build makes the model: inputs x float [N,In] and the graph, output logits float [N,Classes].
func (c GAT) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("gat", seed)) }

func (c GAT) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	s := graphSpec{c.In, c.Classes, c.Hidden, c.Nodes, c.Edges, c.Sparse, false, c.Dropout}
	err := s.check()
	for _, heads := range []int64{c.Heads, c.OutHeads} {
		if err == nil && (heads < 1 || heads > 256) {
			err = fmt.Errorf("%d heads: wants 1 to 256", heads)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("build gat: %w", err)
	}
	g, x := newNeighbours(n, s)
	a := &attending{neighbours: g, ratio: c.Dropout}
	a.addSelves()
	in := c.In
	for i, width := range append(slices.Clone(c.Hidden), c.Classes) {
		name, heads, last := fmt.Sprintf("layer%d", i), c.Heads, i == len(c.Hidden)
		b := n.b.In(name)
		if last {
			heads = c.OutHeads
		}
		if i > 0 {
			x = b.Node("Elu", []*onnx.Value{x}, 1)[0]
		}
		h := g.glorot(name, n.dropout(name, x, c.Dropout), in, heads*width)
		y := a.attend(name, b.Reshape(h, 0, heads, width), heads, width)
		if in = heads * width; last {
			in = width
			y = b.ReduceMean(y, false, 1)
		} else {
			y = b.Reshape(y, 0, in)
		}
		x = g.biased(name, y, in)
	}
	return n.logits(x)
}

// attending is a graph whose nodes are their own neighbours too.
type attending struct {
	*neighbours
	mask   *onnx.Value // bool [N,N], of a dense graph
	target *onnx.Value // int64 [E], to without its second axis
	ratio  float64
}

func (a *attending) addSelves() {
	b := a.b.In("graph")
	whole := func(v int64) *onnx.Value { return b.Const(onnx.Scalar(v)) }
	selves := b.Range(whole(0), b.Squeeze(a.count, 0), whole(1))
	if a.dense != nil {
		same := b.Equal(b.Unsqueeze(selves, 0), b.Unsqueeze(selves, 1))
		a.mask = b.Or(b.Greater(a.dense, b.Scalar(a.dense, 0)), same)
		return
	}
	a.target = b.Concat(0, b.Squeeze(a.to, 1), selves)
	a.from, a.to = b.Concat(0, a.from, selves), b.Unsqueeze(a.target, 1)
}

// attend weighs h, float [N,heads,width].
func (a *attending) attend(name string, h *onnx.Value, heads, width int64) *onnx.Value {
	b := a.b.In(name)
	part := func(of string) *onnx.Value { // what a node says for itself, float [N,heads]
		w := a.param(name+".attention."+of, math.Sqrt(6/float64(heads+width)), heads, width)
		return b.ReduceSum(b.Mul(h, w), false, 2)
	}
	source, target := part("source"), part("target")
	if a.dense != nil {
		e := b.Add(b.Unsqueeze(b.Transpose(target, 1, 0), 2), b.Unsqueeze(b.Transpose(source, 1, 0), 1))
		e = b.Where(a.mask, b.LeakyRelu(e, slope), b.Scalar(e, -1e9))
		e = a.dropout(name+".attention", b.Softmax(e, 2), a.ratio)
		return b.Transpose(b.MatMul(e, b.Transpose(h, 1, 0, 2)), 1, 0, 2)
	}
	return a.attendEdges(b, name, h, source, target)
}

// attendEdges is softmax over the edges to each node. What is subtracted in front of Exp is within 1 of the largest: rounded up, it
// has no derivative, and none is missed, for it cancels.
func (a *attending) attendEdges(b *op.Builder, name string, h, source, target *onnx.Value) *onnx.Value {
	e := b.LeakyRelu(b.Add(b.Gather(source, a.from, 0), b.Gather(target, a.target, 0)), slope)
	most := b.Ceil(b.ScatterND(filled(b, b.Shape(target), -1e30), a.to, e, "max"))
	e = b.Exp(b.Sub(e, b.Gather(most, a.target, 0)))
	sum := b.ScatterND(filled(b, b.Shape(target), 0), a.to, e, "add")
	e = a.dropout(name+".attention", e, a.ratio)
	message := b.Mul(b.Unsqueeze(e, 2), b.Gather(h, a.from, 0))
	told := b.ScatterND(filled(b, b.Shape(h), 0), a.to, message, "add")
	return b.Div(told, b.Unsqueeze(sum, 2))
}
