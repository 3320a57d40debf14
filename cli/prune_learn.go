package cli

import (
	"fmt"
	"math"

	"github.com/urfave/cli/v2"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/training"
	"graft/training/oes"
)

// learnFlags steer the learning of a mask.
func learnFlags() []cli.Flag {
	const section = "Learned masks"
	return []cli.Flag{
		integer("mask-steps", "N", 1, 1<<40, 1000, "steps that the mask is learned for").under(section),
		number("mask-rate", "X", above(0, 1000), 0.05, "learning rate of the mask's logits").under(section),
		number("strength", "X", between(0, 1e9), 10, "of the pull towards the kept fraction: lambda times the number of weights, kernels or channels").under(section),
	}
}

// learnedMask learns on --data, by --loss, what is worth keeping.
func (c *call) learnedMask(m *onnx.Model, path string, p *pruneMethod, how string) (*masking.Set, string, error) {
	config := training.SaliencyConfig{Needs: p.rule.Needs, Output: c.Text("output"), FrozenNorms: c.Text("bn") == "frozen", Session: c.runtimeOptions()}
	var err error
	if config.Loss, err = c.loss(); err != nil {
		return nil, "", err
	}
	data, contract, file, err := c.pruneData(m, path, config, math.MaxInt64)
	if err != nil {
		return nil, "", err
	}
	first, err := data.At(1)
	if err == nil {
		err = varied(contract.Inputs, []map[string]*onnx.Tensor{first})
	}
	if err != nil {
		return nil, "", refused(file, limits.InFile(file, err))
	}
	problem := &oes.Samples{Network: m, Loss: config.Loss, Output: config.Output, FrozenNorms: config.FrozenNorms, Data: data}
	learning := oes.MaskConfig{Gate: p.gate, Keep: 1 - c.Float("sparsity"), Strength: c.Float("strength"), Rate: c.Float("mask-rate"), Steps: int64(c.Int("mask-steps")), Seed: c.Common.Seed}
	progress := c.Progress()
	progress.Stage("learn the mask", int(learning.Steps))
	mask, err := problem.LearnMask(c.Context(), learning, oes.Run{Session: c.runtimeOptions(),
		Progress: func(step, _ int64, loss, _ float64) { progress.Step(int(step), fmt.Sprintf("loss %.4g", loss)) }})
	progress.Done()
	if err != nil {
		return nil, "", noEvidence(path, err)
	}
	all, err := mask.Choose(masking.ChannelChoice{Sparsity: c.Float("sparsity"), Scope: p.scope, Multiple: c.Int("multiple"), Seed: c.Common.Seed})
	if err != nil {
		return nil, "", noEvidence(path, err)
	}
	set := &masking.Set{}
	for _, v := range masking.Parameters(m.Graph) { // constants that are nodes, and biases of one element, are no initializers that a mask is of
		if of := all.Get(v.Name); of != nil {
			if err := set.Add(of); err != nil {
				return nil, "", refused(path, err)
			}
		}
	}
	return set, fmt.Sprintf("%s, seed %d, learned in %d steps of %d samples", how, c.Common.Seed, learning.Steps, data.Size()), nil
}
