package training_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
)

// The ones and zeros of a GroupNorm, as PyTorch's exporters write it, stay as they are, and a note says so. Numbers of another
// value, norms without a scale and a bias behind them, and what --train names, are trained.
func TestGroupScales(t *testing.T) {
	trained := func(train string, scale float32, groups, affine bool) (names []string, a *training.Artifacts) {
		m := groupNorm(t, scale, groups, affine)
		c := find(t, "mse", "adam")
		if train != "" {
			c.Train = regexp.MustCompile(train)
		}
		a = artifacts(t, m, c)
		for _, p := range a.Contract.Parameters {
			names = append(names, p.Name)
		}
		return names, a
	}
	own := []string{"conv", "scale", "bias"}
	names, a := trained("", 1, true, true)
	if !slices.Equal(names, own) || !slices.Equal(a.Contract.Frozen, []string{"norm/ones", "norm/zeros"}) ||
		len(a.Contract.Notes) != 1 || !strings.HasPrefix(a.Contract.Notes[0], `"norm/ones", "norm/zeros" stay as they are`) {
		t.Errorf("trained %v, frozen %v, notes %q", names, a.Contract.Frozen, a.Contract.Notes)
	}
	all := []string{"conv", "norm/ones", "norm/zeros", "scale", "bias"}
	for _, c := range []struct {
		train          string
		scale          float32
		groups, affine bool
		want           []string
	}{
		{".", 1, true, true, all},
		{"^norm", 1, true, true, []string{"norm/ones", "norm/zeros"}},
		{"", 2, true, true, all},
		{"", 1, false, true, all},
		{"", 1, true, false, []string{"conv", "norm/ones", "norm/zeros"}},
	} {
		names, a := trained(c.train, c.scale, c.groups, c.affine)
		slices.Sort(names)
		slices.Sort(c.want)
		if !slices.Equal(names, c.want) || len(a.Contract.Notes) != 0 {
			t.Errorf("%+v: trained %v, notes %q", c, names, a.Contract.Notes)
		}
	}
}

// Metadata of graphs and nodes, which PyTorch's exporter writes, needs no mend: the models made say the version that has it.
func TestMetadataOfNodes(t *testing.T) {
	m := groupNorm(t, 1, true, true)
	m.IRVersion = 10
	m.Graph.Metadata.Set("namespace", "model")
	m.Graph.Nodes()[0].Metadata.Set("namespace", "model/conv")
	a := artifacts(t, m, find(t, "mse", "adam"))
	for _, m := range []*onnx.Model{a.Training, a.Eval, a.Fused.Model} {
		if found := onnx.Check(m); m.IRVersion != 10 || len(found) != 0 {
			t.Errorf("version %d: %v", m.IRVersion, found)
		}
	}
	if a.Optimizer.IRVersion != 8 {
		t.Errorf("the optimizer, which has none of it, is of version %d", a.Optimizer.IRVersion)
	}
}

// groupNorm is a convolution and a norm of two groups of two channels; groups false normalizes each channel.
func groupNorm(t *testing.T, scale float32, groups, affine bool) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("net")
	b := op.NewBuilder(g)
	x := b.Conv(g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 1, 3, 3)), g.AddInitializer("conv", filled("conv", 1, 4, 1, 1, 1)), nil, op.ConvAttrs{})
	n := int64(4)
	if groups {
		n, x = 2, b.Reshape(x, 0, 2, -1)
	}
	ones := onnx.NewTensor(onnx.Float, n)
	for i := range ones.Float32s() {
		ones.Float32s()[i] = scale
	}
	y := b.InstanceNormalization(x, b.Named(b.Const(ones), "norm/ones"), b.Named(b.Const(onnx.NewTensor(onnx.Float, n)), "norm/zeros"), 1e-5)
	if groups {
		y = b.Reshape(y, 2, 4, 3, 3)
	}
	if affine {
		y = b.Add(b.Mul(y, g.AddInitializer("scale", filled("scale", 1, 4, 1, 1))), g.AddInitializer("bias", filled("bias", 1, 4, 1, 1)))
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	g.AddOutput(y, "y")
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}
