package oes_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/training"
	"graft/training/oes"
)

// trial is a problem with few steps for every method.
func trial(t *testing.T) *oes.Trial {
	t.Helper()
	p := problem(t)
	decoder := *p
	var err error
	if decoder.Network, err = (graphs.DeepDecoder{Channels: 8, Layers: 2, Out: 1, Height: side, Width: side}).Build(1); err != nil {
		t.Fatal(err)
	}
	decoder.Z = oes.NewZ(1, 1, 8, side/2, side/2)
	denoiser, err := graphs.DnCNN{Channels: 4, Layers: 3}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	return &oes.Trial{Problem: p, Decoder: &decoder, Sigma: 0.1, Sparsity: 0.8, Steps: 12, RoundSteps: 2, Seed: 3, Denoiser: denoiser,
		Mask: oes.MaskConfig{Keep: 0.2, Strength: 1, Steps: 4}, Stage: func(string, int64) oes.Run { return session(t) }}
}

// TestMethods: each gives a picture, those that prune keep the same number of weights and what is protected, and the work is
// what was told.
func TestMethods(t *testing.T) {
	protected := []string{"s0.up.bn.weight", "out.conv.weight"}
	for _, m := range oes.Methods() {
		if m.Doc == "" || m.Name == "" {
			t.Errorf("%q has no doc", m.Name)
		}
		if strings.HasPrefix(m.Name, "synflow") || strings.HasSuffix(m.Name, "-layer") && m.Name != "random-layer" {
			continue // a hundred rounds, in TestPrune; and what differs in nothing else
		}
		tr := trial(t)
		tr.Protect = protected
		taken := map[string]int64{}
		stage := tr.Stage
		tr.Stage = func(name string, steps int64) oes.Run {
			run := stage(name, steps)
			if name != "score" {
				taken[name] += steps
			}
			return run
		}
		out, err := m.Run(t.Context(), tr)
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		if in := tr.Problem.Region; len(out.Region.Pixels(out.Image)) != len(in.Pixels(tr.Problem.Noisy)) || out.Region.Width != in.Width || slices.ContainsFunc(out.Image.Float32s(), func(x float32) bool { return math.IsNaN(float64(x)) }) {
			t.Errorf("%s: a picture of %v", m.Name, out.Image.Dims)
		}
		if (out.Fit != nil) != (m.Needs&oes.NeedsSteps != 0) || (out.Keep != nil) != (m.Needs&oes.NeedsSparsity != 0) {
			t.Errorf("%s: fit %t, mask %t", m.Name, out.Fit != nil, out.Keep != nil)
		}
		total := int64(0)
		for _, v := range training.Parameters(tr.Problem.Network.Graph) {
			total += v.Const.Len()
		}
		work, sum := m.Work(tr, total), int64(0)
		for _, n := range taken {
			sum += n
		}
		if told := work.Fit + work.Mask + work.Decoder; told != sum && (m.Needs&oes.NeedsSparsity == 0 || told-sum > 100) {
			t.Errorf("%s: %d steps told, %d taken", m.Name, told, sum)
		}
		if out.Keep == nil {
			continue
		}
		kept, whole := int64(0), strings.HasSuffix(m.Name, "channels")
		for _, l := range oes.KeptLayers(tr.Problem.Network, out.Keep) {
			kept += l.Kept
			if slices.Contains(protected, l.Name) && l.Kept != l.Total && !whole {
				t.Errorf("%s: %d of %d of %s are left", m.Name, l.Kept, l.Total, l.Name)
			}
		}
		if want := masking.KeepCount(total, tr.Sparsity); kept != want && (!whole || kept == 0) || int64(len(out.Keep)) != total {
			t.Errorf("%s: %d of %d kept, want %d", m.Name, kept, total, want)
		}
		for _, v := range training.Parameters(oes.Masked(out.Fit.Model, out.Keep).Graph) {
			if !slices.Equal(v.Const.Data, out.Fit.Model.Graph.Lookup(v.Name).Const.Data) {
				t.Errorf("%s: what is pruned of %s has moved", m.Name, v.Name)
			}
		}
	}
	if _, err := oes.FindMethod("magic"); err == nil {
		t.Error("a method of no name")
	}
	tr := trial(t)
	tr.Denoiser = nil
	m, err := oes.FindMethod("dncnn")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Run(t.Context(), tr); err == nil {
		t.Error("a denoiser that is not there")
	}
}

// TestDeadLayers names a convolution and a norm of which nothing is left, and no bias.
func TestDeadLayers(t *testing.T) {
	m := problem(t).Network
	var keep []bool
	gone := []string{"s1.down2.conv.weight", "s0.down1.bn.weight", "s0.up.conv.bias"}
	for _, v := range training.Parameters(m.Graph) {
		keep = append(keep, slices.Repeat([]bool{!slices.Contains(gone, v.Name)}, int(v.Const.Len()))...)
	}
	dead := oes.DeadLayers(m, keep)
	slices.Sort(dead)
	if !slices.Equal(dead, []string{"s0.down1.bn.weight", "s1.down2.conv.weight"}) {
		t.Errorf("dead: %v", dead)
	}
	if v := oes.Masked(m, keep).Graph.Lookup(gone[0]).Const; slices.Max(v.Float32s()) != 0 || onnx.Read[float32](m.Graph.Lookup(gone[0]).Const)[0] == 0 {
		t.Error("masks are not put on a copy")
	}
}
