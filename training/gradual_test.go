package training_test

import (
	"maps"
	"math"
	"slices"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/training"
)

// The cubic schedule of Zhu and Gupta: s(t) = f + (i - f)(1 - t)^3.
func TestGradualSchedule(t *testing.T) {
	g := training.Gradual{Initial: 0.2, Final: 0.9, Begin: 10, End: 50, Every: 15}
	if err := g.Check(); err != nil {
		t.Fatal(err)
	}
	for step, want := range map[int64]float64{0: 0, 9: 0, 10: 0.2, 30: 0.9 - 0.7/8, 40: 0.9 - 0.7/64, 50: 0.9, 70: 0.9} {
		if got := g.Sparsity(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: %g, want %g", step, got, want)
		}
	}
	var due []int64
	for step := range int64(80) {
		if g.Due(step) {
			due = append(due, step)
		}
	}
	if !slices.Equal(due, []int64{10, 25, 40, 50}) {
		t.Errorf("due behind %v", due)
	}
	for _, bad := range []training.Gradual{{Final: 1, End: 1, Every: 1}, {Final: 0.5, Initial: 0.6, End: 1, Every: 1}, {Final: 0.5, Begin: 2, End: 2, Every: 1}, {Final: 0.5, End: 2}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// Weights are pruned, biases and norms are not; what is masked stays masked, and the least magnitudes of all weights go first.
func TestPrune(t *testing.T) {
	a := artifacts(t, classifier(t), find(t, "cross-entropy", "sgd"))
	names := training.Prunable(a.Eval, a.Fused.Packing)
	if got := slices.Sorted(maps.Keys(names)); !slices.Equal(got, []string{"conv.weight", "fc.weight"}) {
		t.Fatalf("prunable: %v", got)
	}
	start := a.Start()
	half, err := a.Fused.Prune(start, names, 0.5, masking.Global, 0)
	if err != nil {
		t.Fatal(err)
	}
	if half.Trained == start.Trained || start.Mask != nil {
		t.Error("the snapshot was written to")
	}
	zeros := func(mask *onnx.Tensor, name string) (n int) {
		for _, t := range a.Fused.Packing.Unpack(mask) {
			for _, v := range t.Float32s() {
				if v == 0 && (name == "" || t.Name == name) {
					n++
				}
			}
		}
		return n
	}
	const total = 4*2*9 + 144*3
	if zeros(half.Mask, "") != total/2 || zeros(half.Mask, "conv.weight") == 36 { // uniform on ±0.3 against ±0.1
		t.Errorf("%d zeros, %d of them in conv.weight", zeros(half.Mask, ""), zeros(half.Mask, "conv.weight"))
	}
	// A weight that is zero is not taken for one that is masked.
	flat := half.Trained.Clone()
	at := slices.IndexFunc(half.Mask.Float32s(), func(v float32) bool { return v == 1 })
	flat.Float32s()[at] = 0
	half.Trained = flat
	same, err := a.Fused.Prune(half, names, 0.5, masking.Global, 7)
	if err != nil || !slices.Equal(same.Mask.Data, half.Mask.Data) {
		t.Errorf("pruned to the same fraction again the mask is another: %v", err)
	}
	more, err := a.Fused.Prune(half, names, 0.9, masking.Global, 0)
	if err != nil || zeros(more.Mask, "") != total-50 { // floor(0.1 * 504)
		t.Errorf("%d zeros: %v", zeros(more.Mask, ""), err)
	}
	for i, v := range half.Mask.Float32s() {
		if v == 0 && (more.Mask.Float32s()[i] != 0 || more.Trained.Float32s()[i] != 0) {
			t.Fatalf("weight %d came back", i)
		}
	}
	layers, err := a.Fused.Prune(start, names, 0.75, masking.Layer, 0)
	if err != nil || zeros(layers.Mask, "conv.weight") != 54 || zeros(layers.Mask, "fc.weight") != 324 {
		t.Errorf("by layer: %d and %d zeros: %v", zeros(layers.Mask, "conv.weight"), zeros(layers.Mask, "fc.weight"), err)
	}
}
