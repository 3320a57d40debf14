package oes_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/training"
	"graft/training/oes"
)

// TestGates: masks of kernels and of channels are learned, have the count asked for, and are the same when a run is cut and resumed.
func TestGates(t *testing.T) {
	for _, gate := range []oes.Gate{oes.Kernel, oes.Channel} {
		t.Run(string(gate), func(t *testing.T) {
			p, run := problem(t), session(t)
			c := oes.MaskConfig{Gate: gate, Keep: 0.5, Strength: 0.1, Rate: 1e-1, Steps: 150, Seed: 3}
			first, last := 0.0, 0.0
			run.Progress = func(step, of int64, loss, _ float64) {
				if step <= 25 {
					first += loss / 25
				}
				if step > of-50 {
					last += loss / 50
				}
			}
			mask, err := p.LearnMask(t.Context(), c, run)
			if err != nil {
				t.Fatal(err)
			}
			if last > 0.98*first {
				t.Errorf("the loss went from %g to %g", first, last)
			}
			if mask.Logits.Len() != int64(mask.Gates.Len()) {
				t.Fatalf("%d logits for %d gates", mask.Logits.Len(), mask.Gates.Len())
			}
			set, err := mask.Choose(masking.ChannelChoice{Sparsity: 0.5, Multiple: 4})
			if err != nil {
				t.Fatal(err)
			}
			if gate == oes.Channel {
				for _, g := range p.Channels() {
					kept := 0
					for c := range g.Count {
						if keepsSome(set, &g.Members[0], c) {
							kept++
						}
					}
					if kept != g.Count/2 {
						t.Errorf("%s keeps %d of %d", g.Name, kept, g.Count)
					}
				}
			} else {
				for _, m := range set.Masks() {
					if len(m.Dims) == 4 && m.Kept()*2 != int64(len(m.Keep)) || len(m.Dims) == 1 && m.Kept() != int64(len(m.Keep)) {
						t.Errorf("%s keeps %d of %d", m.Name, m.Kept(), len(m.Keep))
					}
				}
			}
			learned, chance := maskedPSNR(t, p, set, run), 0.0
			for seed := range uint64(4) {
				scores := make([]float32, mask.Gates.Len())
				noise.Uniform(scores, noise.NewKey(seed, "gates", 0))
				other, err := mask.Gates.Choose(scores, masking.ChannelChoice{Sparsity: 0.5, Multiple: 4})
				if err != nil {
					t.Fatal(err)
				}
				chance += maskedPSNR(t, p, other, run) / 4
			}
			if learned < chance+0.3 {
				t.Errorf("masking alone gives %.2f dB, masks at random %.2f dB", learned, chance)
			}
			dir := filepath.Join(t.TempDir(), "checkpoint")
			resumed := session(t)
			resumed.SaveEvery = 40
			resumed.Save = func(step *training.Step, snap *training.Snapshot, samples []oes.Sample) error {
				return step.SaveCheckpoint(dir, snap, samples)
			}
			resumed.Resume = func(step *training.Step) (*training.Snapshot, []oes.Sample, error) {
				var samples []oes.Sample
				snap, err := step.LoadCheckpoint(dir, nil, &samples)
				if errors.Is(err, training.ErrNoCheckpoint) {
					return nil, nil, nil
				}
				return snap, samples, err
			}
			ctx, cancel := context.WithCancel(t.Context())
			resumed.Progress = func(step, _ int64, _, _ float64) {
				if step == 60 {
					cancel()
				}
			}
			if _, err := p.LearnMask(ctx, c, resumed); !errors.Is(err, context.Canceled) {
				t.Fatalf("cut: %v", err)
			}
			again, err := p.LearnMask(t.Context(), c, resumed)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again.Logits.Data, mask.Logits.Data) {
				t.Error("the resumed mask is another")
			}
		})
	}
	if _, err := problem(t).LearnMask(t.Context(), oes.MaskConfig{Gate: "layer", Steps: 1}, session(t)); err == nil {
		t.Error("a gate that there is not")
	}
}

// maskedPSNR is what the network at its initialization draws under a mask.
func maskedPSNR(t *testing.T, p *oes.Problem, set *masking.Set, run oes.Run) float64 {
	t.Helper()
	m := p.Network.Clone()
	if err := masking.Apply(m.Graph, set); err != nil {
		t.Fatal(err)
	}
	image, err := p.Draw(t.Context(), m, run.Session)
	if err != nil {
		t.Fatal(err)
	}
	return oes.RegionPSNR(image, p.Clean, p.Region)
}

// keepsSome reports whether a mask keeps something of a channel.
func keepsSome(set *masking.Set, m *masking.Member, channel int) (kept bool) {
	m.Elements(channel, func(e int) { kept = kept || set.Get(m.Parameter).Keep[e] })
	return kept
}

// TestSmaller: every method of removing channels makes a network that is smaller, z included, and draws what the masked one draws.
func TestSmaller(t *testing.T) {
	p, run := problem(t), session(t)
	for _, s := range masking.ChannelScores {
		set, err := p.PruneChannels(t.Context(), s, masking.ChannelChoice{Sparsity: 0.5, Multiple: 2, Seed: 4}, run)
		if err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		masked := p.Network.Clone()
		if err := masking.Apply(masked.Graph, set); err != nil {
			t.Fatal(err)
		}
		want, err := p.Draw(t.Context(), masked, run.Session)
		if err != nil {
			t.Fatal(err)
		}
		small, err := p.Smaller(set)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != "bn-scale" && small.Z.Dims[1] != p.Z.Dims[1]/2 {
			t.Errorf("%s: z is %v", s.Name, small.Z.Dims)
		}
		if small.Network.Graph.Lookup("s0.down2.conv.weight").Const.Dims[0] != 4 {
			t.Errorf("%s: a layer keeps %v", s.Name, small.Network.Graph.Lookup("s0.down2.conv.weight").Const.Dims)
		}
		got, err := small.Draw(t.Context(), small.Network, run.Session)
		if err != nil {
			t.Fatal(err)
		}
		if d := furthest(want, got); d > 1e-5 {
			t.Errorf("%s: the smaller network draws something else, by %g", s.Name, d)
		}
	}
}

func furthest(a, b *onnx.Tensor) (most float64) {
	for i, x := range a.Float32s() {
		most = max(most, math.Abs(float64(x-b.Float32s()[i])))
	}
	return most
}
