package pacbayes

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime"
	"graft/training"
	"graft/training/dataset"
)

// Gibbs is a posterior with the prior that a certificate is of: normal with deviations Sigma around Mean, and exp(LogScale), of
// the grid, around Initial.
type Gibbs struct {
	Gated    *training.Gated
	Mean     *onnx.Tensor // packed, as the next two
	Initial  *onnx.Tensor
	Sigma    *onnx.Tensor
	LogScale []float64
	Groups   []int64
	Prior    Prior
	Grid     ScaleGrid
}

// CertifyConfig says how a certificate is taken. Zero fields take the usual values.
type CertifyConfig struct {
	Delta      float64 // in all; 0.05
	DeltaDraws float64 // part of it for the draws; a fifth
	Draws      int     // passes over the samples; 20, and 100 where Whole is so
	// Whole draws a classifier for a pass, and not for each batch of Data. It is so with BatchNormalization, whose statistics are
	// estimated for every classifier.
	Whole bool
	Seed  uint64
	// Data are all samples that are certified on, in order. Norms are samples, none of them among Data, that the statistics of
	// BatchNormalization are taken from anew for every draw; nil where there are no statistics.
	Data, Norms *dataset.Batches
	Session     runtime.Options
	Told        func(done, of int)
}

// Gibbs rounds the posterior to what a file holds and gives it the scales of the grid that suit it best.
func (p *Posterior) Gibbs() (*Gibbs, error) {
	g := &Gibbs{Gated: p.Gated, Mean: p.Mean, Initial: p.Initial, Groups: p.Groups, Prior: p.Prior, Grid: UsualScales}
	g.Sigma = onnx.NewTensor(onnx.Float, p.LogSigma.Len())
	for i, x := range p.LogSigma.Float32s() {
		s := float32(math.Exp(float64(x)))
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return nil, fmt.Errorf("element %d of the posterior has the deviation %g", i, s)
		}
		g.Sigma.Float32s()[i] = s
	}
	g.LogScale = g.Grid.fit(g.Mean.Float32s(), g.Initial.Float32s(), g.Sigma.Float32s(), g.Groups)
	return g, nil
}

// KL is the divergence of the posterior from the prior.
func (g *Gibbs) KL() float64 {
	logs := make([]float64, g.Sigma.Len())
	for i, s := range g.Sigma.Float32s() {
		logs[i] = math.Log(float64(s))
	}
	return KL(g.Mean.Float32s(), g.Initial.Float32s(), logs, g.LogScale, g.Groups)
}

// draw writes the weights of a draw.
func (g *Gibbs) draw(w []float32, eps []float32, seed uint64, stream string, i int64) {
	noise.Normal(eps, noise.NewKey(seed, stream, uint64(i)))
	mean, sigma := g.Mean.Float32s(), g.Sigma.Float32s()
	for j := range w {
		w[j] = mean[j] + sigma[j]*eps[j]
	}
}

// Certify draws classifiers, counts their errors and completes the certificate.
func (g *Gibbs) Certify(ctx context.Context, c CertifyConfig) (*Certificate, error) {
	out, err := g.certify(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("certify: %w", err)
	}
	return out, nil
}

