package oes_test

import (
	"bytes"
	"strings"
	"testing"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
	"graft/training/oes"
)

// sampled is a fresh classifier of eight numbers, of which the largest of the first three says the class.
func sampled(t *testing.T) *oes.Samples {
	t.Helper()
	m, err := graphs.MLP{In: 8, Hidden: []int64{16}, Classes: 3}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	const n = 96
	x, labels := onnx.NewTensor(onnx.Float, n, 8), onnx.NewTensor(onnx.Int64, n)
	noise.Uniform(x.Float32s(), noise.NewKey(1, "x", 0))
	for i := range n {
		labels.Int64s()[i] = int64(i % 3)
		x.Float32s()[8*i+i%3] += 2
	}
	rows := map[string]dataset.Rows{}
	for name, tensor := range map[string]*onnx.Tensor{"x": x, training.InputLabels: labels} {
		if rows[name], err = dataset.TensorRows(tensor); err != nil {
			t.Fatal(err)
		}
	}
	data, err := dataset.NewBatches(rows, nil, dataset.BatchConfig{Size: 32, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	entropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		t.Fatal(err)
	}
	return &oes.Samples{Network: m, Loss: entropy, Data: data}
}

// TestLearnMaskOnSamples: the loss falls though no weight moves; what is learned keeps the inputs that say something, is the same
// twice, and takes channels whole where it is asked to.
func TestLearnMaskOnSamples(t *testing.T) {
	p := sampled(t)
	c := oes.MaskConfig{Keep: 0.5, Strength: 0.1, Rate: 0.1, Steps: 150, Seed: 2}
	first, last, run := 0.0, 0.0, session(t)
	run.Progress = func(step, of int64, loss, _ float64) {
		if step <= 20 {
			first += loss / 20
		}
		if step > of-20 {
			last += loss / 20
		}
	}
	mask, err := p.LearnMask(t.Context(), c, run)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("loss from %.3f to %.3f", first, last)
	if last > 0.85*first || len(mask.Samples) != 6 {
		t.Errorf("loss from %.3f to %.3f, %d samples", first, last, len(mask.Samples))
	}
	set, err := mask.Choose(masking.ChannelChoice{Sparsity: 0.5})
	if err != nil || set.Kept() != masking.KeepCount(set.Total(), 0.5) {
		t.Fatalf("%v, %v", set, err)
	}
	layer := set.Get("fc0.weight")
	said, other := 0, 0
	for i, k := range layer.Keep {
		input := i % 8
		if layer.Dims[0] == 8 {
			input = i / 16
		}
		switch {
		case k && input < 3:
			said++
		case k:
			other++
		}
	}
	t.Logf("%d of 48 weights of what says the class are kept, %d of 80 others", said, other)
	if said*80 < other*48 {
		t.Errorf("%d of 48 weights of what says the class are kept, %d of 80 others", said, other)
	}
	again, err := sampled(t).LearnMask(t.Context(), c, session(t))
	if err != nil || !bytes.Equal(again.Logits.Data, mask.Logits.Data) {
		t.Errorf("the same run gives another mask, %v", err)
	}
	for _, v := range p.Network.Graph.Initializers() {
		if now := sampled(t).Network.Graph.Lookup(v.Name); !bytes.Equal(now.Const.Data, v.Const.Data) {
			t.Errorf("%s has moved", v.Name)
		}
	}

	c.Gate, c.Steps = oes.Channel, 20
	if mask, err = p.LearnMask(t.Context(), c, session(t)); err != nil {
		t.Fatal(err)
	}
	if mask.Gates.Len() != 16 || mask.Logits.Len() != 16 {
		t.Errorf("%d gates, %d logits", mask.Gates.Len(), mask.Logits.Len())
	}
	c.Gate = oes.Kernel
	if _, err := p.LearnMask(t.Context(), c, session(t)); err == nil || !strings.Contains(err.Error(), "no convolution") {
		t.Error(err)
	}
	c.Gate = "head"
	if _, err := p.LearnMask(t.Context(), c, session(t)); err == nil {
		t.Error("a gate that there is not")
	}
	p.Data, c.Gate = nil, ""
	if _, err := p.LearnMask(t.Context(), c, session(t)); err == nil {
		t.Error("without samples")
	}
}
