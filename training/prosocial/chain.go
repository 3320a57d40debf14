package prosocial

import (
	"context"
	"fmt"
	"regexp"

	"graft/graphs/language"
	"graft/runtime"
)

// Corpora are what a chain works on.
type Corpora struct {
	Tokens         Tokens
	Task           string    // FillMask or TextGeneration: what the language model is
	Counterfactual [][]int64 // lines with their counterfactuals
	Mediation      []Prompt  // by which heads are found
	Probes         []Prompt  // by which bias is measured, ProbesEach of them by word
	ProbesEach     int
	Train          *Samples                       // of the task that is tuned for
	Measure        func(Answers) (*Judged, error) // what is told of a tuned network
}

// Course is how long and at what rate a phase goes.
type Course struct {
	Steps int64
	Batch int
	Rate  float64
}

// ChainConfig says how ProSocialTuning goes.
type ChainConfig struct {
	Debias, Tune Course
	Posterior    Course // its batch is Tune's where it is 0
	Gamma        float64
	Squared      bool // Posterior.Squared
	Selection    Selection
	Strength     float64   // of the penalty, the mean over heads
	FreezeWords  bool      // tables of embeddings stay as they are in tuning
	Variants     []Variant // nil: all
	// Samples are sizes of training sets, from each of which Bounded are tuned besides.
	Samples []int
	// SameSteps takes Tune's steps for each of them, and otherwise its epochs.
	SameSteps bool
	Seed      uint64
	Session   runtime.Options
	// Adapter is trained in the place of all weights when the network is debiased; nil: none.
	Adapter *Adapter
	// Work is a folder of this chain alone, in which a run that is cut off finds what it has done; "": nothing is kept.
	Work string
	// SaveEvery is how many steps lie between the states that are kept; 0: 200.
	SaveEvery int64
	// Told is called as phases go on; nil: never.
	Told func(phase string, step, of int64, loss float64)
}

// Variant is a way to tune.
type Variant string

// Variants.
const (
	Vanilla        Variant = "vanilla"         // from the pretrained network
	DebiasedTuning Variant = "debiased-tuning" // from the debiased one, without a penalty
	UniformHeads   Variant = "uniform"         // heads that were found, all as strongly
	SigmaHeads     Variant = "prosocial"       // heads that were found, by the posterior's width
	RankHeads      Variant = "rank"            // heads that were found, by the rank of the width
	RandomHeadsBy  Variant = "random"          // as many heads by chance, by the posterior's width
)

// Variants lists them.
var Variants = []Variant{Vanilla, DebiasedTuning, UniformHeads, SigmaHeads, RankHeads, RandomHeadsBy}

// Tuned is what came of a variant.
type Tuned struct {
	Variant Variant `json:"variant"`
	Association
	Judged
	Loss    float64  `json:"loss"` // mean of the last tenth of the steps
	Network *Network `json:"-"`
}

// Chain is what came of ProSocialTuning.
type Chain struct {
	Pretrained Association        `json:"pretrained"`
	Debiased   Association        `json:"debiased"`
	Before     *Effects           `json:"effects_before"`
	After      *Effects           `json:"effects_after"`
	Heads      *Selected          `json:"heads"`
	Random     []Head             `json:"random_heads"`
	Widths     map[string]float64 `json:"widths"` // by head
	Tuned      []Tuned            `json:"tuned"`
	Bound      []Bound            `json:"bound,omitempty"`
	Notes      []string           `json:"notes,omitempty"`
	Network    *Network           `json:"-"` // debiased
}

// tables are the names of embeddings.
var tables = regexp.MustCompile(`(embeddings\.\w*embeddings|wte|wpe|embed_tokens)\.weight$`)

// chain is a run of it.
type chain struct {
	ChainConfig
	corpora    *Corpora
	pretrained *Network
	out        *Chain
}

