package oes_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"graft/masking"
	"graft/onnx/noise"
	"graft/training"
	"graft/training/oes"
)

// countKept counts a packed mask, and what it keeps of tensors of rank four and of others.
func countKept(p *oes.Problem, keep []bool) (weights, others, otherTotal int64) {
	for _, v := range training.Parameters(p.Network.Graph) {
		for _, k := range keep[:v.Const.Len()] {
			switch {
			case len(v.Const.Dims) == 4 && k:
				weights++
			case len(v.Const.Dims) != 4:
				otherTotal++
				if k {
					others++
				}
			}
		}
		keep = keep[v.Const.Len():]
	}
	return weights, others, otherTotal
}

// drawnWith is the error to the noisy image of the network's initialization under a mask.
func drawnWith(t *testing.T, p *oes.Problem, keep []bool) float64 {
	t.Helper()
	m, rest := p.Network.Clone(), keep
	for _, v := range training.Parameters(m.Graph) {
		w := v.Const.Clone()
		for i := range w.Float32s() {
			if !rest[i] {
				w.Float32s()[i] = 0
			}
		}
		v.Const, rest = w, rest[w.Len():]
	}
	image, err := p.Draw(t.Context(), m, session(t).Session)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, x := range image.Float32s() {
		d := float64(x - p.Noisy.Float32s()[i])
		sum += d * d
	}
	return sum / float64(image.Len())
}

// TestEdgePopup: the loss falls though no weight moves, the mask is the one whose loss it was, each layer keeps its share, and
// the network draws better than under a mask by chance.
func TestEdgePopup(t *testing.T) {
	p := problem(t)
	n := int64(len(everyThird(p)))
	c := oes.PopupConfig{Keep: n / 2, Steps: 100, Seed: 3}
	run, last := session(t), 0.0
	run.Progress = func(_, _ int64, loss, _ float64) { last = loss }
	keep, err := p.EdgePopup(t.Context(), c, run)
	if err != nil {
		t.Fatal(err)
	}
	weights, others, all := countKept(p, keep)
	if weights+others != c.Keep || others != all {
		t.Errorf("%d weights and %d of %d other parameters kept, want %d altogether", weights, others, all, c.Keep)
	}
	chance := make([]float32, n)
	noise.Uniform(chance, noise.NewKey(5, "chance", 0))
	rest, share := keep, []bool(nil)
	for _, v := range training.Parameters(p.Network.Graph) {
		part, kept := rest[:v.Const.Len()], int64(0)
		for _, k := range part {
			if k {
				kept++
			}
		}
		if f := float64(kept) / float64(len(part)); len(v.Const.Dims) == 4 && math.Abs(f-float64(weights)/float64(n-all)) > 0.1 {
			t.Errorf("%s keeps %.2f", v.Name, f)
		}
		random, err := masking.TopK(chance[len(share):len(share)+len(part)], kept, 1)
		if err != nil {
			t.Fatal(err)
		}
		share, rest = append(share, random...), rest[len(part):]
	}
	found, random := drawnWith(t, p, keep), drawnWith(t, p, share)
	t.Logf("error %.4f, of the last step %.4f, by chance %.4f", found, last, random)
	if found > 0.8*random || math.Abs(found-last) > 0.2*last {
		t.Errorf("error %.4f, of the last step %.4f, by chance %.4f", found, last, random)
	}
	for _, few := range []int64{0, all, all + 1, n + 1} {
		if _, err := p.EdgePopup(t.Context(), oes.PopupConfig{Keep: few, Steps: 1}, session(t)); err == nil {
			t.Errorf("%d of %d are kept", few, n)
		}
	}
	protected := training.Parameters(p.Network.Graph)[0].Name
	c.Protect, c.Steps = []string{protected}, 3
	if keep, err = p.EdgePopup(t.Context(), c, session(t)); err != nil || slices.Contains(keep[:p.Network.Graph.Lookup(protected).Const.Len()], false) {
		t.Errorf("%s is not whole, %v", protected, err)
	}
}

// recipes that train, by name.
var recipes = map[string]func(context.Context, *oes.Problem, int64, oes.Run) (*oes.Fit, []bool, error){
	"cubic": func(ctx context.Context, p *oes.Problem, keep int64, run oes.Run) (*oes.Fit, []bool, error) {
		return p.PruneWhileTraining(ctx, oes.GradualConfig{Keep: keep, Steps: 80, Every: 4}, run)
	},
	"authors": func(ctx context.Context, p *oes.Problem, keep int64, run oes.Run) (*oes.Fit, []bool, error) {
		return p.PruneWhileTraining(ctx, oes.GradualConfig{Keep: keep, Steps: 80, OES: true}, run)
	},
	"authors at random": func(ctx context.Context, p *oes.Problem, keep int64, run oes.Run) (*oes.Fit, []bool, error) {
		return p.PruneWhileTraining(ctx, oes.GradualConfig{Keep: keep, Steps: 80, OES: true, Random: true}, run)
	},
	"movement": func(ctx context.Context, p *oes.Problem, keep int64, run oes.Run) (*oes.Fit, []bool, error) {
		return p.Movement(ctx, oes.MovementConfig{Keep: keep, Steps: 80, Every: 4}, run)
	},
}

