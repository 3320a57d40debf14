package graphs

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// SAGE is GraphSAGE of Hamilton et al. (arXiv 1706.02216) with the mean, over all neighbours: layers of
// mean(neighbours) W + b + x V with ReLU between. The zero value is for Cora, 46,103 parameters.
type SAGE struct {
	In      int64   // features of a node; 1433
	Hidden  []int64 // width of each hidden layer; {16}
	Classes int64   // 7
	Nodes   int64   // written into the model; 0: any number
	Edges   int64   // likewise, of a sparse graph
	Sparse  bool    // the graph is the input edges, int64 [2,E], and not adjacency, float [N,N]
	Given   bool    // the adjacency is taken as it is, its rows are means already; edges then have edge_weights, float [E]
	Dropout float64 // in front of each layer; 0
}

// Defaults fills values in where a field is zero.
func (c SAGE) Defaults() SAGE {
	if len(c.Hidden) == 0 {
		c.Hidden = []int64{16}
	}
	c.In, c.Classes = orDefault(c.In, 1433), orDefault(c.Classes, 7)
	return c
}

// Build makes the model: inputs x float [N,In] and the graph, output logits float [N,Classes].
func (c SAGE) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("sage", seed)) }

func (c SAGE) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	s := graphSpec{c.In, c.Classes, c.Hidden, c.Nodes, c.Edges, c.Sparse, c.Given, c.Dropout}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("build sage: %w", err)
	}
	g, x := newNeighbours(n, s)
	var share *onnx.Value // 1 over the degree, 1 for nodes without neighbours
	if b := n.b.In("graph"); !c.Given {
		degree := g.degree()
		share = b.Reciprocal(b.Max(degree, b.Scalar(degree, 1)))
	}
	in := c.In
	for i, width := range append(slices.Clone(c.Hidden), c.Classes) {
		name := fmt.Sprintf("layer%d", i)
		b := n.b.In(name)
		if i > 0 {
			x = b.Relu(x)
		}
		x = n.dropout(name, x, c.Dropout)
		mean := g.told(name, x)
		if share != nil {
			mean = b.Mul(mean, share)
		}
		y := g.biased(name+".neighbours", g.glorot(name+".neighbours", mean, in, width), width)
		x = b.Add(y, g.glorot(name+".own", x, in, width))
		in = width
	}
	return n.logits(x)
}
