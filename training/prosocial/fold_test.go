package prosocial

import (
	"context"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
)

const foldWidth = 24

// foldConfig is a small model of a type.
func foldConfig(modelType string) language.Config {
	c := language.Config{ModelType: modelType, VocabSize: 41, HiddenSize: foldWidth, IntermediateSize: 32, NumHiddenLayers: 2, NumAttentionHeads: 3,
		MaxPositionEmbeddings: 17, TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-5, PadTokenID: 1, TieWordEmbeddings: true, NumLabels: 5}
	if modelType == "llama" {
		c.NumAttentionHeads, c.NumKeyValueHeads, c.HiddenAct = 6, 3, "silu"
	}
	return c
}

// directionsOf are orthonormal.
func directionsOf(t *testing.T, k, width int) *Projection {
	t.Helper()
	p := &Projection{width: width}
	for i := range k {
		var v []float64
		for seed := uint64(100 + 10*i); len(v) < width; seed++ {
			v = append(v, normal(seed, 1)[0]...)
		}
		p.add(v[:width])
	}
	if len(p.Directions) != k {
		t.Fatal(len(p.Directions))
	}
	return p
}

// outputsOf runs a model on two lines of tokens.
func outputsOf(t *testing.T, m *onnx.Model, modelType string, names ...string) []*onnx.Tensor {
	t.Helper()
	ids := []int64{3, 17, 29, 8, 40, 5, 22, 9, 33, 4}
	ones := slices.Repeat([]int64{1}, len(ids))
	feeds := map[string]*onnx.Tensor{"input_ids": onnx.FromSlice(ids, 2, 5), "attention_mask": onnx.FromSlice(ones, 2, 5)}
	if language.HasPooler(modelType) && modelType == "bert" {
		feeds["token_type_ids"] = onnx.NewTensor(onnx.Int64, 2, 5)
	}
	for name := range feeds {
		if m.Graph.Lookup(name) == nil {
			delete(feeds, name)
		}
	}
	if modelType == "roberta" && m.Graph.Lookup("token_type_ids") != nil {
		feeds["token_type_ids"] = onnx.NewTensor(onnx.Int64, 2, 5)
	}
	got, err := runtimetest.Open(t, m, runtimetest.Options(t)).Run(context.Background(), feeds, names...)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*onnx.Tensor, len(names))
	for i, name := range names {
		out[i] = got[name]
	}
	return out
}

// rowsOf are the rows of a tensor, whose last dimension they are.
func rowsOf(x *onnx.Tensor) [][]float64 {
	width := int(x.Dims[len(x.Dims)-1])
	var out [][]float64
	for row := range slices.Chunk(x.Float32s(), width) {
		r := make([]float64, width)
		for i, v := range row {
			r[i] = float64(v)
		}
		out = append(out, r)
	}
	return out
}

func apart(a, b [][]float64) float64 {
	most := 0.
	for i := range a {
		most = math.Max(most, floats.Distance(a[i], b[i], math.Inf(1)))
	}
	return most
}

// TestFold: what a folded model makes of the last hidden state is what Apply makes of the model's own, nothing is left along the
// directions, and the heads see that: with the projection in their weights as with nodes for it, for few directions and for many.
func TestFold(t *testing.T) {
	for _, modelType := range language.ModelTypes() {
		n, err := NewNetwork(foldConfig(modelType), language.FeatureExtraction, 5)
		if err != nil {
			t.Fatal(err)
		}
		m, err := n.Build(language.Options{})
		if err != nil {
			t.Fatal(err)
		}
		hidden := rowsOf(outputsOf(t, m, modelType, "last_hidden_state")[0])
		for _, k := range []int{2, 15} {
			p := directionsOf(t, k, foldWidth)
			want := make([][]float64, len(hidden))
			for i, row := range hidden {
				want[i] = slices.Clone(row)
				p.Apply(want[i])
			}
			folded := m.Clone()
			done, err := p.Fold(folded, rewrite.ProjectOptions{})
			if err != nil || done.Kept == "" || done.LowRank != (k == 2) {
				t.Fatalf("%s: %+v, %v", modelType, done, err)
			}
			got := rowsOf(outputsOf(t, folded, modelType, "last_hidden_state")[0])
			if d := apart(got, want); d > 2e-6 {
				t.Errorf("%s, %d directions: %g apart", modelType, k, d)
			}
			for _, row := range got {
				for _, u := range p.Directions {
					if left := math.Abs(floats.Dot(row, u)) / floats.Norm(row, 2); left > 1e-6 {
						t.Errorf("%s, %d directions: %g is left", modelType, k, left)
					}
				}
			}
		}
		p := directionsOf(t, 2, foldWidth)
		for _, task := range language.Tasks(modelType)[1:] {
			t.Run(modelType+" "+task, func(t *testing.T) { foldHead(t, n, task, p, hidden) })
		}
	}
}

// foldHead folds a projection into a model with a head.
func foldHead(t *testing.T, n *Network, task string, p *Projection, hidden [][]float64) {
	full := n.with(nil)
	o := language.Options{Task: task}
	if err := full.complete(o, 6); err != nil {
		t.Fatal(err)
	}
	m, err := full.Build(o)
	if err != nil {
		t.Fatal(err)
	}
	modelType := n.Config.ModelType
	// What is found is the last hidden state.
	shown := m.Clone()
	op.InferModel(shown)
	x, err := language.LastHidden(shown.Graph)
	if err != nil {
		t.Fatal(err)
	}
	shown.Graph.AddOutput(x, "found")
	y := outputsOf(t, shown, modelType, "found", "logits")
	if d := apart(rowsOf(y[0]), hidden); d > 2e-6 {
		t.Fatalf("what was found is %g away from the last hidden state", d)
	}
	before := rowsOf(y[1])
	nodes := m.Clone()
	if done, err := p.Fold(nodes, rewrite.ProjectOptions{Nodes: true}); err != nil || len(done.Merged) > 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	byNodes := rowsOf(outputsOf(t, nodes, modelType, "logits")[0])
	if d := apart(byNodes, before); d < 1e-3 {
		t.Fatalf("the projection changes logits by %g", d)
	}
	tied := task == language.TextGeneration // the models' heads share the table
	merged := m.Clone()
	done, err := p.Fold(merged, rewrite.ProjectOptions{})
	if err != nil || (len(done.Merged) == 0) != (tied || task == language.TextClassification && language.Decoder(modelType)) {
		t.Fatalf("%+v, %v", done, err)
	}
	if d := apart(rowsOf(outputsOf(t, merged, modelType, "logits")[0]), byNodes); d > 5e-6 {
		t.Errorf("in weights and in nodes: %g apart", d)
	}
	if len(done.Merged) > 0 && merged.Graph.NumNodes() != m.Graph.NumNodes() {
		t.Errorf("%d nodes, before %d", merged.Graph.NumNodes(), m.Graph.NumNodes())
	}
	changed, names, reason, err := p.FoldWeights(full, task, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Merged) == 0 && !tied {
		if changed != nil || reason == "" {
			t.Errorf("weights %v, %s", names, reason)
		}
		return
	}
	w, err := changed.Build(o)
	if err != nil {
		t.Fatal(err)
	}
	if d := apart(rowsOf(outputsOf(t, w, modelType, "logits")[0]), byNodes); d > 5e-6 {
		t.Errorf("weights of a network and nodes: %g apart", d)
	}
	if tied != (changed.Weights["lm_head.weight"] != nil && !changed.Config.TieWordEmbeddings) || full.Weights["lm_head.weight"] != nil && tied {
		t.Errorf("changed %v", names)
	}
}
