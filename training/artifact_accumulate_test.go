package training_test

import (
	"bytes"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
	"graft/training"
)

// fit runs the fused step on rows [n*(k-1), n*k) of x in step k.
func fit(t *testing.T, a *training.Artifacts, x *onnx.Tensor, n, steps int64, from *training.Snapshot) *training.Snapshot {
	t.Helper()
	target := filled("accumulated target", 1, x.Dims...)
	rows := func(v *onnx.Tensor, step int64) *onnx.Tensor {
		return onnx.FromSlice(v.Float32s()[3*n*(step-1):3*n*step], n, 3)
	}
	l := &training.Loop{Step: a.Fused, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 0.05 },
		Feed: func(step int64) map[string]*onnx.Tensor {
			return map[string]*onnx.Tensor{"x": rows(x, step), training.InputTarget: rows(target, step)}
		}}
	end, err := l.Run(t.Context(), from, steps, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// Four batches of two samples make the update of one batch of eight, and between updates nothing moves.
func TestAccumulateIsOneLargeBatch(t *testing.T) {
	x := filled("accumulated", 1, 24, 3)
	for _, optimizer := range []string{"sgd", "adam", "adagrad"} {
		large := artifacts(t, twoHeads(t), find(t, "mse", optimizer))
		want := fit(t, large, x, 8, 3, large.Start())
		config := find(t, "mse", optimizer)
		config.Accumulate = 4
		small := artifacts(t, twoHeads(t), config)
		got := fit(t, small, x, 2, 12, small.Start())
		for i, w := range want.Trained.Float32s() {
			if g := got.Trained.Float32s()[i]; math.Abs(float64(g-w)) > 2e-6 {
				t.Errorf("%s: parameter %d is %g, with the large batch %g", optimizer, i, g, w)
			}
		}
		two := fit(t, small, x, 2, 8, small.Start())
		if between := fit(t, small, x, 2, 11, two); !bytes.Equal(between.Trained.Data, two.Trained.Data) {
			t.Errorf("%s: parameters move between updates", optimizer)
		}
	}
}

// Saved between two updates, a run goes on as if it had not been.
func TestAccumulateResumes(t *testing.T) {
	x := filled("accumulated", 1, 24, 3)
	config := find(t, "mse", "adam")
	config.Accumulate, config.EMA = 4, 0.5
	a := artifacts(t, twoHeads(t), config)
	want := fit(t, a, x, 2, 12, a.Start())
	dir := t.TempDir()
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	step, contract, err := training.OpenArtifacts(dir)
	if err != nil {
		t.Fatal(err)
	}
	a.Fused = step
	checkpoint := filepath.Join(dir, training.CheckpointDir)
	for _, until := range []int64{6, 12} {
		snap, err := step.LoadCheckpoint(checkpoint, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := step.SaveCheckpoint(checkpoint, fit(t, a, x, 2, until, snap), nil); err != nil {
			t.Fatal(err)
		}
	}
	got, err := step.LoadCheckpoint(checkpoint, nil, nil)
	if err != nil || !same(want, got) {
		t.Errorf("the run that was saved is another (%v)", err)
	}
	if contract.Accumulate != 4 || contract.EMA != 0.5 || contract.Slots[2] != "ema" {
		t.Errorf("contract: %d, %v, %v", contract.Accumulate, contract.EMA, contract.Slots)
	}
}

// The average begins at the parameters and follows them.
func TestEMA(t *testing.T) {
	x := filled("accumulated", 1, 24, 3)
	config := find(t, "mse", "sgd")
	config.EMA = 0.75
	a := artifacts(t, twoHeads(t), config)
	snap := a.Start()
	average := make([]float64, snap.Trained.Len())
	for i, v := range snap.Trained.Float32s() {
		average[i] = float64(v)
	}
	for step := int64(1); step <= 3; step++ {
		snap = fit(t, a, x, 8, step, snap)
		for i, p := range snap.Trained.Float32s() {
			average[i] = 0.75*average[i] + 0.25*float64(p)
			if got := float64(snap.Slots["ema"].Float32s()[i]); math.Abs(got-average[i]) > 1e-6 {
				t.Fatalf("step %d: average %d is %g, want %g", step, i, got, average[i])
			}
		}
	}
	dir := filepath.Join(t.TempDir(), "checkpoint")
	if err := a.Fused.SaveCheckpoint(dir, snap, nil); err != nil {
		t.Fatal(err)
	}
	tensors, _, err := training.ReadAverage(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range a.Fused.Packing.Unpack(snap.Slots["ema"]) {
		if got := tensors[want.Name]; got == nil || got.Name != want.Name || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("average of %s: %v", want.Name, got)
		}
	}
	plain := artifacts(t, twoHeads(t), find(t, "mse", "sgd"))
	if err := plain.Fused.SaveCheckpoint(dir, fit(t, plain, x, 8, 1, plain.Start()), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := training.ReadAverage(dir); err == nil || !strings.Contains(err.Error(), "has no moving average") {
		t.Errorf("average of a checkpoint without: %v", err)
	}
}
