package oes

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/training/denoiser"
)

// Trial is a problem with the settings that methods share, so that they can be compared: the same picture, initialization, z,
// number of kept weights and steps.
type Trial struct {
	Problem    *Problem
	Decoder    *Problem // the same picture for a deep decoder; nil: that method is not to run
	Sigma      float64  // standard deviation of the noise, for methods that are told it
	DenseRate  float64  // Adam's for the whole network; 0: each method's own
	Sparsity   float64  // fraction removed
	Protect    []string // parameters that every mask keeps whole
	Mask       MaskConfig
	Steps      int64 // of a fit
	RoundSteps int64 // of a round of iterative magnitude pruning
	Seed       uint64
	Denoiser   *onnx.Model // trained, one input [N,1,H,W] and one output; nil: none
	// Stage sets up where a stage runs, and who is told; a stage that is resumable may go on from what its Run saved.
	Stage func(name string, steps int64) Run
}

// Outcome is what a method made.
type Outcome struct {
	Image  *onnx.Tensor // what it takes for the picture
	Region Region       // where that lies in the image
	Fit    *Fit         // nil where nothing is trained
	Keep   []bool       // the mask, packed as the parameters; nil: none
	Stop   *Stop        // where it chose the step itself
}

// Need is a set of the settings that a method depends on beside picture, noise and seed.
type Need uint8

// What a method depends on.
const (
	NeedsSparsity Need = 1 << iota
	NeedsSteps
	NeedsMaskSteps
	NeedsRounds // of iterative magnitude pruning
	NeedsDenoiser
	NeedsNoise // it removes noise, of a level that it is told, and nothing else
)

// Whole says what a method's own authors leave out of pruning.
type Whole uint8

// What is left out.
const (
	WholeNothing Whole = iota // all parameters may go
	WholeNorms                // biases and norms stay: weights of convolutions are pruned
)

// Method is a way to denoise one picture: a row of Methods.
type Method struct {
	Name  string
	Doc   string // one line, with the source
	Needs Need
	Run   func(context.Context, *Trial) (*Outcome, error)
	// Work is how many steps Run takes.
	Work func(t *Trial, weights int64) Work
	// Whole is what its authors keep whole; a Trial's Protect says what is kept.
	Whole Whole
}

// Work counts steps by what one takes.
type Work struct{ Fit, Mask, Decoder int64 }

// Methods lists all there are. Rows for each pruning score, for all layers together and layer by layer, and one for each baseline of
// package denoiser are among them.
func Methods() []Method {
	list := []Method{
		{"dense", "the whole network, Adam 1e-3", NeedsSteps, denseAt(1e-3), fits(1), WholeNothing},
		{"dense-1e-2", "the whole network at the rate of sparse ones, Adam 1e-2", NeedsSteps, denseAt(1e-2), fits(1), WholeNothing},
		{"decoder", "deep decoder (Heckel, Hand, arXiv 1810.03982), Adam 1e-2", NeedsSteps, runDecoder,
			func(t *Trial, _ int64) Work { return Work{Decoder: t.Steps} }, WholeNothing},
		{"sgld", "the whole network with Langevin noise (Cheng et al., CVPR 2019)", NeedsSteps, runSGLD, fits(1), WholeNothing},
		{"es-wmv", "dense-1e-2, stopped by windowed variance (Wang et al., arXiv 2112.06074)", NeedsSteps, runStopped, fits(1), WholeNothing},
		{"tv", "total variation, its weight by the noise's variance", NeedsNoise, runTV, fits(0), WholeNothing},
		{"bm3d", "block matching (Dabov et al. 2007), told the noise's deviation", NeedsNoise, runBM3D, fits(0), WholeNothing},
		{"dncnn", "a trained DnCNN (Zhang et al., arXiv 1608.03981) for one level of noise", NeedsDenoiser | NeedsNoise, runDenoiser, fits(0), WholeNothing},
		{"oes", "Optimal Eye Surgeon: a Bernoulli mask learned at initialization (arXiv 2406.05288)", NeedsSparsity | NeedsSteps | NeedsMaskSteps, runOES,
			func(t *Trial, _ int64) Work { return Work{Fit: t.Steps, Mask: t.Mask.Steps} }, WholeNothing},
		{"imp", "iterative magnitude pruning with rewind (Frankle, Carbin, arXiv 1803.03635)", NeedsSparsity | NeedsSteps | NeedsRounds, runIMP,
			func(t *Trial, n int64) Work {
				c := IMPConfig{Keep: masking.KeepCount(n, t.Sparsity)}
				return Work{Fit: t.Steps + int64(c.Rounds(n))*t.RoundSteps}
			}, WholeNorms},
	}
	for _, b := range denoiser.Baselines {
		if b.Pictures != nil && !slices.ContainsFunc(list, func(m Method) bool { return m.Name == b.Name }) {
			list = append(list, Method{b.Name, b.Doc, NeedsNoise, filtered(b), fits(0), WholeNothing})
		}
	}
	list = append(list, recipes...)
	for _, s := range masking.Scores {
		if s.Needs&masking.NeedDeviation != 0 { // there is no posterior of a network that has not been trained
			continue
		}
		list = append(list, scored(s, masking.Global), scored(s, masking.Layer))
	}
	return list
}

