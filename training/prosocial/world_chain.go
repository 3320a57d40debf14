package prosocial

import (
	"context"

	"graft/graphs/language"
)

// WorldConfig says how large a study in a world is.
type WorldConfig struct {
	Layers, Width, Heads int64
	Bias                 float64
	Sentences            int // of the corpus that is pretrained on
	Counterfactual       int // of those, that are debiased on, with their counterfactuals
	Train, Test          int // sentences of the task
	Pretrain             Course
	Intervention         Intervention
	ChainConfig
}

// RunWorld pretrains a network in a world, and goes through the chain.
func RunWorld(ctx context.Context, c WorldConfig) (*Chain, error) {
	w := NewWorld(c.Bias)
	corpora, corpus, err := w.corpora(c)
	if err != nil {
		return nil, err
	}
	n, err := NewNetwork(w.Config(c.Layers, c.Width, c.Heads), language.FillMask, c.Seed)
	if err != nil {
		return nil, err
	}
	data := &Batches{Tokens: corpora.Tokens, Lines: w.EncodeAll(corpus), Size: c.Pretrain.Batch, Seed: c.Seed, Model: n.Config.ModelType, Labels: Masking{}.Labels}
	n, err = n.Tune(ctx, data, Tuning{Task: language.FillMask, Steps: c.Pretrain.Steps, Rate: c.Pretrain.Rate, Warmup: 0.1, WeightDecay: 0.01, Seed: c.Seed, Session: c.Session,
		Told: func(step int64, loss float64) {
			if c.Told != nil {
				c.Told("pretrain", step, c.Pretrain.Steps, loss)
			}
		}})
	if err != nil {
		return nil, err
	}
	return RunChain(ctx, n, corpora, c.ChainConfig)
}

// probesEach are the adjectives of a prompt's sentences.
const probesEach = 3

func (w *World) corpora(c WorldConfig) (*Corpora, []string, error) {
	corpus := w.Corpus(c.Sentences, c.Seed)
	counterfactual, err := w.Counterfactual(corpus[:min(c.Counterfactual, len(corpus))])
	if err != nil {
		return nil, nil, err
	}
	train, test := w.Task(c.Train, c.Seed, "train"), w.Task(c.Test, c.Seed, "test")
	return &Corpora{Tokens: w.Tokens(), Task: language.FillMask, Counterfactual: w.EncodeAll(counterfactual),
		Mediation: w.Prompts(c.Intervention, probesEach), Probes: w.Prompts(c.Intervention, probesEach), ProbesEach: probesEach,
		Train:   &Samples{Lines: w.EncodeAll(train.Sentences), Classes: train.Classes},
		Measure: Swaps(&Samples{Lines: w.EncodeAll(test.Sentences), Classes: test.Classes}, &Samples{Lines: w.EncodeAll(test.Swapped)}, nil)}, corpus, nil
}
