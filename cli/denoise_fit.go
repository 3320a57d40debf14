package cli

import (
	"cmp"
	"math"
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/training/oes"
)

// denoised is what a run made.
type denoised struct {
	summary   denoiseSummary
	mask      *masking.Set
	fit       *oes.Fit
	masked    *onnx.Tensor // the image by masking alone
	baselines []namedImage
	exported  exportedModels
}

// namedImage is the picture that a baseline ends with.
type namedImage struct {
	Name  string
	Image *onnx.Tensor // of the run's frame, or of the photo's size
}

// sparse is stage B, and what masking alone draws.
func (d *denoising) sparse(mask *masking.Set) (*denoised, error) {
	r := &denoised{mask: mask}
	flat, err := oes.PackMask(d.problem.Network, mask)
	if err != nil {
		return nil, err
	}
	d.warnDead("the mask", flat)
	if r.masked, err = d.problem.Draw(d.Context(), oes.Masked(d.problem.Network, flat), d.session()); err != nil {
		return nil, err
	}
	r.fit, err = d.problem.Fit(d.Context(), oes.FitConfig{Steps: d.steps, Rate: d.preset.SparseRate, Mask: flat}, d.stage("sparse", "train sparse", d.steps))
	if err != nil {
		return nil, err
	}
	d.note("The kept weights were trained at %d x %d pixels in %d steps.", d.problem.Region.Width, d.problem.Region.Height, d.steps)
	d.curves = append(d.curves, curve{"sparse", r.fit.Samples})
	return r, nil
}

// best is the largest PSNR of the samples, last the last; NaN without samples or without a clean photo.
func best(samples []oes.Sample) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	return known(slices.MaxFunc(samples, func(a, b oes.Sample) int { return cmp.Compare(a.PSNR, b.PSNR) }).PSNR)
}

func last(samples []oes.Sample) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	return known(samples[len(samples)-1].PSNR)
}

func known(psnr float64) float64 {
	if psnr == oes.NoPSNR {
		return math.NaN()
	}
	return psnr
}