// MethodNames lists the names.
func MethodNames() []string {
	var names []string
	for _, m := range Methods() {
		names = append(names, m.Name)
	}
	return names
}

// FindMethod looks a method up; the error lists the names there are.
func FindMethod(name string) (Method, error) {
	for _, m := range Methods() {
		if m.Name == name {
			return m, nil
		}
	}
	return Method{}, fmt.Errorf("unknown method %q: there are %s", name, strings.Join(MethodNames(), ", "))
}

// sparseRate is Adam's for pruned networks, as the authors have it.
const sparseRate = 1e-2

func fits(n int64) func(*Trial, int64) Work {
	return func(t *Trial, _ int64) Work { return Work{Fit: n * t.Steps} }
}

func denseAt(rate float64) func(context.Context, *Trial) (*Outcome, error) {
	return func(ctx context.Context, t *Trial) (*Outcome, error) {
		return t.Problem.fitted(t.Problem.Fit(ctx, FitConfig{Steps: t.Steps, Rate: cmp.Or(t.DenseRate, rate)}, t.Stage("fit", t.Steps)))
	}
}

// fitted is the outcome of a fit of the problem.
func (p *Problem) fitted(fit *Fit, err error) (*Outcome, error) {
	if err != nil {
		return nil, err
	}
	return &Outcome{Image: fit.Image, Region: p.Region, Fit: fit}, nil
}

// masked trains what a mask keeps.
func masked(ctx context.Context, t *Trial, keep []bool) (*Outcome, error) {
	fit, err := t.Problem.Fit(ctx, FitConfig{Steps: t.Steps, Rate: sparseRate, Mask: keep}, t.Stage("fit", t.Steps))
	if err != nil {
		return nil, err
	}
	return &Outcome{Image: fit.Image, Region: t.Problem.Region, Fit: fit, Keep: keep}, nil
}

func runDecoder(ctx context.Context, t *Trial) (*Outcome, error) {
	return t.Decoder.fitted(t.Decoder.Fit(ctx, FitConfig{Steps: t.Steps, Rate: 1e-2}, t.Stage("fit", t.Steps)))
}

func runSGLD(ctx context.Context, t *Trial) (*Outcome, error) {
	return t.Problem.fitted(t.Problem.SGLD(ctx, SGLDConfig{Steps: t.Steps, Seed: t.Seed}, t.Stage("fit", t.Steps)))
}

// runStopped is told nothing of the clean picture. The variances that it has seen are in no checkpoint: it begins anew.
func runStopped(ctx context.Context, t *Trial) (*Outcome, error) {
	run, stop := t.Stage("fit", t.Steps), &Stop{}
	seen := run.Seen
	run.Save, run.Resume = nil, nil
	run.Seen = func(step int64, image func() (*onnx.Tensor, error)) error {
		t, err := image()
		if err != nil {
			return err
		}
		stop.See(step, t)
		if seen == nil {
			return nil
		}
		return seen(step, image)
	}
	fit, err := t.Problem.Fit(ctx, FitConfig{Steps: t.Steps, Rate: cmp.Or(t.DenseRate, sparseRate)}, run)
	out, err := t.Problem.fitted(fit, err)
	if err == nil && stop.Image != nil {
		out.Image, out.Stop = stop.Image, stop
	}
	return out, err
}

func runOES(ctx context.Context, t *Trial) (*Outcome, error) {
	c := t.Mask
	c.Seed = t.Seed
	learned, err := t.Problem.LearnMask(ctx, c, t.Stage("mask", c.Steps))
	if err != nil {
		return nil, err
	}
	keep, err := masking.TopK(learned.Scores(t.Protect...), masking.KeepCount(learned.Packing.Len(), t.Sparsity), t.Seed)
	if err != nil {
		return nil, err
	}
	return masked(ctx, t, keep)
}

func runIMP(ctx context.Context, t *Trial) (*Outcome, error) {
	c := IMPConfig{Keep: t.keep(), Steps: t.RoundSteps, Seed: t.Seed, Protect: t.Protect}
	keep, err := t.Problem.IMP(ctx, c, func(round, _ int) Run { return t.Stage(fmt.Sprintf("round-%d", round), t.RoundSteps) })
	if err != nil {
		return nil, err
	}
	return masked(ctx, t, keep)
}

