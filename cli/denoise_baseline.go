package cli

import (
	"slices"

	"graft/masking"
	"graft/training/denoiser"
	"graft/training/metric"
	"graft/training/oes"
)

// baselines runs the methods of --baseline on the run's picture.
func (d *denoising) baselines(r *denoised) error {
	trial, err := d.trial(r.mask)
	if err != nil {
		return err
	}
	for _, name := range d.List("baseline") {
		if err := d.baseline(name, *trial, r); err != nil {
			return err
		}
	}
	return nil
}

// trial is the run's picture, with as many weights for every method as the mask keeps.
func (d *denoising) trial(kept *masking.Set) (*oes.Trial, error) {
	t := &oes.Trial{Problem: d.problem, Sparsity: 1 - float64(kept.Kept())/float64(kept.Total()), Steps: d.steps, RoundSteps: d.steps,
		Seed: d.Common.Seed, Denoiser: d.denoiser, Mask: d.maskConfig()}
	if d.IsSet("baseline-lr") {
		t.DenseRate = d.Float("baseline-lr")
	}
	if !slices.Contains(d.List("baseline"), studyDecoder) {
		return t, nil
	}
	decoder, err := findPrior(studyDecoder)
	if err != nil {
		return nil, err
	}
	t.Decoder, err = d.photo.problem(decoder, d.preset, d.Common.Seed)
	return t, err
}

// baseline runs one method.
func (d *denoising) baseline(name string, t oes.Trial, r *denoised) error {
	m, err := oes.FindMethod(name)
	if err != nil {
		return err
	}
	if m.Needs&oes.NeedsSparsity != 0 {
		t.Protect = d.keptWhole(m)
	}
	if m.Needs&oes.NeedsNoise != 0 {
		t.Sigma = d.level(name)
	}
	t.Stage = func(stage string, steps int64) oes.Run {
		if stage == "fit" {
			return d.stage(name, "train "+name, steps)
		}
		return d.stage(name+"-"+stage, stage+" of "+name, steps)
	}
	out, err := m.Run(d.Context(), &t)
	if err != nil {
		return err
	}
	if out.Keep != nil {
		d.warnDead(name, out.Keep)
	}
	image, err := cropTo(out.Image, out.Region)
	if err != nil {
		return err
	}
	d.curves = append(d.curves, curve{name, d.samples(name, out)})
	r.baselines = append(r.baselines, namedImage{name, image})
	return nil
}

// keptWhole are the parameters that a method's mask keeps whole: what its authors do, and of masks that are learned as the run's own
// what that keeps.
func (d *denoising) keptWhole(m oes.Method) (names []string) {
	if m.Whole != oes.WholeNorms {
		return d.protected()
	}
	for _, v := range d.problem.Network.Graph.Initializers() {
		if len(v.Const.Dims) == 1 {
			names = append(names, v.Name)
		}
	}
	return names
}

// level is the standard deviation of the noise, estimated where it is not known.
func (d *denoising) level(name string) float64 {
	sigma, known := d.task.Settings["sigma"]
	if !known {
		noisy := d.photo.noisy
		sigma = max(denoiser.Level(denoiser.Planes{Pix: noisy.Pix, Channels: noisy.Channels, Height: noisy.Height, Width: noisy.Width}), 1e-4)
		d.note("%s took the standard deviation of the noise, estimated from the picture, for %.4f.", name, sigma)
	}
	return sigma
}

// samples is a method's curve: of one that draws nothing it is one point, of one that stops by itself it ends there.
func (d *denoising) samples(name string, out *oes.Outcome) []oes.Sample {
	at := oes.Sample{PSNR: oes.NoPSNR}
	if d.problem.Clean != nil {
		at.PSNR = metric.PSNR(out.Region.Pixels(out.Image), d.photo.clean.Pix)
	}
	if out.Fit == nil {
		at.Loss = metric.MSE(out.Region.Pixels(out.Image), d.photo.noisy.Pix)
		return []oes.Sample{at}
	}
	samples := out.Fit.Samples
	if out.Stop == nil {
		return samples
	}
	d.note("%s stopped at step %d of %d.", name, out.Stop.Step, d.steps)
	i := max(0, slices.IndexFunc(samples, func(s oes.Sample) bool { return s.Step >= out.Stop.Step }))
	at.Step, at.Loss, at.Seconds = out.Stop.Step, samples[i].Loss, samples[i].Seconds
	return append(samples[:i], at)
}
