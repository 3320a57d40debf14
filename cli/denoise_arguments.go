package cli

import (
	"slices"

	"graft/training/oes"
)

// arguments checks what the flags' own ranges cannot.
func (d *denoising) arguments() error {
	if d.Out() == "" {
		return misuse("denoise needs --out DIR, the folder that the results go to")
	}
	for _, name := range []string{"model", "beta"} {
		if d.IsSet(name) {
			return misuse("--%s is for --method learned", name)
		}
	}
	if d.IsSet("noise") && d.IsSet("clean") {
		return misuse("--noise and --clean exclude each other: --noise makes the noisy photo, --clean says what one looks like without noise")
	}
	if d.IsSet("mask") && d.IsSet("sparsity") {
		return misuse("--mask and --sparsity exclude each other: the mask says what is removed")
	}
	var err error
	if d.task, err = readTask(d.call); err != nil {
		return err
	}
	if d.prior, err = findPrior(d.Text("network")); err != nil {
		return err
	}
	if err := d.defaultMaskArguments(); err != nil {
		return err
	}
	if n := d.Int("mask-steps"); n > 0 {
		d.preset.MaskSteps = int64(n)
	}
	if n := d.Int("train-steps"); n > 0 {
		d.preset.TrainSteps, d.preset.TrainPixels = int64(n), 0
	}
	d.sparsity = d.preset.Sparsity
	if d.IsSet("sparsity") {
		d.sparsity = d.Float("sparsity")
	}
	return d.baselineArguments()
}

// baselineArguments refuses methods that there are not, or not for this run.
func (d *denoising) baselineArguments() (err error) {
	if file := d.Text("dncnn"); file != "" {
		if d.denoiser, _, err = readDnCNN(file); err != nil {
			return refused(file, err)
		}
	}
	for i, name := range d.List("baseline") {
		if slices.Contains(d.List("baseline")[:i], name) {
			return misuse("--baseline names %s twice", name)
		}
		m, err := oes.FindMethod(name)
		if err != nil {
			return misuse("--baseline: %s%s", err, didYouMean(nearest(name, oes.MethodNames())))
		}
		if m.Needs&oes.NeedsNoise != 0 && d.task.observes() {
			return misuse("--baseline %s removes noise from a picture, --task %s is more than that", name, d.task.Name)
		}
		if m.Needs&oes.NeedsDenoiser != 0 && d.denoiser == nil {
			return misuse("--baseline %s needs --dncnn FILE, its trained weights", name)
		}
	}
	return nil
}
