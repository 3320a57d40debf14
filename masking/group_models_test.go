package masking_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

var largeModels = flag.Bool("models", false, "take channels from a ResNet-50 too")

// TestChannelsOfModels takes channels from models that others made.
func TestChannelsOfModels(t *testing.T) {
	shared := "../../shared/data/onnx"
	if _, err := os.Stat(shared); err != nil {
		shared = "../../../shared/data/onnx" // a worktree beside the others
	}
	for file, c := range map[string]struct {
		groups   int
		sparsity float64
		light    bool // all weights are one number, and those of one shape are one tensor
	}{
		"../export/testdata/mnist_cntk.onnx":                 {2, 0.5, false},
		filepath.Join(shared, "ort_bert_toy_optimized.onnx"): {11, 0.5, false},
		filepath.Join(shared, "light_squeezenet.onnx"):       {25, 0.5, true},
		filepath.Join(shared, "light_resnet50.onnx"):         {37, 0.5, true},
		filepath.Join(shared, "ort_cnn_mnist_pytorch.onnx"):  {3, 0.5, false},
	} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if _, err := os.Stat(file); err != nil {
				t.Skip("no such file")
			}
			if strings.Contains(file, "resnet50") && !*largeModels {
				t.Skip("without -models")
			}
			m, err := onnx.Load(file, onnx.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := rewrite.Upgrade(m); err != nil {
				t.Fatal(err)
			}
			m.Graph.UnlistInitializers() // old files let a caller override every weight
			op.InferModel(m)
			if _, err := rewrite.Fold(m.Graph, rewrite.Folding{}); err != nil {
				t.Fatal(err)
			}
			op.InferModel(m)
			if c.light {
				ownWeights(m.Graph)
			}
			groups := masking.Groups(m.Graph)
			score, _ := masking.FindChannelScore("l1-norm")
			set, err := masking.ChooseChannels(groups, masking.Weights(masking.Parameters(m.Graph), 1), score, masking.ChannelChoice{Sparsity: c.sparsity, Multiple: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := masking.Apply(m.Graph, set); err != nil {
				t.Fatal(err)
			}
			want := outputs(t, m)
			before := macs(m)
			done, err := masking.Compact(m.Graph)
			if err != nil {
				t.Fatal(err)
			}
			got := outputs(t, m)
			most, size := 0.0, 0.0
			for i, a := range want {
				for k, x := range a.Float32s() {
					most = max(most, math.Abs(float64(x-got[i].Float32s()[k])))
					size = max(size, math.Abs(float64(x)))
				}
			}
			t.Logf("%d groups; %d of %d weights, %d of %d MACs left; outputs to %g differ by %g", len(groups), done.After, done.Before, macs(m), before, size, most)
			for _, g := range groups {
				t.Log(describe(g))
			}
			if len(groups) != c.groups || most > 1e-5*max(size, 1) {
				t.Errorf("%d groups, want %d; outputs to %g differ by %g", len(groups), c.groups, size, most)
			}
		})
	}
}

func macs(m *onnx.Model) (n int64) {
	for _, node := range m.Graph.Nodes() {
		if k, _, ok := op.MACs(node); ok {
			n += k
		}
	}
	return n
}

// ownWeights gives every node weights of its own, of numbers that differ.
func ownWeights(g *onnx.Graph) {
	for _, n := range g.Nodes() {
		for i, v := range n.Inputs() {
			if v == nil || op.ConstantOf(v) == nil || op.ConstantOf(v).DType != onnx.Float || !op.IsWeightInput(n, i) && !n.Is("BatchNormalization") {
				continue
			}
			name := fmt.Sprintf("%s.%d", n.Output(0).Name, i)
			t := onnx.NewTensor(onnx.Float, slices.Clone(op.ConstantOf(v).Dims)...)
			noise.Uniform(t.Float32s(), noise.NewKey(1, name, 0))
			scale := float32(1)
			if len(t.Dims) > 1 {
				scale = 4 / float32(math.Sqrt(float64(t.Len()/t.Dims[0])))
			}
			for i, u := range t.Float32s() {
				if t.Float32s()[i] = u + 0.5; scale != 1 {
					t.Float32s()[i] = (u - 0.5) * scale
				}
			}
			n.SetInput(i, g.AddInitializer(name, t))
		}
	}
	g.RemoveUnused()
}
