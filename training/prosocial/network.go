package prosocial

import (
	"fmt"
	"maps"
	"slices"

	"graft/graphs/language"
	"graft/onnx"
)

// Network is a language model by its weights, of which the graph for each task is built.
type Network struct {
	Config  language.Config
	Weights map[string]*onnx.Tensor // by Hugging Face's names
}

// Deviation is that of the weights that a task adds to a network, and of NewNetwork's.
const Deviation = 0.05

// NewNetwork has fresh weights for a task, drawn from a seed.
func NewNetwork(c language.Config, task string, seed uint64) (*Network, error) {
	n := &Network{Config: c.Defaults(), Weights: map[string]*onnx.Tensor{}}
	return n, n.complete(language.Options{Task: task}, seed)
}

// complete draws the weights that a form of the network wants and that are not there.
func (n *Network) complete(o language.Options, seed uint64) error {
	params, err := n.Config.Parameters(o)
	if err != nil {
		return err
	}
	fresh := language.Fresh(seed, Deviation)
	for _, p := range params {
		if n.Weights[p.Name] != nil {
			continue
		}
		if n.Weights[p.Name], err = fresh(p); err != nil {
			return err
		}
	}
	return nil
}

// with is a network that has other weights in place of its own, and beside them.
func (n *Network) with(weights []*onnx.Tensor) *Network {
	out := &Network{Config: n.Config, Weights: maps.Clone(n.Weights)}
	for _, t := range weights {
		out.Weights[t.Name] = t
	}
	return out
}

// WithLabels is the network with so many labels, 1 being a score, and no weights of a classifier of another number.
func (n *Network) WithLabels(labels int64) (*Network, error) {
	out := n.with(nil)
	out.Config.NumLabels = labels
	params, err := out.Config.Parameters(language.Options{Task: language.TextClassification})
	if err != nil {
		return nil, err
	}
	for _, p := range params {
		if w := out.Weights[p.Name]; w != nil && !slices.Equal(w.Dims, p.Dims) {
			delete(out.Weights, p.Name)
		}
	}
	return out, nil
}

// Build makes the network's graph in a form whose weights are all there. Positions are never an input.
func (n *Network) Build(o language.Options) (*onnx.Model, error) {
	o.OwnPositions = language.Decoder(n.Config.ModelType)
	return n.Config.Build(o, func(p language.Parameter) (*onnx.Tensor, error) {
		t := n.Weights[p.Name]
		if t == nil {
			return nil, fmt.Errorf("no such weight")
		}
		return t, nil
	})
}
