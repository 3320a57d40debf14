package prosocial

import (
	"context"
	"fmt"
	"regexp"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// Tuning says how a network is trained on.
type Tuning struct {
	Task        string // of package language; it says what the labels are
	Steps       int64
	Rate        float64 // of AdamW, which rises over Warmup and falls evenly to nothing
	Warmup      float64 // part of the steps
	WeightDecay float64
	Freeze      *regexp.Regexp // weights that stay as they are; nil: none
	Dropout     float64        // of hidden values and attention
	Seed        uint64         // of dropout, and of weights that the task adds
	Penalty     *Penalty       // nil: none
	Adapter     *Adapter       // nil: the weights themselves are trained
	Entropy     float64        // weight of the negative entropy of attention (EAR); 0: none
	Checkpoint  *Checkpoint    // nil: none is written
	Session     runtime.Options
	// Told is called after every step with its loss; nil: never.
	Told func(step int64, loss float64)
}

// Tune trains a network, which stays as it is, by cross-entropy, and by the mean squared error where it has one label. Weights that the task wants and that are not there are drawn.
func (n *Network) Tune(ctx context.Context, data *Batches, c Tuning) (*Network, error) {
	out, err := n.tune(ctx, data, c)
	if err != nil {
		return nil, fmt.Errorf("tune %s for %s: %w", n.Config.ModelType, c.Task, err)
	}
	return out, nil
}

func (n *Network) tune(ctx context.Context, data *Batches, c Tuning) (*Network, error) {
	start := n.with(nil)
	gated, err := start.gated(c)
	if err != nil {
		return nil, err
	}
	step, err := c.step(start, gated)
	if err != nil {
		return nil, err
	}
	w, err := gated.Initial()
	if err != nil {
		return nil, err
	}
	from, err := c.Checkpoint.load(step, gated.Start(step, w))
	if err != nil {
		return nil, err
	}
	loop := &training.Loop{Step: step, Session: c.Session, Data: data, Rate: c.rate}
	if c.Told != nil {
		loop.Each = func(p training.Progress) error {
			c.Told(p.Step, p.Loss)
			return nil
		}
	}
	end, err := c.Checkpoint.run(ctx, loop, from, c.Steps)
	if err != nil {
		return nil, err
	}
	trained := gated.Packing().Unpack(end.Trained)
	if c.Adapter != nil {
		return c.Adapter.merge(start, trained)
	}
	return start.with(trained), nil
}

// step is AdamW's.
func (c Tuning) step(start *Network, gated *training.Gated) (*training.Step, error) {
	config := training.StepConfig{Optimizer: optim.AdamW(optim.AdamConfig{WeightDecay: c.WeightDecay}), Provider: c.Session.Provider,
		Weights: func(b *op.Builder, w *onnx.Value) *onnx.Value { return b.Identity(w) }}
	var err error
	switch {
	case c.Penalty != nil && c.Adapter != nil:
		err = c.Penalty.addTo(c.Adapter, start, &config, gated.Packing())
	case c.Penalty != nil:
		err = c.Penalty.add(&config, gated.Packing())
	}
	if err != nil {
		return nil, err
	}
	return gated.Step(config)
}

// rate is the learning rate of a step.
func (c Tuning) rate(step int64) float64 {
	warm, steps, at := c.Warmup*float64(c.Steps), float64(c.Steps), float64(step)
	if at <= warm {
		return c.Rate * at / warm
	}
	return c.Rate * (steps - at + 1) / (steps - warm)
}

// gated is the network with its loss, in the form for training. Labels of tokens are in one row for all lines.
func (n *Network) gated(c Tuning) (*training.Gated, error) {
	o := language.Options{Task: c.Task, HiddenDropout: c.Dropout, AttentionDropout: c.Dropout, Attentions: c.Entropy != 0}
	if err := n.complete(o, c.Seed); err != nil {
		return nil, err
	}
	m, err := n.Build(o)
	if err != nil {
		return nil, err
	}
	if c.Task != language.TextClassification {
		b := op.NewBuilder(m.Graph)
		outputs := m.Graph.Outputs()
		logits := outputs[0]
		logits.Name = ""
		outputs[0] = b.Named(b.Reshape(logits, -1, n.Config.VocabSize), "logits")
		m.Graph.SetOutputs(outputs...)
		if err := b.Err(); err != nil {
			return nil, err
		}
	}
	config := training.ArtifactConfig{Freeze: c.Freeze, Provider: c.Session.Provider, Deterministic: c.Session.Deterministic, Dropout: c.Dropout > 0, DropoutSeed: c.Seed}
	config.Loss, err = loss.New("cross-entropy", map[string]float64{"ignore-index": IgnoreLabel})
	if c.Task == language.TextClassification && n.Config.NumLabels == 1 { // as transformers has it
		config.Loss, err = loss.Lookup("mse")
	}
	if err != nil {
		return nil, err
	}
	if c.Entropy != 0 {
		if config.Loss, err = withEntropy(m, config.Loss, c.Entropy); err != nil {
			return nil, err
		}
	}
	if c.Adapter != nil {
		if err := c.Adapter.add(m, c.Seed); err != nil {
			return nil, err
		}
		config.Train = c.Adapter.trained()
	}
	return training.NewGated(m, config)
}