// scored prunes by a score at initialization. Layer by layer every tensor keeps about the same fraction, and all together as many
// weights as the other methods.
func scored(s masking.Score, scope masking.Scope) Method {
	name, doc := s.Name, s.Doc
	if scope == masking.Layer {
		name, doc = s.Name+"-layer", "the same, layer by layer"
	}
	looks := int64(max(1, s.Rounds))
	if s.Needs == 0 {
		looks = 0
	}
	return Method{Name: name, Doc: doc, Needs: NeedsSparsity | NeedsSteps, Run: func(ctx context.Context, t *Trial) (*Outcome, error) {
		adjusted := s
		adjusted.Of = func(e masking.Evidence) []float32 {
			scores := s.Of(e)
			if scope == masking.Layer {
				scores = places(scores, noise.NewKey(t.Seed, "place/"+e.Name, 0))
			}
			return protect(scores, e.Name, t.Protect)
		}
		set, err := t.Problem.Prune(ctx, adjusted, masking.Choice{Sparsity: t.Sparsity, Scope: masking.Global, Seed: t.Seed}, t.Stage("score", looks))
		if err != nil {
			return nil, err
		}
		return maskedBy(ctx, t, set)
	}, Work: func(t *Trial, _ int64) Work { return Work{Fit: t.Steps + looks} }, Whole: WholeNorms}
}

// places puts in the place of every score the fraction of scores below it, half its own counted; equal ones are put in an order by
// chance.
func places(scores []float32, chance noise.Key) []float32 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[a], scores[b]), cmp.Compare(noise.Float(chance, uint32(a)), noise.Float(chance, uint32(b))), a-b)
	})
	out := make([]float32, len(scores))
	for place, i := range order {
		out[i] = float32((float64(place) + 0.5) / float64(len(scores)))
	}
	return out
}

// protect puts the scores of a protected parameter above all others.
func protect(scores []float32, name string, protected []string) []float32 {
	if slices.Contains(protected, name) {
		for i := range scores {
			scores[i] = float32(math.Inf(1))
		}
	}
	return scores
}

// planes gives the problem's picture to the methods of package denoiser, and what they make of it back.
func (p *Problem) planes(f func(denoiser.Planes) (denoiser.Planes, error)) (*Outcome, error) {
	y := denoiser.Planes{Pix: p.Region.Pixels(p.Noisy), Channels: int(p.Noisy.Dims[1]), Height: p.Region.Height, Width: p.Region.Width}
	x, err := f(y)
	if err != nil {
		return nil, err
	}
	return &Outcome{Image: onnx.FromSlice(x.Pix, 1, int64(x.Channels), int64(x.Height), int64(x.Width)), Region: Region{Width: x.Width, Height: x.Height}}, nil
}

func runTV(_ context.Context, t *Trial) (*Outcome, error) {
	return t.Problem.planes(func(p denoiser.Planes) (denoiser.Planes, error) {
		x, _, err := denoiser.TVForNoise(p, t.Sigma, denoiser.TVConfig{})
		return x, err
	})
}

func runBM3D(_ context.Context, t *Trial) (*Outcome, error) {
	return t.Problem.planes(func(p denoiser.Planes) (denoiser.Planes, error) { return denoiser.BM3D(p, t.Sigma) })
}

// filtered runs a method with the weight that is usual for the noise.
func filtered(b denoiser.Baseline) func(context.Context, *Trial) (*Outcome, error) {
	return func(_ context.Context, t *Trial) (*Outcome, error) {
		f, err := b.Pictures(denoiser.Given{Sigma: t.Sigma})
		if err != nil {
			return nil, err
		}
		return t.Problem.planes(func(p denoiser.Planes) (denoiser.Planes, error) { return f(p, b.Usual*t.Sigma) })
	}
}

// runDenoiser gives each plane to the network as a picture of its own.
func runDenoiser(ctx context.Context, t *Trial) (*Outcome, error) {
	if t.Denoiser == nil {
		return nil, fmt.Errorf("dncnn: no trained network is given")
	}
	d := t.Problem.Noisy.Dims
	p := *t.Problem
	p.Z = onnx.FromSlice(t.Problem.Noisy.Float32s(), d[1], 1, d[2], d[3])
	out, err := p.Draw(ctx, t.Denoiser, t.Stage("run", 0).Session)
	if err != nil {
		return nil, fmt.Errorf("dncnn: %w", err)
	}
	return &Outcome{Image: onnx.FromSlice(out.Float32s(), d...), Region: t.Problem.Region}, nil
}
