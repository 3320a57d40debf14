package graphs

import (
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// graphSpec says which graph a network on the nodes of a graph is given.
type graphSpec struct {
	in, classes  int64
	widths       []int64
	nodes, edges int64 // 0: any number
	sparse       bool
	given        bool
	dropout      float64
}

func (s graphSpec) check() error {
	if err := checkClassifier(s.in, s.classes, s.widths); err != nil {
		return err
	}
	if s.nodes < 0 || s.nodes > 1<<24 || s.edges < 0 || s.edges > 1<<28 {
		return fmt.Errorf("%d nodes and %d edges: wants up to %d and %d, 0 for any number", s.nodes, s.edges, 1<<24, 1<<28)
	}
	if s.edges > 0 && !s.sparse {
		return fmt.Errorf("%d edges: a dense adjacency has nodes alone, set sparse=true", s.edges)
	}
	return checkDropout(s.dropout)
}

// neighbours is the graph that messages go along: a dense adjacency [nodes, nodes], whose row i has the weights of what node i
// is told by the others, or edges [2, count], each from the node of the first row to that of the second. Its own builder's
// nodes are shared by all layers.
type neighbours struct {
	*net
	dense    *onnx.Value
	from, to *onnx.Value // int64 [E] and [E,1]
	weights  *onnx.Value // float [E,1]; nil: ones
	count    *onnx.Value // of nodes, int64 [1]
}

// newNeighbours adds the inputs x and adjacency, or edges and, when the weights are given, edge_weights.
func newNeighbours(n *net, s graphSpec) (g *neighbours, x *onnx.Value) {
	b := n.b.In("graph")
	free := func(count int64, symbol string) onnx.Dim {
		if count > 0 {
			return onnx.Dim{Size: count}
		}
		return onnx.Dim{Symbol: symbol}
	}
	nodes, edges := free(s.nodes, batchDim), free(s.edges, "E")
	input := func(name string, dtype onnx.DataType, dims ...onnx.Dim) *onnx.Value {
		return n.g.AddInput(name, onnx.TensorType{DType: dtype, Shape: dims})
	}
	x = input("x", onnx.Float, nodes, onnx.Dim{Size: s.in})
	g = &neighbours{net: n, count: b.ShapeSlice(x, 0, 1)}
	if !s.sparse {
		g.dense = input("adjacency", onnx.Float, nodes, nodes)
		return g, x
	}
	ends := input("edges", onnx.Int64, onnx.Dim{Size: 2}, edges)
	g.from = b.Gather(ends, b.Const(onnx.Scalar(int64(0))), 0)
	g.to = b.Unsqueeze(b.Gather(ends, b.Const(onnx.Scalar(int64(1))), 0), 1)
	if s.given {
		g.weights = b.Unsqueeze(input("edge_weights", onnx.Float, edges), 1)
	}
	return g, x
}

// told is the weighted sum of what the neighbours of each node have, float [N,F].
func (g *neighbours) told(name string, h *onnx.Value) *onnx.Value {
	b := g.b.In(name)
	if g.dense != nil {
		return b.MatMul(g.dense, h)
	}
	message := b.Gather(h, g.from, 0)
	if g.weights != nil {
		message = b.Mul(message, g.weights)
	}
	return b.ScatterND(filled(b, b.Shape(h), 0), g.to, message, "add")
}

// degree is the sum of the weights of what each node is told, float [N,1].
func (g *neighbours) degree() *onnx.Value {
	b := g.b.In("graph")
	if g.dense != nil {
		return b.ReduceSum(g.dense, true, 1)
	}
	return b.ScatterND(filled(b, b.Concat(0, g.count, b.Ints(1)), 0), g.to, filled(b, b.Shape(g.to), 1), "add")
}

// filled is a tensor of one number.
func filled(b *op.Builder, dims *onnx.Value, v float32) *onnx.Value {
	return b.ConstantOfShape(dims, onnx.FromSlice([]float32{v}))
}

// spreading is what GCN and APPNP multiply by: the adjacency as it is given, or D^-1/2 (A + 1) D^-1/2 with the degrees D of
// A + 1 (Kipf and Welling, arXiv 1609.02907), without making that matrix.
func (g *neighbours) spreading(given bool) func(name string, h *onnx.Value) *onnx.Value {
	if given {
		return g.told
	}
	b := g.b.In("graph")
	degree := g.degree()
	scale := b.Reciprocal(b.Sqrt(b.Add(degree, b.Scalar(degree, 1))))
	return func(name string, h *onnx.Value) *onnx.Value {
		b := g.b.In(name)
		h = b.Mul(h, scale)
		return b.Mul(b.Add(g.told(name, h), h), scale)
	}
}

// glorot is x times a weight [out, in] from U(-a, a), a = sqrt(6/(in+out)).
func (g *neighbours) glorot(name string, x *onnx.Value, in, out int64) *onnx.Value {
	w := g.param(name+".weight", math.Sqrt(6/float64(in+out)), out, in)
	return g.b.In(name).Gemm(x, w, nil, op.GemmAttrs{TransB: true})
}

// biased is x plus a bias that begins as zeros.
func (g *neighbours) biased(name string, x *onnx.Value, width int64) *onnx.Value {
	return g.b.In(name).Add(x, g.constant(name+".bias", 0, width))
}