func (g *Gibbs) certify(ctx context.Context, c CertifyConfig) (*Certificate, error) {
	c.Delta = cmp.Or(c.Delta, 0.05)
	c.DeltaDraws = cmp.Or(c.DeltaDraws, c.Delta/5)
	if err := CheckDelta(c.Delta); err != nil {
		return nil, err
	}
	norms, err := g.Gated.NewNorms(c.Session)
	if err != nil {
		return nil, err
	}
	defer norms.Close()
	if norms.Any() && c.Norms == nil {
		return nil, ErrNorms
	}
	classifier, err := g.Gated.NewClassifier(c.Session)
	if err != nil {
		return nil, err
	}
	defer classifier.Close()
	c.Whole = c.Whole || norms.Any()
	if c.Draws == 0 {
		c.Draws = 20
		if c.Whole {
			c.Draws = 100
		}
	}
	out := &Certificate{Classes: classifier.Classes, KL: g.KL(), Union: g.Grid.Union(len(g.LogScale)), Delta: c.Delta, DeltaDraws: c.DeltaDraws, Draws: c.Draws, Seed: c.Seed}
	blocks := int64(1)
	if !c.Whole {
		out.Block, blocks = c.Data.Size(), c.Data.PerEpoch()
	}
	w, eps, drawn := onnx.NewTensor(onnx.Float, g.Mean.Len()), make([]float32, g.Mean.Len()), int64(-1)
	for pass := range int64(c.Draws) {
		draw := func(block int64) *onnx.Tensor {
			if at := pass*blocks + min(block, blocks-1); at != drawn {
				g.draw(w.Float32s(), eps, c.Seed, "pac/certificate", at)
				drawn = at
			}
			return w
		}
		var buffers map[string]*onnx.Tensor
		if norms.Any() {
			if buffers, err = norms.Estimate(ctx, draw(0), c.Norms); err != nil {
				return nil, err
			}
		}
		out.Samples = 0
		err := classifier.EachDrawn(ctx, draw, buffers, c.Data, func(k training.Classified) error {
			out.Samples += int64(len(k.Labels))
			out.Errors += int64(len(k.Labels) - k.Right())
			return nil
		})
		if err != nil {
			return nil, err
		}
		if c.Told != nil {
			c.Told(int(pass)+1, c.Draws)
		}
	}
	return out, out.complete()
}

// ErrNorms is that a network with running statistics has nothing independent to take them from.
var ErrNorms error = errNorms{}

type errNorms struct{}

func (errNorms) Error() string {
	return "the network has BatchNormalization, whose statistics would come from the samples that are certified on: a certificate needs a part of the data for them"
}

// Ensemble is the accuracy of the mean of the probabilities that so many drawn classifiers give, and of the drawn classifiers
// by themselves.
func (g *Gibbs) Ensemble(ctx context.Context, members int, seed uint64, data, norms *dataset.Batches, o runtime.Options) (together, alone float64, err error) {
	estimator, err := g.Gated.NewNorms(o)
	if err != nil {
		return 0, 0, err
	}
	defer estimator.Close()
	classifier, err := g.Gated.NewClassifier(o)
	if err != nil {
		return 0, 0, err
	}
	defer classifier.Close()
	w, eps := onnx.NewTensor(onnx.Float, g.Mean.Len()), make([]float32, g.Mean.Len())
	var votes []float64 // of the classes, sample by sample
	var labels []int64
	classes := int(classifier.Classes)
	right := 0
	for i := range members {
		g.draw(w.Float32s(), eps, seed, "pac/ensemble", int64(i))
		var buffers map[string]*onnx.Tensor
		if norms != nil {
			if buffers, err = estimator.Estimate(ctx, w, norms); err != nil {
				return 0, 0, err
			}
		}
		at := 0
		labels = labels[:0]
		err := classifier.Each(ctx, w, buffers, data, func(k training.Classified) error {
			right += k.Right()
			labels = append(labels, k.Labels...)
			for len(votes) < classes*len(labels) {
				votes = append(votes, 0)
			}
			for j := range k.Labels {
				addSoftmax(votes[classes*at:classes*(at+1)], k.Logits.Float32s()[classes*j:classes*(j+1)])
				at++
			}
			return nil
		})
		if err != nil {
			return 0, 0, err
		}
	}
	hit := 0
	for i, label := range labels {
		row, best := votes[classes*i:classes*(i+1)], 0
		for k, x := range row {
			if x > row[best] {
				best = k
			}
		}
		if int64(best) == label {
			hit++
		}
	}
	n := float64(len(labels))
	return float64(hit) / n, float64(right) / (n * float64(members)), nil
}

// addSoftmax adds the softmax of a row of logits.
func addSoftmax(to []float64, logits []float32) {
	top := math.Inf(-1)
	for _, x := range logits {
		top = max(top, float64(x))
	}
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(float64(x) - top)
	}
	for i, x := range logits {
		to[i] += math.Exp(float64(x)-top) / sum
	}
}