// RunChain does all phases from a pretrained network on: counterfactual debiasing; the heads by which bias went before and does not
// go any more; tuning without a penalty, and by the posterior around what came of it how much each head matters; and tuning with
// those heads held where they are in the debiased network.
func RunChain(ctx context.Context, pretrained *Network, c *Corpora, config ChainConfig) (*Chain, error) {
	r := &chain{config, c, pretrained, &Chain{}}
	if r.Variants == nil {
		r.Variants = Variants
	}
	if err := r.run(ctx); err != nil {
		return nil, fmt.Errorf("prosocial tuning: %w", err)
	}
	return r.out, nil
}

func (r *chain) run(ctx context.Context) error {
	a, err := r.pretrained.Associate(ctx, r.corpora.Task, r.corpora.Probes, r.corpora.ProbesEach, r.Session)
	if err != nil {
		return err
	}
	r.out.Pretrained = *a
	if r.out.Network, err = r.debias(ctx); err != nil {
		return err
	}
	if a, err = r.out.Network.Associate(ctx, r.corpora.Task, r.corpora.Probes, r.corpora.ProbesEach, r.Session); err != nil {
		return err
	}
	r.out.Debiased = *a
	if err := r.find(ctx); err != nil {
		return err
	}
	plain, err := r.tune(ctx, string(DebiasedTuning), r.corpora.Train, r.Tune.Steps, r.out.Network, nil)
	if err != nil {
		return err
	}
	widths, err := r.weigh(ctx, plain.Network)
	if err != nil {
		return err
	}
	for _, v := range r.Variants {
		tuned := plain
		if v != DebiasedTuning {
			if tuned, err = r.variant(ctx, v, r.corpora.Train, r.Tune.Steps, widths); err != nil {
				return err
			}
		}
		tuned.Variant = v
		r.out.Tuned = append(r.out.Tuned, *tuned)
	}
	return r.bound(ctx, widths)
}

// variant tunes in one of the ways.
func (r *chain) variant(ctx context.Context, v Variant, samples *Samples, steps int64, widths map[Head]float64) (tuned *Tuned, err error) {
	phase := string(v)
	if n := len(samples.Lines); n < len(r.corpora.Train.Lines) {
		phase = fmt.Sprintf("%s, %d samples", v, n)
	}
	var p *Penalty
	from := r.out.Network
	switch v {
	case Vanilla:
		from = r.pretrained
	case DebiasedTuning:
	default:
		if p, err = r.penalty(v, widths); err != nil {
			return nil, err
		}
	}
	if tuned, err = r.tune(ctx, phase, samples, steps, from, p); err == nil {
		tuned.Variant = v
	}
	return tuned, err
}

func (r *chain) batches(s *Samples, size int, labels func(*Batch)) *Batches {
	return &Batches{Tokens: r.corpora.Tokens, Lines: s.Lines, Types: s.Types, Size: size, Seed: r.Seed, Model: r.pretrained.Config.ModelType, Labels: labels}
}

func (r *chain) told(phase string, of int64) func(int64, float64) {
	return func(step int64, loss float64) {
		if r.Told != nil {
			r.Told(phase, step, of, loss)
		}
	}
}

// debias trains the language model on.
func (r *chain) debias(ctx context.Context) (*Network, error) {
	labels := Masking{}.Labels
	if r.corpora.Task == language.TextGeneration {
		labels = NextToken
	}
	return r.pretrained.Tune(ctx, r.batches(&Samples{Lines: r.corpora.Counterfactual}, r.Debias.Batch, labels), Tuning{Task: r.corpora.Task, Steps: r.Debias.Steps,
		Rate: r.Debias.Rate, Warmup: 0.1, WeightDecay: 0.01, Seed: r.Seed, Session: r.Session, Adapter: r.Adapter, Checkpoint: r.Checkpoint("debias"), Told: r.told("debias", r.Debias.Steps)})
}

