package oes_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/oes"
)

const side = 32

// problem is a smooth picture with noise, and a small network for it.
func problem(t *testing.T) *oes.Problem {
	t.Helper()
	network := graphs.Hourglass{Channels: []int64{8, 8}, DownKernel: 3, In: 8, Out: 1, Height: side, Width: side}
	m, err := network.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	p := &oes.Problem{Network: m, Z: oes.NewZ(1, 1, 8, side, side), Region: oes.Region{X: 2, Y: 1, Width: side - 4, Height: side - 3}}
	p.Clean, p.Noisy = onnx.NewTensor(onnx.Float, 1, 1, side, side), onnx.NewTensor(onnx.Float, 1, 1, side, side)
	noise.Normal(p.Noisy.Float32s(), noise.NewKey(1, "noise", 0))
	for i := range p.Clean.Float32s() {
		x, y := float64(i%side)/side, float64(i/side)/side
		v := float32(0.5 + 0.3*math.Sin(5*x)*math.Cos(4*y))
		p.Clean.Float32s()[i] = v
		p.Noisy.Float32s()[i] = v + 0.1*p.Noisy.Float32s()[i]
	}
	return p
}

func session(t *testing.T) oes.Run {
	o := runtimetest.Options(t)
	o.Threads = 1
	return oes.Run{Session: o}
}

// keepRate is the mean probability of being kept.
func keepRate(logits *onnx.Tensor) float64 {
	sum := 0.0
	for _, p := range logits.Float32s() {
		sum += 1 / (1 + math.Exp(-float64(p)))
	}
	return sum / float64(logits.Len())
}

var maskConfig = oes.MaskConfig{Keep: 0.4, Strength: 0.1, Rate: 1e-1, Steps: 200, Seed: 3}

