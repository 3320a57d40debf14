package training_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/training"
)

func TestLossFalls(t *testing.T) {
	f := newTiny(t, false)
	var losses []float64
	l := f.loop(t, 1e-2, func(p training.Progress) error {
		if out, err := p.Output(); p.Step != int64(len(losses)+1) || err != nil || out.Len() != 256 {
			t.Errorf("step %d after %d, output %v, %v", p.Step, len(losses), out, err)
		}
		losses = append(losses, p.Loss)
		return nil
	})
	snap, err := l.Run(t.Context(), f.step.NewSnapshot(f.start, nil), 80, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if snap.Steps != 80 || len(losses) != 80 {
		t.Errorf("%d steps, %d losses", snap.Steps, len(losses))
	}
	if first, last := losses[0], losses[79]; last > first*0.8 {
		t.Errorf("loss went from %g to %g", first, last)
	}
}

// What the mask takes away stays +0 in parameters and slots, and the rest moves.
func TestMaskedStayZero(t *testing.T) {
	f := newTiny(t, true)
	mask := f.everyThird()
	snap := f.step.NewSnapshot(f.start, nil)
	if err := snap.ApplyMask(mask); err != nil {
		t.Fatal(err)
	}
	before := snap.Trained.Clone()
	snap, err := f.loop(t, 1e-2, nil).Run(t.Context(), snap, 30, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for name, v := range map[string]*onnx.Tensor{"trained": snap.Trained, "momentum0": snap.Slots["momentum0"], "momentum1": snap.Slots["momentum1"]} {
		bits := onnx.View[float32](v)
		for i, keep := range mask.Float32s() {
			if keep == 0 && !bytes.Equal(v.Data[4*i:4*i+4], []byte{0, 0, 0, 0}) {
				t.Fatalf("%s: masked element %d is %g", name, i, bits[i])
			}
			if name == "trained" && keep == 1 && bits[i] != before.Float32s()[i] {
				moved++
			}
		}
	}
	if moved < int(f.step.Packing.Len())/3 {
		t.Errorf("only %d of %d parameters moved", moved, f.step.Packing.Len())
	}
	if f.start.Float32s()[0] == 0 {
		t.Error("the mask was applied to the caller's tensor")
	}
}

// same compares two states to the bit.
func same(a, b *training.Snapshot) bool {
	ok := a.Steps == b.Steps && bytes.Equal(a.Trained.Data, b.Trained.Data) && len(a.Slots) == len(b.Slots)
	for name, t := range a.Slots {
		ok = ok && bytes.Equal(t.Data, b.Slots[name].Data)
	}
	return ok
}

func TestSameSeedSameBytes(t *testing.T) {
	var states []*training.Snapshot
	for range 2 {
		f := newTiny(t, false)
		snap, err := f.loop(t, 1e-2, nil).Run(t.Context(), f.step.NewSnapshot(f.start, nil), 20, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, snap)
	}
	if !same(states[0], states[1]) {
		t.Error("two equal runs differ")
	}
}

// A run saved at every k and continued from any of its checkpoints is bit for bit the uninterrupted one.
func TestResumedRunIsTheSame(t *testing.T) {
	f := newTiny(t, true)
	mask := f.everyThird()
	begin := f.step.NewSnapshot(f.start, nil)
	if err := begin.ApplyMask(mask); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "saved")
	type note struct{ Note string }
	var saved []int64
	whole, err := f.loop(t, 1e-2, nil).Run(t.Context(), begin, 20, 7, func(s *training.Snapshot) error {
		saved = append(saved, s.Steps)
		return f.step.SaveCheckpoint(dir, s, note{"hello"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(saved) != 2 || saved[0] != 7 || saved[1] != 14 {
		t.Errorf("saved at %v", saved)
	}
	for _, folder := range []string{dir, dir + ".previous"} {
		again := newTiny(t, true)
		var extra note
		snap, err := again.step.LoadCheckpoint(folder+"/", mask, &extra)
		if err != nil {
			t.Fatal(err)
		}
		if extra.Note != "hello" || !snap.Masked {
			t.Errorf("extra %v, masked %t", extra, snap.Masked)
		}
		resumed, err := again.loop(t, 1e-2, nil).Run(t.Context(), snap, 20, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !same(whole, resumed) {
			t.Errorf("continued from step %d the run is another", snap.Steps)
		}
	}
	if _, err := f.step.LoadCheckpoint(dir, f.start, nil); err == nil || !strings.Contains(err.Error(), "another mask") {
		t.Errorf("another mask: %v", err)
	}
}

// A context that ends during a step, or in the caller's own function after one, gives the state of that moment.
func TestCanceledRunCanBeSaved(t *testing.T) {
	f := newTiny(t, false)
	whole, err := f.loop(t, 1e-2, nil).Run(t.Context(), f.step.NewSnapshot(f.start, nil), 12, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		l := f.loop(t, 1e-2, func(p training.Progress) error {
			if p.Step == 5 {
				cancel()
				if own {
					return ctx.Err()
				}
			}
			return nil
		})
		snap, err := l.Run(ctx, f.step.NewSnapshot(f.start, nil), 12, 0, nil)
		if !errors.Is(err, context.Canceled) || snap.Steps != 5 {
			t.Fatalf("stopped at %d: %v", snap.Steps, err)
		}
		dir := filepath.Join(t.TempDir(), "c")
		if err := f.step.SaveCheckpoint(dir, snap, nil); err != nil {
			t.Fatal(err)
		}
		if snap, err = f.step.LoadCheckpoint(dir, nil, nil); err != nil {
			t.Fatal(err)
		}
		if snap, err = f.loop(t, 1e-2, nil).Run(t.Context(), snap, 12, 0, nil); err != nil || !same(whole, snap) {
			t.Errorf("own %t: continued run differs (%v)", own, err)
		}
	}
}

func TestDivergence(t *testing.T) {
	f := newTiny(t, false)
	saved := int64(0)
	l := f.loop(t, 1e38, nil)
	_, err := l.Run(t.Context(), f.step.NewSnapshot(f.start, nil), 50, 1, func(s *training.Snapshot) error {
		saved = s.Steps
		if !s.Finite() {
			t.Errorf("step %d: parameters without value are saved", s.Steps)
		}
		return nil
	})
	if !errors.Is(err, training.ErrDiverged) || !strings.Contains(err.Error(), "step ") {
		t.Fatalf("after %d steps: %v", saved, err)
	}
	t.Log(err)
}

func TestStepRefusals(t *testing.T) {
	f := newTiny(t, false)
	snap := f.step.NewSnapshot(f.start, nil)
	snap.Steps = 1
	if _, err := f.loop(t, 1e-2, nil).Run(t.Context(), snap, 2, 0, nil); err == nil || !strings.Contains(err.Error(), `no slot "momentum0"`) {
		t.Errorf("missing slot: %v", err)
	}
	l := f.loop(t, 1e-2, nil)
	l.Feed = func(int64) map[string]*onnx.Tensor { return map[string]*onnx.Tensor{"z": f.z} }
	if _, err := l.Run(t.Context(), f.step.NewSnapshot(f.start, nil), 1, 0, nil); err == nil || !strings.Contains(err.Error(), "target") {
		t.Errorf("target not fed: %v", err)
	}
}
