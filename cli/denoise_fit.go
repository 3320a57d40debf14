package cli

import (
	"cmp"
	"math"
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/training"
	"graft/training/oes"
)

// denoised is what a run made.
type denoised struct {
	summary  denoiseSummary
	mask     *masking.Set
	fit      *oes.Fit
	masked   *onnx.Tensor // the image by masking alone
	dense    *oes.Fit     // nil without the baseline
	exported exportedModels
}

// sparse is stage B, and what masking alone draws.
func (d *denoising) sparse(mask *masking.Set) (*denoised, error) {
	r := &denoised{mask: mask}
	flat, err := packMask(d.problem.Network, mask)
	if err != nil {
		return nil, err
	}
	masked := d.problem.Network.Clone()
	for _, v := range training.Parameters(masked.Graph) {
		t := v.Const.Clone()
		for i, keep := range mask.Get(v.Name).Keep {
			if !keep {
				t.Float32s()[i] = 0
			}
		}
		v.Const = t
	}
	if r.masked, err = d.problem.Draw(d.Context(), masked, d.session()); err != nil {
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

// baselineMethods are the methods a run can be compared with besides the pruning scores.
var baselineMethods = map[string]func(*denoising) (*oes.Fit, error){
	"dense":   (*denoising).dense,
	"decoder": (*denoising).decoder,
}

// baselineNames lists every baseline.
func baselineNames() []string { return append([]string{"dense", "decoder"}, masking.ScoreNames()...) }

func (d *denoising) baselines(r *denoised) error {
	for _, name := range d.List("baseline") {
		fit, err := d.baseline(name, r.mask)
		if err != nil {
			return err
		}
		d.curves = append(d.curves, curve{name, fit.Samples})
		if name == "dense" {
			r.dense = fit
		}
	}
	return nil
}

func (d *denoising) baseline(name string, kept *masking.Set) (*oes.Fit, error) {
	if method, ok := baselineMethods[name]; ok {
		return method(d)
	}
	score, err := masking.FindScore(name)
	if err != nil {
		return nil, err
	}
	return d.pruned(score, kept)
}

// dense has the same network, initialization, z, noise and steps.
func (d *denoising) dense() (*oes.Fit, error) {
	rate := d.preset.DenseRate
	if d.IsSet("baseline-lr") {
		rate = d.Float("baseline-lr")
	}
	return d.problem.Fit(d.Context(), oes.FitConfig{Steps: d.steps, Rate: rate}, d.stage("dense", "train dense", d.steps))
}

func (d *denoising) decoder() (*oes.Fit, error) {
	scales := len(d.preset.network(d.photo.noisy.Width, d.photo.noisy.Height, d.photo.noisy.Channels).Channels)
	p, err := d.photo.decoderProblem(d.problem, scales, d.Common.Seed)
	if err != nil {
		return nil, err
	}
	return p.Fit(d.Context(), oes.FitConfig{Steps: d.steps, Rate: 1e-2}, d.stage("decoder", "train decoder", d.steps))
}

// pruned keeps as many weights as the learned mask does, by a score taken at initialization.
func (d *denoising) pruned(score masking.Score, kept *masking.Set) (*oes.Fit, error) {
	run := d.stage(score.Name, "train "+score.Name, d.steps)
	sparsity := 1 - float64(kept.Kept())/float64(kept.Total())
	set, err := d.problem.Prune(d.Context(), score, masking.Choice{Sparsity: sparsity, Seed: d.Common.Seed}, run)
	if err != nil {
		return nil, err
	}
	keep, err := packMask(d.problem.Network, set)
	if err != nil {
		return nil, err
	}
	return d.problem.Fit(d.Context(), oes.FitConfig{Steps: d.steps, Rate: d.preset.SparseRate, Mask: keep}, run)
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
