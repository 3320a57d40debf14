package training

import (
	"context"
	"errors"
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training/dataset"
	"graft/training/loss"
)

// Norms estimates the running statistics of a network's BatchNormalization anew, for weights that are given: training leaves
// those of the weights on the way, and weights that were pruned or moved have others.
type Norms struct {
	buffers []*onnx.Value
	packing *Packing
	session *runtime.Session // nil: the network has no statistics
}

// NewNorms opens the network of m in training mode.
func NewNorms(m *onnx.Model, o runtime.Options) (*Norms, error) {
	mse, err := loss.Lookup("mse")
	if err != nil {
		return nil, err
	}
	g, err := NewGated(m, ArtifactConfig{Loss: mse, Provider: o.Provider})
	if err != nil {
		return nil, fmt.Errorf("estimate norms: %w", err)
	}
	return g.NewNorms(o)
}

// NewNorms opens the network in training mode, its parameters packed as g's.
func (g *Gated) NewNorms(o runtime.Options) (*Norms, error) {
	n, err := g.newNorms(o)
	if err != nil {
		return nil, fmt.Errorf("estimate norms: %w", err)
	}
	return n, nil
}

func (g *Gated) newNorms(o runtime.Options) (*Norms, error) {
	p := g.plan
	n := &Norms{buffers: p.buffers, packing: p.packing}
	if len(p.buffers) == 0 {
		return n, nil
	}
	m := p.base.Clone()
	f := &form{m: m, g: m.Graph, b: op.NewBuilder(m.Graph)}
	f.clearNames(p)
	lifted, err := lift(f.g, append(append([]*onnx.Value{}, p.params...), p.buffers...))
	if err != nil {
		return nil, err
	}
	for _, v := range p.params {
		delete(lifted, v.Name)
	}
	moved, err := f.norms(lifted, true)
	if err != nil {
		return nil, err
	}
	// What the statistics become with nothing of the old ones kept is the batch's own.
	for _, node := range f.g.Nodes() {
		if node.Is("BatchNormalization") && onnx.AttrOr(node, "training_mode", int64(0)) != 0 {
			node.SetAttr(onnx.Float32("momentum", 0))
		}
	}
	for name, v := range moved {
		f.g.AddOutput(v, name+next)
	}
	outputs := f.g.Outputs()
	f.g.SetOutputs(outputs[len(outputs)-len(moved):]...)
	if err := f.writeNorms(); err != nil {
		return nil, err
	}
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	f.g.RemoveUnused()
	data, err := f.m.Encode()
	if err != nil {
		return nil, err
	}
	n.session, err = runtime.Open(data, o)
	return n, err
}

// Any reports whether there are statistics to estimate.
func (n *Norms) Any() bool { return n.session != nil }

// Close frees the session.
func (n *Norms) Close() error {
	if n.session == nil {
		return nil
	}
	return n.session.Close()
}

// Estimate runs the network in training mode over one epoch of data with the packed weights, and gives each statistic's mean
// over the batches, weighted by their samples: of means, and of the biased variances, as training with a small momentum would
// end at. nil where there are none.
func (n *Norms) Estimate(ctx context.Context, weights *onnx.Tensor, data *dataset.Batches) (map[string]*onnx.Tensor, error) {
	if n.session == nil {
		return nil, nil
	}
	if weights.Len() != n.packing.Len() {
		return nil, errors.New("estimate norms: the weights are not those of the network")
	}
	fixed := map[string]*onnx.Tensor{}
	for _, t := range n.packing.Unpack(weights) {
		fixed[t.Name] = t
	}
	for _, v := range n.buffers {
		fixed[v.Name] = onnx.NewTensor(onnx.Float, v.Const.Dims...)
	}
	sums, samples := map[string][]float64{}, 0.0
	for step := int64(1); step <= data.PerEpoch(); step++ {
		given, err := data.At(step)
		if err != nil {
			return nil, fmt.Errorf("estimate norms: %w", err)
		}
		out, err := n.session.Run(ctx, feedsOf(n.session, fixed, given))
		if err != nil {
			return nil, fmt.Errorf("estimate norms: %w", err)
		}
		count := float64(data.Count(step))
		samples += count
		for _, v := range n.buffers {
			t := out[v.Name+next]
			if t == nil {
				continue
			}
			if sums[v.Name] == nil {
				sums[v.Name] = make([]float64, t.Len())
			}
			for i, x := range t.Float32s() {
				sums[v.Name][i] += count * float64(x)
			}
		}
	}
	estimated := map[string]*onnx.Tensor{}
	for _, v := range n.buffers {
		t := v.Const
		if sum := sums[v.Name]; sum != nil {
			t = onnx.NewTensor(onnx.Float, v.Const.Dims...)
			for i, s := range sum {
				if t.Float32s()[i] = float32(s / samples); t.Float32s()[i]-t.Float32s()[i] != 0 {
					return nil, fmt.Errorf("estimate norms: %s is not finite for these weights", v.Name)
				}
			}
		}
		estimated[v.Name] = t
	}
	return estimated, nil
}
