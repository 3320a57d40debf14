package pacbayes

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/runtime"
	"graft/training"
	"graft/training/dataset"
)

// Problem is a classifier and what it is trained on.
type Problem struct {
	Network *onnx.Model // its weights are the prior's mean and where the posterior begins
	Output  string      // the logits; empty: the first output
	Freeze  *regexp.Regexp
	// FrozenNorms keeps BatchNormalization at the statistics of the file.
	FrozenNorms bool
	Data        *dataset.Batches // in an order of chance
	Ordered     *dataset.Batches // every sample once, in order; those that the bound counts
	// PriorData, where the prior's mean is to be trained first, are samples that are not among Ordered; nil: it is the file's.
	PriorData *dataset.Batches
}

// Config sets a training up. Zero fields take the usual values.
type Config struct {
	Prior     Prior   // Layer
	GammaLow  float64 // 0.5
	GammaHigh float64 // 10
	Gamma     float64 // in place of both: fixed
	Constant  float64 // C; 10 + 3 for each scale of the prior
	Grid      Grid

	Rate          float64 // Adam's, of the weights; 0: by Relative
	Relative      float64 // the rate of a tensor as part of its weights' mean magnitude, where Rate is 0; UsualRelative
	PosteriorRate float64 // of p; UsualNoiseRate
	PriorRate     float64 // of b; UsualNoiseRate
	// Epochs1 are of stage 1, which makes the bound small; Epochs2 at most of stage 2, which goes on with the noise at rest until
	// the noisy network is right on Accuracy of the training samples.
	Epochs1, Epochs2 int64
	Accuracy         float64
	PriorEpochs      int64 // that the prior's mean is trained for, by Adam
	Seed             uint64

	// Tuning is the variant for networks that were trained before: parameters that Head matches are new, all others begin with the
	// noise exp(2 log mean|w|) in place of exp(log mean|w|), and have rates of their own.
	Tuning *Tuning
}

// Rates of a training from fresh weights. All are relative to what they move (the noise's are of logarithms), so that one number
// does for layers of any width; for weights that is Adafactor's idea (Shazeer and Stern 2018, section 8), with the magnitude that
// training begins with.
const (
	UsualRelative  = 0.035
	UsualNoiseRate = 1e-2
)

// Tuning are the settings of the variant for networks that were trained before.
type Tuning struct {
	Head     *regexp.Regexp
	HeadRate float64 // of the weights; Rate is of the others
}

func (c Config) defaults() Config {
	c.Prior = cmp.Or(c.Prior, Layer)
	c.GammaLow, c.GammaHigh = cmp.Or(c.GammaLow, 0.5), cmp.Or(c.GammaHigh, 10)
	if c.Gamma != 0 {
		c.GammaLow, c.GammaHigh = c.Gamma, c.Gamma
	}
	if c.Tuning != nil {
		c.Rate = cmp.Or(c.Rate, 5e-5)
		c.PosteriorRate, c.PriorRate = cmp.Or(c.PosteriorRate, 0.1), cmp.Or(c.PriorRate, 0.1)
	}
	if c.Rate == 0 {
		c.Relative = cmp.Or(c.Relative, UsualRelative)
	}
	c.PosteriorRate, c.PriorRate = cmp.Or(c.PosteriorRate, UsualNoiseRate), cmp.Or(c.PriorRate, UsualNoiseRate)
	c.Accuracy = cmp.Or(c.Accuracy, 0.99)
	return c
}

// Run is what a training is given beside its settings.
type Run struct {
	Session runtime.Options
	// Told is called as the stages go on; nil: never.
	Told func(stage string, done, of int64, reading string)
	// Folder is where a training keeps its state at the ends of epochs, and goes on from the one that it finds; empty: nowhere.
	Folder string
	// Seen is called at the end of every epoch.
	Seen func(Epoch)
}

// Epoch is what an epoch came to.
type Epoch struct {
	Stage     int     `json:"stage"`
	Epoch     int64   `json:"epoch"` // of the stage
	Steps     int64   `json:"steps"` // of both stages
	Loss      float64 `json:"loss"`  // mean over the epoch, of noisy networks
	Accuracy  float64 `json:"accuracy"`
	KL        float64 `json:"kl"` // at the epoch's end, as all that follows
	K         float64 `json:"k"`
	Gamma     float64 `json:"gamma"`
	Bound     float64 `json:"bound"`
	Objective float64 `json:"pac_objective"` // loss and bound, in nats
	Sigma     float64 `json:"sigma"`         // geometric mean
	Scale     float64 `json:"prior_scale"`
}