// TestLearnMask: the loss falls, the rate falls from a half to the prior, and the mask draws better than one at random.
func TestLearnMask(t *testing.T) {
	p, run := problem(t), session(t)
	steps := int64(0)
	first, last := 0.0, 0.0
	run.Progress = func(step, of int64, loss, psnr float64) {
		if steps++; step != steps || of != maskConfig.Steps {
			t.Errorf("step %d of %d, want %d", step, of, steps)
		}
		if step <= 25 {
			first += loss / 25
		}
		if step > of-50 {
			last += loss / 50
		}
	}
	mask, err := p.LearnMask(t.Context(), maskConfig, run)
	if err != nil {
		t.Fatal(err)
	}
	if steps != maskConfig.Steps || last > 0.98*first {
		t.Errorf("%d steps; the loss went from %g to %g", steps, first, last)
	}
	if rate := keepRate(mask.Logits); rate > 0.48 || rate < 0.36 {
		t.Errorf("the keep rate is %.3f, the prior %g", rate, maskConfig.Keep)
	}
	var at []int64
	for _, s := range mask.Samples {
		at = append(at, s.Step)
	}
	if !slices.Equal(at, []int64{25, 50, 75, 100, 125, 150, 175}) {
		t.Errorf("samples at %v", at)
	}
	again, err := p.LearnMask(t.Context(), maskConfig, session(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(mask.Logits.Data, again.Logits.Data) {
		t.Error("the same run gives other logits")
	}
	drawn := func(scores []float32) float64 {
		keep, err := masking.TopK(scores, masking.KeepCount(int64(len(scores)), 0.6), 1)
		if err != nil {
			t.Fatal(err)
		}
		m := p.Network.Clone()
		var masked []*onnx.Tensor
		for i, w := range training.Parameters(m.Graph) {
			tensor := w.Const.Clone()
			tensor.Name = mask.Packing.Names()[i]
			for k := range tensor.Float32s() {
				if !keep[k] {
					tensor.Float32s()[k] = 0
				}
			}
			keep = keep[tensor.Len():]
			masked = append(masked, tensor)
		}
		training.SetTensors(m, masked)
		image, err := p.Draw(t.Context(), m, run.Session)
		if err != nil {
			t.Fatal(err)
		}
		return oes.RegionPSNR(image, p.Clean, p.Region)
	}
	random := make([]float32, mask.Logits.Len())
	noise.Uniform(random, noise.NewKey(2, "scores", 0))
	if learned, chance := drawn(mask.Logits.Float32s()), drawn(random); learned < chance+0.5 {
		t.Errorf("masking alone gives %.2f dB, a mask at random %.2f dB", learned, chance)
	}
}

// TestFit: pruned weights are +0 to the bit, the loss falls, the last sample is of the final parameters.
func TestFit(t *testing.T) {
	p := problem(t)
	mask := everyThird(p)
	c := oes.FitConfig{Steps: 60, Rate: 1e-2, Mask: mask}
	fit, err := p.Fit(t.Context(), c, session(t))
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	rest := mask
	for _, v := range training.Parameters(fit.Model.Graph) {
		start := p.Network.Graph.Lookup(v.Name).Const
		for i, x := range v.Const.Float32s() {
			if !rest[i] && math.Float32bits(x) != 0 {
				t.Fatalf("%s: pruned element %d is %g", v.Name, i, x)
			}
			if rest[i] && x != start.Float32s()[i] {
				moved++
			}
		}
		rest = rest[v.Const.Len():]
	}
	if moved < len(mask)/4 {
		t.Errorf("%d of %d weights moved", moved, len(mask))
	}
	var at []int64
	for _, s := range fit.Samples {
		at = append(at, s.Step)
	}
	if !slices.Equal(at, []int64{25, 50, 60}) {
		t.Fatalf("samples at %v", at)
	}
	image, err := p.Draw(t.Context(), fit.Model, session(t).Session)
	if err != nil {
		t.Fatal(err)
	}
	last := fit.Samples[2]
	if !bytes.Equal(image.Data, fit.Image.Data) || last.PSNR != oes.RegionPSNR(image, p.Clean, p.Region) {
		t.Error("the last sample is not of the final parameters")
	}
	if last.Loss > 0.9*fit.Samples[0].Loss || last.PSNR < fit.Samples[0].PSNR {
		t.Errorf("no progress: %+v", fit.Samples)
	}
	again, err := p.Fit(t.Context(), c, session(t))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weights(fit.Model), weights(again.Model)) {
		t.Error("the same run gives other weights")
	}
	if _, err := p.Fit(t.Context(), oes.FitConfig{Steps: 1, Rate: 1e-2, Mask: mask[1:]}, session(t)); err == nil {
		t.Error("a mask of another length is taken")
	}
}

// everyThird keeps two weights of three.
func everyThird(p *oes.Problem) []bool {
	var keep []bool
	for _, v := range training.Parameters(p.Network.Graph) {
		for range v.Const.Len() {
			keep = append(keep, len(keep)%3 != 0)
		}
	}
	return keep
}

func weights(m *onnx.Model) []byte {
	var all []byte
	for _, v := range m.Graph.Initializers() {
		all = append(all, v.Const.Data...)
	}
	return all
}

// TestWithoutCleanPhoto: no PSNR is made up.
func TestWithoutCleanPhoto(t *testing.T) {
	p := problem(t)
	p.Clean = nil
	fit, err := p.Fit(t.Context(), oes.FitConfig{Steps: 30, Rate: 1e-3}, session(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range fit.Samples {
		if s.PSNR != oes.NoPSNR {
			t.Errorf("%+v", s)
		}
	}
}

// TestCutShort ends runs at every kind of moment and resumes them from what was saved.
func TestCutShort(t *testing.T) {
	p := problem(t)
	dir := filepath.Join(t.TempDir(), "checkpoint")
	saved := func(run oes.Run, every int64) oes.Run {
		run.SaveEvery = every
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
		return run
	}
	// until cancels when a step is reached; 0: never.
	until := func(run oes.Run, stop int64) (context.Context, oes.Run) {
		ctx, cancel := context.WithCancel(t.Context())
		t.Cleanup(cancel)
		run.Progress = func(step, _ int64, _, _ float64) {
			if step == stop {
				cancel()
			}
		}
		return ctx, run
	}
	steps := func(samples []oes.Sample) (out []float64) {
		for _, s := range samples {
			out = append(out, float64(s.Step), s.Loss, s.PSNR)
		}
		return out
	}
	fitConfig := oes.FitConfig{Steps: 60, Rate: 1e-2, Mask: everyThird(p)}
	wholeFit, err := p.Fit(t.Context(), fitConfig, session(t))
	if err != nil {
		t.Fatal(err)
	}
	var fit *oes.Fit
	for _, stop := range []int64{1, 25, 26, 51, 60, 0} {
		ctx, run := until(saved(session(t), 20), stop)
		fit, err = p.Fit(ctx, fitConfig, run)
		if stop > 0 && stop < 60 && !errors.Is(err, context.Canceled) {
			t.Fatalf("cut at %d: %v", stop, err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weights(fit.Model), weights(wholeFit.Model)) || !slices.Equal(steps(fit.Samples), steps(wholeFit.Samples)) {
		t.Errorf("resumed fit: %v\nwant %v", fit.Samples, wholeFit.Samples)
	}

	dir = filepath.Join(t.TempDir(), "mask")
	config := maskConfig
	config.Steps = 60
	whole, err := p.LearnMask(t.Context(), config, session(t))
	if err != nil {
		t.Fatal(err)
	}
	var mask *oes.Mask
	for _, stop := range []int64{7, 50, 0} {
		ctx, run := until(saved(session(t), 20), stop)
		mask, err = p.LearnMask(ctx, config, run)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(mask.Logits.Data, whole.Logits.Data) || !slices.Equal(steps(mask.Samples), steps(whole.Samples)) {
		t.Error("the resumed mask is another")
	}
	// A fit does not go on from the checkpoint of a mask.
	if _, err := p.Fit(t.Context(), fitConfig, saved(session(t), 20)); err == nil {
		t.Error("a fit resumed from a mask's checkpoint")
	}
}
