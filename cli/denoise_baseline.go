package cli

import (
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/training/denoiser"
	"graft/training/metric"
	"graft/training/oes"
)

// baseline is a method that a run can be compared with, besides the pruning scores.
type baseline struct {
	Name, Doc string
	Noise     bool // it removes noise and nothing else
	Run       func(d *denoising, name string) (*oes.Fit, error)
}

// baselines lists them; docs/denoise.md has the table.
var baselines = []baseline{
	{"dense", "the same network and initialization, unmasked", false, (*denoising).dense},
	{"decoder", "deep decoder of 1x1 convolutions", false, (*denoising).decoder},
	{"sgld", "the dense network with noise on its input and its weights", false, (*denoising).sgld},
	{"es-wmv", "the dense network, stopped where its pictures vary least", false, (*denoising).stopped},
	{"tv", "total variation", true, (*denoising).variation},
	{"bm3d", "block matching", true, (*denoising).blocks},
}

// baselineNames lists every baseline.
func baselineNames() []string {
	var names []string
	for _, b := range baselines {
		names = append(names, b.Name)
	}
	return append(names, masking.ScoreNames()...)
}

// findBaseline gives a baseline that is no pruning score, or nil.
func findBaseline(name string) *baseline {
	i := slices.IndexFunc(baselines, func(b baseline) bool { return b.Name == name })
	if i < 0 {
		return nil
	}
	return &baselines[i]
}

func (d *denoising) baselines(r *denoised) error {
	for _, name := range d.List("baseline") {
		fit, err := d.baseline(name, r.mask)
		if err != nil {
			return err
		}
		d.curves = append(d.curves, curve{name, fit.Samples})
		r.baselines = append(r.baselines, namedImage{name, fit.Image})
	}
	return nil
}

func (d *denoising) baseline(name string, kept *masking.Set) (*oes.Fit, error) {
	if b := findBaseline(name); b != nil {
		return b.Run(d, name)
	}
	score, err := masking.FindScore(name)
	if err != nil {
		return nil, err
	}
	return d.pruned(score, kept)
}

// dense has the same network, initialization, z, noise and steps.
func (d *denoising) dense(name string) (*oes.Fit, error) {
	return d.problem.Fit(d.Context(), oes.FitConfig{Steps: d.steps, Rate: d.denseRate()}, d.stage(name, "train "+name, d.steps))
}

func (d *denoising) denseRate() float64 {
	if d.IsSet("baseline-lr") {
		return d.Float("baseline-lr")
	}
	return d.preset.DenseRate
}

// decoder is padded as the run's own network is where both halve as often, and drawn in a frame of its own.
func (d *denoising) decoder(name string) (*oes.Fit, error) {
	decoder, err := findPrior("decoder")
	if err != nil {
		return nil, err
	}
	p, err := d.photo.problem(decoder, d.preset, d.Common.Seed)
	if err != nil {
		return nil, err
	}
	fit, err := p.Fit(d.Context(), oes.FitConfig{Steps: d.steps, Rate: 1e-2}, d.stage(name, "train "+name, d.steps))
	if err != nil {
		return nil, err
	}
	fit.Image, err = cropTo(fit.Image, p.Region)
	return fit, err
}

func (d *denoising) sgld(name string) (*oes.Fit, error) {
	return d.problem.SGLD(d.Context(), oes.SGLDConfig{Steps: d.steps, Seed: d.Common.Seed}, d.stage(name, "train "+name, d.steps))
}

// stopped is the dense network where the variance of its pictures over a window of steps is least. The window is in no checkpoint:
// a run that was cut off begins this one again.
func (d *denoising) stopped(name string) (*oes.Fit, error) {
	run := d.stage(name, "train "+name, d.steps)
	run.Save, run.Resume = nil, nil
	var stop oes.Stop
	run.Seen = stop.See
	fit, err := d.problem.Fit(d.Context(), oes.FitConfig{Steps: d.steps, Rate: d.denseRate()}, run)
	if err != nil || stop.Image == nil {
		return fit, err
	}
	i := slices.IndexFunc(fit.Samples, func(s oes.Sample) bool { return s.Step >= stop.Step })
	at := oes.Sample{Step: stop.Step, Loss: fit.Samples[max(i, 0)].Loss, Seconds: fit.Samples[max(i, 0)].Seconds, PSNR: oes.NoPSNR}
	if d.problem.Clean != nil {
		at.PSNR = oes.RegionPSNR(stop.Image, d.problem.Clean, d.problem.Region)
	}
	d.note("es-wmv stopped at step %d of %d.", stop.Step, d.steps)
	return &oes.Fit{Model: fit.Model, Samples: append(fit.Samples[:max(i, 0)], at), Image: stop.Image}, nil
}

func (d *denoising) variation(name string) (*oes.Fit, error) {
	return d.filtered(name, func(y denoiser.Planes, sigma float64) (denoiser.Planes, error) {
		x, _, err := denoiser.TVForNoise(y, sigma, denoiser.TVConfig{})
		return x, err
	})
}

func (d *denoising) blocks(name string) (*oes.Fit, error) { return d.filtered(name, denoiser.BM3D) }

// filtered is a method that draws nothing: its curve is one point.
func (d *denoising) filtered(name string, method func(denoiser.Planes, float64) (denoiser.Planes, error)) (*oes.Fit, error) {
	d.Progress().Stage(name, 0)
	noisy := d.photo.noisy
	y := denoiser.Planes{Pix: noisy.Pix, Channels: noisy.Channels, Height: noisy.Height, Width: noisy.Width}
	sigma, known := d.task.Settings["sigma"]
	if !known {
		sigma = max(denoiser.Level(y), 1e-4)
		d.note("%s took the standard deviation of the noise, estimated from the picture, for %.4f.", name, sigma)
	}
	x, err := method(y, sigma)
	if err != nil {
		return nil, err
	}
	image := onnx.FromSlice(x.Pix, 1, int64(x.Channels), int64(x.Height), int64(x.Width))
	at := oes.Sample{Loss: metric.MSE(x.Pix, noisy.Pix), PSNR: oes.NoPSNR}
	if d.photo.clean != nil {
		at.PSNR = metric.PSNR(x.Pix, d.photo.clean.Pix)
	}
	return &oes.Fit{Samples: []oes.Sample{at}, Image: image}, nil
}

// pruned keeps as many weights as the learned mask does, by a score taken at initialization.
func (d *denoising) pruned(score masking.Score, kept *masking.Set) (*oes.Fit, error) {
	run := d.stage(score.Name, "train "+score.Name, d.steps)
	sparsity := 1 - float64(kept.Kept())/float64(kept.Total())
	set, err := d.problem.Prune(d.Context(), score, masking.Choice{Sparsity: sparsity, Seed: d.Common.Seed}, run)
	if err != nil {
		return nil, err
	}
	keep, err := oes.PackMask(d.problem.Network, set)
	if err != nil {
		return nil, err
	}
	d.warnDead(score.Name, keep)
	return d.problem.Fit(d.Context(), oes.FitConfig{Steps: d.steps, Rate: d.preset.SparseRate, Mask: keep}, run)
}
