package oes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"graft/masking"
	"graft/onnx"
	"graft/training"
	"graft/training/loss"
)

// Gate is what one Bernoulli number of a learned mask decides about.
type Gate string

// The gates. Channels and heads make the network physically smaller; kernels are those of convolutions, one for each pair of
// channels.
const (
	Weight  Gate = "weight" // the paper's
	Kernel  Gate = "kernel"
	Channel Gate = "channel"
	Head    Gate = "head" // of attention
)

// GateNames lists the gates.
var GateNames = []string{string(Weight), string(Kernel), string(Channel), string(Head)}

// gates makes those that a configuration asks for; nil: one a weight.
func (p *Problem) gates(g Gate) (*masking.Gates, error) {
	parameters := training.Parameters(p.Network.Graph)
	switch g {
	case "", Weight:
		return nil, nil
	case Kernel:
		return masking.KernelGates(parameters)
	case Channel:
		return masking.ChannelGates(parameters, p.Channels())
	case Head:
		heads := slices.DeleteFunc(p.Channels(), func(g *masking.Group) bool { return !g.Heads })
		if len(heads) == 0 {
			return nil, errors.New("gate heads: the network has no attention whose heads a Reshape splits")
		}
		return masking.ChannelGates(parameters, heads)
	}
	return nil, fmt.Errorf("no such gate: %q (%s)", g, strings.Join(GateNames, ", "))
}

// Channels are the groups of the network's channels that can go, those of z among them.
func (p *Problem) Channels() []*masking.Group {
	var inputs []string
	for _, v := range p.Network.Graph.Inputs() {
		inputs = append(inputs, v.Name)
	}
	return masking.Groups(p.Network.Graph, inputs...)
}

// Choose makes the masks of the network's parameters that keep what was learned to matter most: for channels, whole ones. The
// paper's mask is TopK of Scores.
func (m *Mask) Choose(c masking.ChannelChoice) (*masking.Set, error) {
	if m.Gates != nil {
		return m.Gates.Choose(m.Logits.Float32s(), c)
	}
	keep, err := masking.TopK(m.Logits.Float32s(), masking.KeepCount(m.Logits.Len(), c.Sparsity), c.Seed)
	if err != nil {
		return nil, err
	}
	dims := make([][]int64, len(m.Packing.Names()))
	for i := range dims {
		dims[i] = m.Packing.Dims(i)
	}
	return masking.FromFlat(m.Packing.Names(), dims, keep)
}

// PruneChannels makes the mask that a method of removing channels gives at initialization, for the mean squared error to the noisy
// image. It covers the parameters that are trained, in their order; channels of z go too.
func (p *Problem) PruneChannels(ctx context.Context, s masking.ChannelScore, c masking.ChannelChoice, run Run) (*masking.Set, error) {
	look := masking.Weights(training.Parameters(p.Network.Graph), c.Seed)
	if s.Needs != 0 {
		mse, err := loss.Lookup("mse")
		if err != nil {
			return nil, err
		}
		saliency, err := training.NewSaliency(p.Network, training.SaliencyConfig{Needs: s.Needs, Loss: mse,
			Batches: []map[string]*onnx.Tensor{p.constants()}, Session: run.Session})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		defer saliency.Close()
		look = saliency.Look(ctx, c.Seed)
	}
	return masking.ChooseChannels(p.Channels(), look, s, c)
}

// Smaller is the problem of the network without the channels that a mask takes away, z cut with it. What it draws is what the masked
// network draws.
func (p *Problem) Smaller(set *masking.Set) (*Problem, error) {
	small := *p
	small.Network = p.Network.Clone()
	g := small.Network.Graph
	if err := masking.Apply(g, set); err != nil {
		return nil, err
	}
	inputs := g.Inputs()
	var names []string
	for _, v := range inputs {
		names = append(names, v.Name)
	}
	done, err := masking.CompactInputs(g, names...)
	if err != nil {
		return nil, err
	}
	for _, v := range inputs {
		if kept := done.Inputs[v.Name]; kept != nil {
			if small.Z, err = masking.Pick(p.Z, 1, kept); err != nil {
				return nil, err
			}
		}
	}
	return &small, nil
}