// TestPruneWhileTraining: the count asked for is left, what has gone is zero to the bit, the loss falls all the same, and a run
// that was cut off ends where a whole one does.
func TestPruneWhileTraining(t *testing.T) {
	for name, recipe := range recipes {
		t.Run(name, func(t *testing.T) {
			p := problem(t)
			n := int64(len(everyThird(p)))
			fit, keep, err := recipe(t.Context(), p, n/3, session(t))
			if err != nil {
				t.Fatal(err)
			}
			some, others, all := countKept(p, keep)
			if some+others != n/3 || (name == "cubic" || name == "movement") && others != all {
				t.Errorf("%d weights and %d of %d other parameters kept, want %d altogether", some, others, all, n/3)
			}
			rest := keep
			for _, v := range training.Parameters(fit.Model.Graph) {
				for i, x := range v.Const.Float32s() {
					if !rest[i] && math.Float32bits(x) != 0 {
						t.Fatalf("%s: element %d that has gone is %g", v.Name, i, x)
					}
				}
				rest = rest[v.Const.Len():]
			}
			first, last := fit.Samples[0], fit.Samples[len(fit.Samples)-1]
			t.Logf("loss %.4f after %d steps, %.4f after %d", first.Loss, first.Step, last.Loss, last.Step)
			if last.Step != 80 || last.Loss > first.Loss && name != "authors at random" { // which may cut every path
				t.Errorf("no progress: %+v", fit.Samples)
			}

			dir := filepath.Join(t.TempDir(), "checkpoint")
			for _, stop := range []int64{30, 0} {
				run := session(t)
				run.SaveEvery = 20
				run.Save = func(step *training.Step, snap *training.Snapshot, samples []oes.Sample) error {
					return step.SaveCheckpoint(dir, snap, samples)
				}
				run.Resume = func(step *training.Step) (*training.Snapshot, []oes.Sample, error) {
					var samples []oes.Sample
					snap, err := step.LoadCheckpoint(dir, nil, &samples)
					if errors.Is(err, training.ErrNoCheckpoint) {
						return nil, nil, nil
					}
					return snap, samples, err
				}
				ctx, cancel := context.WithCancel(t.Context())
				run.Progress = func(step, _ int64, _, _ float64) {
					if step == stop {
						cancel()
					}
				}
				again, kept, err := recipe(ctx, p, n/3, run)
				cancel()
				if stop > 0 {
					if !errors.Is(err, context.Canceled) {
						t.Fatalf("cut at %d: %v", stop, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(kept, keep) || !bytes.Equal(weights(again.Model), weights(fit.Model)) {
					t.Error("a run that was cut off ends elsewhere")
				}
			}
			for _, few := range []int64{-1, n + 1} {
				if _, _, err := recipe(t.Context(), p, few, session(t)); err == nil {
					t.Errorf("%d of %d are kept", few, n)
				}
			}
		})
	}
}

// TestMovementComesBack: what is off rests, and some of it comes back.
func TestMovementComesBack(t *testing.T) {
	p := problem(t)
	n := int64(len(everyThird(p)))
	run, back := session(t), 0
	var before *training.Snapshot
	run.SaveEvery = 2
	run.Save = func(_ *training.Step, s *training.Snapshot, _ []oes.Sample) error {
		now := *s
		now.Trained = s.Trained.Clone()
		if before != nil {
			for i, k := range now.Mask.Float32s() {
				was := before.Mask.Float32s()[i]
				if was == 0 && now.Trained.Float32s()[i] != before.Trained.Float32s()[i] {
					t.Fatalf("element %d is off and goes from %g to %g", i, before.Trained.Float32s()[i], now.Trained.Float32s()[i])
				}
				if was == 0 && k == 1 {
					back++
				}
			}
		}
		before = &now
		return nil
	}
	if _, _, err := p.Movement(t.Context(), oes.MovementConfig{Keep: n / 3, Steps: 30, Begin: 2, End: 30, Every: 2}, run); err != nil {
		t.Fatal(err)
	}
	if back == 0 {
		t.Error("nothing that was off is on again")
	}
}
