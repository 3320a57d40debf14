package graphs

import (
	"fmt"
	"slices"

	"graft/onnx"
)

// APPNP is the network of Gasteiger et al. (arXiv 1810.05997): linear layers with ReLU between give z, and Steps times
// y becomes (1 - Teleport) D^-1/2 (A + 1) D^-1/2 y + Teleport z. The zero value is for Cora, 92,231 parameters.
type APPNP struct {
	In       int64   // features of a node; 1433
	Hidden   []int64 // width of each hidden layer; {64}
	Classes  int64   // 7
	Steps    int64   // 10
	Teleport float64 // 0.1
	Nodes    int64   // written into the model; 0: any number
	Edges    int64   // likewise, of a sparse graph
	Sparse   bool    // the graph is the input edges, int64 [2,E], and not adjacency, float [N,N]
	Given    bool    // the adjacency is taken as it is; edges then have edge_weights, float [E]
	Dropout  float64 // in front of each linear layer; 0
}

// Defaults fills the published values in where a field is zero.
func (c APPNP) Defaults() APPNP {
	if len(c.Hidden) == 0 {
		c.Hidden = []int64{64}
	}
	if c.Teleport == 0 {
		c.Teleport = 0.1
	}
	c.In, c.Classes, c.Steps = orDefault(c.In, 1433), orDefault(c.Classes, 7), orDefault(c.Steps, 10)
	return c
}

// Build makes the model: inputs x float [N,In] and the graph, output logits float [N,Classes].
func (c APPNP) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("appnp", seed)) }

func (c APPNP) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	s := graphSpec{c.In, c.Classes, c.Hidden, c.Nodes, c.Edges, c.Sparse, c.Given, c.Dropout}
	err := s.check()
	switch {
	case err != nil:
	case c.Steps < 1 || c.Steps > 1000:
		err = fmt.Errorf("%d steps: wants 1 to 1000", c.Steps)
	case !(c.Teleport > 0 && c.Teleport <= 1):
		err = fmt.Errorf("teleport %g: wants a part above 0, at most 1", c.Teleport)
	}
	if err != nil {
		return nil, fmt.Errorf("build appnp: %w", err)
	}
	g, x := newNeighbours(n, s)
	in := c.In
	for i, width := range append(slices.Clone(c.Hidden), c.Classes) {
		name := fmt.Sprintf("layer%d", i)
		if i > 0 {
			x = n.b.In(name).Relu(x)
		}
		x = g.biased(name, g.glorot(name, n.dropout(name, x, c.Dropout), in, width), width)
		in = width
	}
	spread, y, b := g.spreading(c.Given), x, n.b.In("spread")
	again := b.Mul(x, b.Scalar(x, c.Teleport))
	for range c.Steps {
		y = spread("spread", y)
		y = b.Add(b.Mul(y, b.Scalar(y, 1-c.Teleport)), again)
	}
	return n.logits(y)
}