// find finds the heads that are held.
func (r *chain) find(ctx context.Context) (err error) {
	of := func(n *Network) (*Effects, error) {
		m, err := n.NewMediator(r.corpora.Task, r.Session)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		return m.Effects(ctx, r.corpora.Mediation)
	}
	if r.out.Before, err = of(r.pretrained); err != nil {
		return err
	}
	if r.out.After, err = of(r.out.Network); err != nil {
		return err
	}
	if r.out.Heads, err = r.Selection.Select(r.out.Before, r.out.After); err != nil {
		return err
	}
	r.out.Random = RandomHeads(r.pretrained.Heads(), len(r.out.Heads.Held), r.Seed)
	return nil
}

// frozen are the weights that tuning leaves alone.
func (r *chain) frozen() *regexp.Regexp {
	if r.FreezeWords {
		return tables
	}
	return nil
}

// tune tunes for the task, and measures what came of it. The language model's head is that of the network it begins with.
func (r *chain) tune(ctx context.Context, phase string, samples *Samples, steps int64, from *Network, p *Penalty) (*Tuned, error) {
	out := &Tuned{}
	if r.recall(phase, out) {
		return out, nil
	}
	last := 0.0
	of := max(1, steps/10)
	told := r.told(phase, steps)
	var err error
	out.Network, err = from.Tune(ctx, r.batches(samples, r.Tune.Batch, samples.labels()), Tuning{Task: language.TextClassification,
		Steps: steps, Rate: r.Tune.Rate, Warmup: 0.1, WeightDecay: 0.01, Freeze: r.frozen(), Seed: r.Seed, Penalty: p, Session: r.Session, Checkpoint: r.Checkpoint(phase),
		Told: func(step int64, loss float64) {
			if step > steps-of {
				last += loss / float64(of)
			}
			told(step, loss)
		}})
	if err != nil {
		return nil, err
	}
	out.Loss = last
	a, err := out.Network.Associate(ctx, r.corpora.Task, r.corpora.Probes, r.corpora.ProbesEach, r.Session)
	if err != nil {
		return nil, err
	}
	j, err := out.Network.Judge(ctx, r.corpora.Tokens, r.corpora.Measure, r.Session)
	if err != nil {
		return nil, err
	}
	out.Association, out.Judged = *a, *j
	return out, r.remember(phase, out)
}

// weigh learns how wide each head may be spread without the task suffering.
func (r *chain) weigh(ctx context.Context, tuned *Network) (map[Head]float64, error) {
	size := r.Posterior.Batch
	if size == 0 {
		size = r.Tune.Batch
	}
	w, err := tuned.Widths(ctx, r.batches(r.corpora.Train, size, r.corpora.Train.labels()), Posterior{Steps: r.Posterior.Steps, Rate: r.Posterior.Rate,
		Gamma: r.Gamma, Samples: int64(len(r.corpora.Train.Lines)), Squared: r.Squared, Freeze: r.frozen(), Seed: r.Seed, Session: r.Session, Told: r.told("posterior", r.Posterior.Steps)})
	if err != nil {
		return nil, err
	}
	heads, err := w.Of(tuned, tuned.Heads())
	if err != nil {
		return nil, err
	}
	r.out.Widths = map[string]float64{}
	for h, x := range heads {
		r.out.Widths[h.String()] = x
	}
	return heads, nil
}

// penalty is a variant's.
func (r *chain) penalty(v Variant, widths map[Head]float64) (*Penalty, error) {
	held, by := r.out.Heads.Held, Sigma
	switch v {
	case UniformHeads:
		by = Uniform
	case RankHeads:
		by = Rank
	case RandomHeadsBy:
		held = r.out.Random
	case SigmaHeads:
	default:
		return nil, fmt.Errorf("no variant %q", string(v))
	}
	weights, err := by.Weights(held, r.Strength, widths)
	if err != nil {
		return nil, err
	}
	return &Penalty{Anchor: r.out.Network, Weights: weights}, nil
}