// Posterior is what a training has come to: normal distributions of the weights.
type Posterior struct {
	Gated    *training.Gated
	Initial  *onnx.Tensor // w0, packed
	Mean     *onnx.Tensor // w
	LogSigma *onnx.Tensor // p
	LogScale []float32    // b, a scale for each group
	Groups   []int64
	Prior    Prior
	// Buffers are running statistics of the mean's network; nil without any.
	Buffers map[string]*onnx.Tensor
	Curve   *Curve
	Bound   Bound
	// Rate and Relative are those of the weights; one of them is zero.
	Rate, Relative float64
	Epochs         []Epoch
}

// KL is the divergence from the prior.
func (p *Posterior) KL() float64 {
	return KL(p.Mean.Float32s(), p.Initial.Float32s(), p.LogSigma.Float32s(), p.LogScale, p.Groups)
}

// start is [w; p; b] before the first step: the weights, and for both log sigma and log scale the logarithm of the tensor's
// magnitude, b being at most where K was estimated, and p no more than b, so that the divergence begins at zero.
func (l *layout) start(initial *onnx.Tensor, c Config, highest float64) (*onnx.Tensor, error) {
	magnitudes, all, err := l.magnitudes(initial)
	if err != nil {
		return nil, err
	}
	out := onnx.NewTensor(onnx.Float, l.trained.Len())
	w, p, scales := l.cut(out)
	copy(w, initial.Float32s())
	top := math.Log(highest)
	at := 0
	for i, t := range l.weights.Unpack(initial) {
		log := math.Log(magnitudes[i])
		if l.scalar() {
			log = math.Log(all)
		}
		if c.Tuning != nil && (c.Tuning.Head == nil || !c.Tuning.Head.MatchString(t.Name)) {
			log *= 2
		}
		log = min(log, top)
		for range t.Len() {
			p[at] = float32(log)
			at++
		}
		if !l.scalar() {
			scales[i] = float32(log)
		}
	}
	if l.scalar() {
		sum := 0.0
		for _, x := range p {
			sum += float64(x)
		}
		scales[0] = float32(sum / float64(len(p)))
	}
	return out, nil
}

// magnitudes are the mean magnitudes of the tensors' weights, and that of all matrices and kernels, which stands in where a tensor's own is
// nothing (biases begin at zero) or more than it (scales of norms begin at one).
func (l *layout) magnitudes(initial *onnx.Tensor) (each []float64, all float64, err error) {
	mean := func(x []float32) (sum float64) {
		for _, v := range x {
			sum += math.Abs(float64(v))
		}
		return sum / float64(len(x))
	}
	matrices, n := 0.0, 0.0
	for _, t := range l.weights.Unpack(initial) {
		each = append(each, mean(t.Float32s()))
		if len(t.Dims) > 1 {
			matrices += each[len(each)-1] * float64(t.Len())
			n += float64(t.Len())
		}
	}
	all = mean(initial.Float32s())
	if n > 0 {
		all = matrices / n
	}
	if all == 0 {
		return nil, 0, limits.Refuse("weights", "are all zero: the noise begins at their magnitude")
	}
	for i, m := range each {
		if m == 0 || m > all {
			each[i] = all
		}
	}
	return each, all, nil
}

// scalar reports whether all tensors share a scale.
func (l *layout) scalar() bool { return len(l.groups) == 1 && len(l.weights.Names()) > 1 }

// rates are the learning rates of runs of elements of [w; p; b].
func (l *layout) rates(initial *onnx.Tensor, c Config) (counts []int64, rates []float64, err error) {
	add := func(n int64, rate float64) {
		if k := len(rates) - 1; k >= 0 && rates[k] == rate {
			counts[k] += n
			return
		}
		counts, rates = append(counts, n), append(rates, rate)
	}
	magnitudes, _, err := l.magnitudes(initial)
	if err != nil {
		return nil, nil, err
	}
	for i, name := range l.weights.Names() {
		n, rate := int64(1), c.Rate
		for _, d := range l.weights.Dims(i) {
			n *= d
		}
		if rate == 0 {
			rate = c.Relative * magnitudes[i]
		}
		if c.Tuning != nil && c.Tuning.Head != nil && c.Tuning.Head.MatchString(name) && c.Tuning.HeadRate > 0 {
			rate = c.Tuning.HeadRate
		}
		add(n, rate)
	}
	add(l.weights.Len(), c.PosteriorRate)
	add(int64(len(l.groups)), c.PriorRate)
	return counts, rates, nil
}

func (p *Problem) check() error {
	switch {
	case p.Network == nil:
		return fmt.Errorf("no network")
	case p.Data == nil || p.Ordered == nil:
		return fmt.Errorf("no samples")
	}
	return nil
}

func seeLosses(to *[]float64) func(training.Classified) error {
	return func(k training.Classified) error {
		*to = slices.Concat(*to, k.Losses)
		return nil
	}
}
