package training_test

import (
	"math"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
	"graft/training/optim"
)

// communities are nodes of three classes, many edges inside of each and few between, and features that hardly tell them apart.
type communities struct {
	x, adjacency, edges *onnx.Tensor
	weights             *onnx.Tensor // of the edges, where a network takes them
	known, others       *onnx.Tensor // labels of a sixth of the nodes, and of the rest; -100 elsewhere
}

func newCommunities() *communities {
	const n, classes, features = 120, 3, 6
	key := func(of string) noise.Key { return noise.NewKey(5, of, 0) }
	g := &communities{x: onnx.NewTensor(onnx.Float, n, features), adjacency: onnx.NewTensor(onnx.Float, n, n),
		known: onnx.NewTensor(onnx.Int64, n), others: onnx.NewTensor(onnx.Int64, n)}
	noise.Normal(g.x.Float32s(), key("x"))
	var from, to []int64
	for i := range n {
		class := i % classes
		g.x.Float32s()[i*features+class] += 0.6
		g.known.Int64s()[i], g.others.Int64s()[i] = -100, int64(class)
		if i/classes%6 == 0 {
			g.known.Int64s()[i], g.others.Int64s()[i] = int64(class), -100
		}
		for j := range i {
			p := float32(0.01)
			if j%classes == class {
				p = 0.25
			}
			if noise.Float(key("edges"), uint32(i*n+j)) < p {
				g.adjacency.Float32s()[i*n+j], g.adjacency.Float32s()[j*n+i] = 1, 1
				from, to = append(from, int64(i), int64(j)), append(to, int64(j), int64(i))
			}
		}
	}
	g.edges = onnx.FromSlice(append(from, to...), 2, int64(len(from)))
	return g
}

// cut is the same nodes without edges; edges need one to be there, of a node to itself.
func (g *communities) cut() *communities {
	c := *g
	c.adjacency = onnx.NewTensor(onnx.Float, g.adjacency.Dims...)
	c.edges = onnx.FromSlice([]int64{0, 0}, 2, 1)
	return &c
}

// learn trains a network on the known labels and judges it by the others: the loss before, and the accuracy behind.
func (g *communities) learn(t *testing.T, network graphs.Network) (before, accuracy float64) {
	t.Helper()
	m, err := network.Build(2)
	if err != nil {
		t.Fatal(err)
	}
	objective, err := loss.Lookup("cross-entropy")
	if err != nil {
		t.Fatal(err)
	}
	a, err := training.NewArtifacts(m, training.ArtifactConfig{Loss: objective, Optimizer: optim.Adam(optim.AdamConfig{})})
	if err != nil {
		t.Fatal(err)
	}
	options := runtimetest.OneThread(t)
	feeds := func(labels *onnx.Tensor) map[string]*onnx.Tensor {
		all := map[string]*onnx.Tensor{"x": g.x, "adjacency": g.adjacency, "edges": g.edges, "edge_weights": g.weights, training.InputLabels: labels}
		for name := range all {
			if m.Graph.Lookup(name) == nil && name != training.InputLabels {
				delete(all, name)
			}
		}
		return all
	}
	e, err := training.NewEvaluator(a.Eval, &a.Contract, a.Fused, options)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	judge := func(s *training.Snapshot) *training.Evaluation {
		data, err := dataset.NewBatches(nil, feeds(g.others), dataset.BatchConfig{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Evaluate(t.Context(), s, data)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	loop := training.Loop{Step: a.Fused, Session: options, Rate: func(int64) float64 { return 0.02 },
		Feed: func(int64) map[string]*onnx.Tensor { return feeds(g.known) }}
	end, err := loop.Run(t.Context(), a.Start(), 60, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return judge(a.Start()).Loss, *judge(end).Accuracy
}

// TestGraphNetworks trains each network on communities: what it says of nodes whose labels it has not seen is right only when
// messages pass, and is the same whether the graph is a matrix or a list of edges.
func TestGraphNetworks(t *testing.T) {
	g := newCommunities()
	for name, c := range map[string]struct{ dense, sparse graphs.Network }{
		"gcn":   {graphs.GCN{In: 6, Hidden: []int64{8}, Classes: 3}, graphs.GCN{In: 6, Hidden: []int64{8}, Classes: 3, Sparse: true}},
		"gat":   {graphs.GAT{In: 6, Hidden: []int64{4}, Heads: 2, Classes: 3}, graphs.GAT{In: 6, Hidden: []int64{4}, Heads: 2, Classes: 3, Sparse: true, Nodes: 120}},
		"sage":  {graphs.SAGE{In: 6, Hidden: []int64{8}, Classes: 3, Nodes: 120}, graphs.SAGE{In: 6, Hidden: []int64{8}, Classes: 3, Sparse: true}},
		"appnp": {graphs.APPNP{In: 6, Hidden: []int64{8}, Classes: 3, Steps: 4}, graphs.APPNP{In: 6, Hidden: []int64{8}, Classes: 3, Steps: 4, Sparse: true}},
	} {
		t.Run(name, func(t *testing.T) {
			before, dense := g.learn(t, c.dense)
			same, sparse := g.learn(t, c.sparse)
			_, alone := g.cut().learn(t, c.sparse)
			t.Logf("right: %.3f dense, %.3f sparse, %.3f without edges", dense, sparse, alone)
			if math.Abs(before-same) > 1e-5 {
				t.Errorf("untrained, the loss is %g dense and %g sparse", before, same)
			}
			if dense < 0.75 || sparse < 0.75 {
				t.Errorf("right: %g dense, %g sparse, want 0.75", dense, sparse)
			}
			if alone > 0.55 {
				t.Errorf("right without edges: %g, the features tell too much", alone)
			}
		})
	}
}

// given is the graph whose edges have the weights that GCN spreads with, a node's own among them.
func (g *communities) given() *communities {
	c, n := *g, int(g.x.Dims[0])
	c.adjacency = g.adjacency.Clone()
	a := c.adjacency.Float32s()
	degree := make([]float64, n)
	for i := range n {
		a[i*n+i] = 1
		for _, v := range a[i*n : i*n+n] {
			degree[i] += float64(v)
		}
	}
	var from, to []int64
	var weights []float32
	for i := range n {
		for j := range n {
			if a[i*n+j] != 0 {
				a[i*n+j] = float32(1 / math.Sqrt(degree[i]*degree[j]))
				from, to, weights = append(from, int64(j)), append(to, int64(i)), append(weights, a[i*n+j])
			}
		}
	}
	c.edges, c.weights = onnx.FromSlice(append(from, to...), 2, int64(len(from))), onnx.FromSlice(weights)
	return &c
}

// TestGivenWeights holds that a network which normalizes the adjacency and one that is given it normalized are the same.
func TestGivenWeights(t *testing.T) {
	g := newCommunities()
	own := graphs.GCN{In: 6, Hidden: []int64{8}, Classes: 3}
	want, _ := g.learn(t, own)
	own.Given = true
	dense, _ := g.given().learn(t, own)
	own.Sparse = true
	sparse, accuracy := g.given().learn(t, own)
	if math.Abs(dense-want) > 1e-5 || math.Abs(sparse-want) > 1e-5 || accuracy < 0.75 {
		t.Errorf("loss %g, given dense %g and sparse %g, which is right of %g", want, dense, sparse, accuracy)
	}
}
