package oes_test

import (
	"math"
	"slices"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/training/degrade"
	"graft/training/oes"
)

// TestPrune: every score makes a mask of the asked-for size, the same twice.
func TestPrune(t *testing.T) {
	p := problem(t)
	for _, s := range masking.Scores {
		c := masking.Choice{Sparsity: 0.7, Seed: 2}
		set, err := p.Prune(t.Context(), s, c, session(t))
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if set.Kept() != masking.KeepCount(set.Total(), 0.7) {
			t.Errorf("%s: %d of %d kept", s.Name, set.Kept(), set.Total())
		}
		again, err := p.Prune(t.Context(), s, c, session(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range set.Masks() {
			if !slices.Equal(m.Keep, again.Get(m.Name).Keep) {
				t.Errorf("%s: %s is another the second time", s.Name, m.Name)
			}
		}
	}
}

// TestIMP: rounds end with the count asked for, what has gone stays gone, and the mask is better than chance.
func TestIMP(t *testing.T) {
	p := problem(t)
	n := int64(len(everyThird(p)))
	c := oes.IMPConfig{Keep: n / 3, Fraction: 0.5, Steps: 40}
	var rounds []int
	keep, err := p.IMP(t.Context(), c, func(round, of int) oes.Run {
		if rounds = append(rounds, round); of != 2 {
			t.Errorf("round %d of %d, want 2", round, of)
		}
		return session(t)
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := int64(0)
	for _, k := range keep {
		if k {
			kept++
		}
	}
	if kept != c.Keep || !slices.Equal(rounds, []int{1, 2}) || c.Rounds(n) != 2 {
		t.Errorf("%d kept in rounds %v, want %d", kept, rounds, c.Keep)
	}
	if got := (oes.IMPConfig{Keep: 165_420}).Rounds(3_008_867); got != 13 {
		t.Errorf("%d rounds to 0.8^13 of the weights, want 13", got)
	}
	if _, err := p.IMP(t.Context(), oes.IMPConfig{Keep: n + 1}, nil); err == nil {
		t.Error("more weights than there are")
	}
}

// TestSGLD: the image comes out, weights of convolutions have been moved by noise, and a run is the same twice.
func TestSGLD(t *testing.T) {
	p := problem(t)
	c := oes.SGLDConfig{Steps: 80, Seed: 5}
	fit, err := p.SGLD(t.Context(), c, session(t))
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.SGLD(t.Context(), c, session(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weights(fit.Model), weights(again.Model)) {
		t.Error("the same run gives other weights")
	}
	first, last := fit.Samples[0], fit.Samples[len(fit.Samples)-1]
	if last.Step != 80 || !(last.PSNR > first.PSNR) {
		t.Errorf("no progress: %+v", fit.Samples)
	}
}

// TestStop finds the step at which a picture stops changing, before noise is drawn into it.
func TestStop(t *testing.T) {
	var s oes.Stop
	s.Window, s.Patience = 10, 50
	x, draw := onnx.NewTensor(onnx.Float, 1, 1, 8, 8), make([]float32, 64)
	for step := range int64(400) {
		noise.Normal(draw, noise.NewKey(1, "stop", uint64(step)))
		settled := 1 - math.Exp(-float64(step)/20) // the picture comes
		noisy := max(0, float64(step)-150) / 500   // and from step 150 on its noise
		for i := range x.Float32s() {
			x.Float32s()[i] = float32(settled*math.Sin(float64(i)) + noisy*float64(draw[i]))
		}
		s.See(step, x)
	}
	if s.Step < 120 || s.Step > 170 || !s.Over || s.Image == nil || s.Variance <= 0 {
		t.Errorf("stopped at %d with variance %g, over: %t", s.Step, s.Variance, s.Over)
	}
}

// TestTasks draws pictures from what is observed of them.
func TestTasks(t *testing.T) {
	// So smooth a picture needs few columns of its transform: drawing it is not better there after so few steps.
	for task, gain := range map[string]float64{"inpaint": 3, "super-resolution": 0, "fourier": -12} {
		t.Run(task, func(t *testing.T) {
			p := problem(t)
			o, err := degrade.Observe(task, nil, p.Clean, 1)
			if err != nil {
				t.Fatal(err)
			}
			p.Noisy, p.Observe = o.Y, o.Graph
			fit, err := p.Fit(t.Context(), oes.FitConfig{Steps: 150, Rate: 1e-2}, session(t))
			if err != nil {
				t.Fatal(err)
			}
			plain, last := oes.RegionPSNR(o.Plain, p.Clean, p.Region), fit.Samples[len(fit.Samples)-1]
			t.Logf("%.2f dB drawn, %.2f dB plain; loss %.3g", last.PSNR, plain, last.Loss)
			if last.PSNR < plain+gain || last.Loss > 0.5*fit.Samples[0].Loss {
				t.Errorf("%.2f dB drawn, %.2f dB plain; loss %.3g from %.3g", last.PSNR, plain, last.Loss, fit.Samples[0].Loss)
			}
			if _, err := p.LearnMask(t.Context(), oes.MaskConfig{Keep: 0.4, Strength: 0.1, Steps: 5}, session(t)); err != nil {
				t.Error(err)
			}
		})
	}
}
