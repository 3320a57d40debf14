package graphs

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// GCN is the graph convolutional network of Kipf and Welling (arXiv 1609.02907) for the classes of nodes: layers of
// D^-1/2 (A + 1) D^-1/2 x W + b with ReLU between. The zero value is for Cora, 23,063 parameters.
type GCN struct {
	In      int64   // features of a node; 1433
	Hidden  []int64 // width of each hidden layer; {16}
	Classes int64   // 7
	Nodes   int64   // written into the model; 0: any number
	Edges   int64   // likewise, of a sparse graph
	Sparse  bool    // the graph is the input edges, int64 [2,E], and not adjacency, float [N,N]
	Given   bool    // the adjacency is taken as it is; edges then have edge_weights, float [E]
	Dropout float64 // in front of each layer; 0
}

// Defaults fills the published values in where a field is zero.
func (c GCN) Defaults() GCN {
	if len(c.Hidden) == 0 {
		c.Hidden = []int64{16}
	}
	c.In, c.Classes = orDefault(c.In, 1433), orDefault(c.Classes, 7)
	return c
}

// Build makes the model: inputs x float [N,In] and the graph, output logits float [N,Classes].
func (c GCN) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("gcn", seed)) }

func (c GCN) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	s := graphSpec{c.In, c.Classes, c.Hidden, c.Nodes, c.Edges, c.Sparse, c.Given, c.Dropout}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("build gcn: %w", err)
	}
	g, x := newNeighbours(n, s)
	spread, in := g.spreading(c.Given), c.In
	for i, width := range append(slices.Clone(c.Hidden), c.Classes) {
		name := fmt.Sprintf("layer%d", i)
		if i > 0 {
			x = n.b.In(name).Relu(x)
		}
		x = g.glorot(name, n.dropout(name, x, c.Dropout), in, width)
		x = g.biased(name, spread(name, x), width)
		in = width
	}
	return n.logits(x)
}
