package dataset

import (
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

func TestBatches(t *testing.T) {
	x := onnx.NewTensor(onnx.Float, 10, 2)
	y := onnx.NewTensor(onnx.Int64, 10)
	for i := range 10 {
		x.Float32s()[2*i], x.Float32s()[2*i+1], y.Int64s()[i] = float32(i), float32(-i), int64(i)
	}
	fixed := onnx.FromSlice([]float32{7})
	batches := func(c BatchConfig) *Batches {
		b, err := NewBatches(map[string]Rows{"x": tensorRows{x}, "y": tensorRows{y}}, map[string]*onnx.Tensor{"z": fixed}, c)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := batches(BatchConfig{Size: 4, Partial: true, Seed: 1})
	if b.PerEpoch() != 3 || b.Epoch(3) != 1 || b.Epoch(4) != 2 {
		t.Errorf("%d steps an epoch", b.PerEpoch())
	}
	var epochs [2][]int64
	for step := int64(1); step <= 6; step++ {
		got, err := b.At(step)
		if err != nil {
			t.Fatal(err)
		}
		if got["z"] != fixed {
			t.Error("what is whole was copied")
		}
		labels := got["y"].Int64s()
		for i, l := range labels {
			if got["x"].Float32s()[2*i] != float32(l) || got["x"].Float32s()[2*i+1] != float32(-l) {
				t.Fatalf("step %d: sample %d of x does not belong to label %d", step, i, l)
			}
		}
		epochs[(step-1)/3] = append(epochs[(step-1)/3], labels...)
	}
	for _, e := range epochs {
		sorted := slices.Sorted(slices.Values(e))
		if !slices.Equal(sorted, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
			t.Errorf("an epoch of %v", e)
		}
	}
	if slices.Equal(epochs[0], epochs[1]) {
		t.Error("both epochs have one order")
	}
	again := batches(BatchConfig{Size: 4, Partial: true, Seed: 1})
	if got := at(t, again, 5)["y"].Int64s(); !slices.Equal(got, epochs[1][4:8]) {
		t.Errorf("step 5 asked for first gives %v, in order %v", got, epochs[1][4:8])
	}
	if other := at(t, batches(BatchConfig{Size: 10, Seed: 2}), 1)["y"].Int64s(); slices.Equal(other, epochs[0]) {
		t.Error("another seed, the same order")
	}
	if n := batches(BatchConfig{Size: 4}).PerEpoch(); n != 2 {
		t.Errorf("%d steps without the rest", n)
	}
}

func TestBatchRefusals(t *testing.T) {
	x := onnx.NewTensor(onnx.Float, 3, 2)
	for want, bad := range map[string]*onnx.Tensor{"is a scalar": onnx.Scalar(float32(1)), "no whole bytes": onnx.NewTensor(onnx.Int4, 8)} {
		if _, err := TensorRows(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for want, rows := range map[string]map[string]Rows{
		"samples, ":         {"x": tensorRows{x}, "y": tensorRows{onnx.NewTensor(onnx.Float, 4)}},
		"0 samples":         {"y": tensorRows{onnx.NewTensor(onnx.Float, 0)}},
		"of 8 of 3 samples": {"x": tensorRows{x}},
	} {
		if _, err := NewBatches(rows, nil, BatchConfig{Size: 8}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	b, err := NewBatches(nil, map[string]*onnx.Tensor{"x": x}, BatchConfig{})
	if err != nil || b.PerEpoch() != 1 || at(t, b, 9)["x"] != x {
		t.Errorf("whole tensors alone: %v", err)
	}
}

func at(t *testing.T, b interface {
	At(int64) (map[string]*onnx.Tensor, error)
}, step int64) map[string]*onnx.Tensor {
	t.Helper()
	got, err := b.At(step)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
