package training

import (
	"context"
	"fmt"
	"math"
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// openFlow opens the gradient of the sum of the output's elements. An activation that ends the network is taken off, and
// InstanceNormalization scales and shifts alone, as BatchNormalization does by statistics that are at rest: normalized by its
// own statistics, what flows would not depend on what flows in.
func (s *Saliency) openFlow() error {
	f, err := s.resting()
	if err != nil {
		return err
	}
	replaced := map[*onnx.Value]*onnx.Value{}
	for _, n := range f.g.Nodes() {
		if n.Is("InstanceNormalization") {
			rank := len(n.Input(0).Type.Shape)
			each := make([]int64, max(rank-1, 1))
			for i := range each {
				each[i] = 1
			}
			each[0] = -1
			y := f.b.Add(f.b.Mul(n.Input(0), f.b.Reshape(n.Input(1), each...)), f.b.Reshape(n.Input(2), each...))
			if err := f.b.Err(); err != nil {
				return err
			}
			if err := f.g.ReplaceUses(n.Output(0), y); err != nil {
				return err
			}
			replaced[n.Output(0)] = y
		}
	}
	f.g.ReplaceHandedOut(replaced)
	y := f.g.Outputs()[s.plan.outputIndex]
	for y = behindIdentity(y); y.Producer() != nil && slices.ContainsFunc([]string{"Sigmoid", "Softmax", "LogSoftmax", "Tanh"}, y.Producer().Is); y = behindIdentity(y) {
		y = y.Producer().Input(0)
	}
	gradients, err := autodiff.Options{Device: deviceOf(s.config.Session.Provider)}.Gradients(f.g, f.b.ReduceSum(y, false), f.params)
	if err != nil {
		return err
	}
	s.flow, err = s.open(f, gradients)
	return err
}

// resting is the network as it infers, its weights and statistics being inputs.
func (s *Saliency) resting() (*form, error) {
	m := s.plan.base.Clone()
	f := &form{m: m, g: m.Graph, b: op.NewBuilder(m.Graph)}
	f.clearNames(s.plan)
	lifted, err := lift(f.g, slices.Concat(s.plan.params, s.plan.buffers))
	if err != nil {
		return nil, err
	}
	for _, v := range s.plan.params {
		f.params = append(f.params, lifted[v.Name])
	}
	return f, nil
}

// openOutput opens the gradient of the sum of the output's elements, of the network as it infers.
func (s *Saliency) openOutput() error {
	f, err := s.resting()
	if err != nil {
		return err
	}
	y := f.g.Outputs()[s.plan.outputIndex]
	gradients, err := autodiff.Options{Device: deviceOf(s.config.Session.Provider)}.Gradients(f.g, f.b.ReduceSum(y, false), f.params)
	if err != nil {
		return err
	}
	s.output, err = s.open(f, gradients)
	return err
}

func (s *Saliency) outputs(ctx context.Context, weights map[string]*onnx.Tensor, list []masking.Evidence) error {
	g, err := s.mean(ctx, s.output, weights)
	if err != nil {
		return fmt.Errorf("gradient of the output: %w", err)
	}
	for i := range list {
		list[i].OutputGradient = g[list[i].Name]
	}
	return nil
}

func (s *Saliency) flows(ctx context.Context, weights map[string]*onnx.Tensor, list []masking.Evidence) error {
	feeds := map[string]*onnx.Tensor{}
	for name, t := range weights {
		t = t.Clone()
		for i, x := range t.Float32s() {
			t.Float32s()[i] = max(x, -x)
		}
		feeds[name] = t
	}
	ones := map[string]*onnx.Tensor{}
	for name, t := range s.config.Batches[0] {
		if t.DType != onnx.Float {
			ones[name] = t
			continue
		}
		one := onnx.NewTensor(onnx.Float, t.Dims...)
		for i := range one.Float32s() {
			one.Float32s()[i] = 1
		}
		ones[name] = one
	}
	out, err := s.flow.Run(ctx, feedsOf(s.flow, feeds, s.buffers, ones))
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	for i := range list {
		list[i].Flow = out[slope(list[i].Name)].Float32s()
		if slices.ContainsFunc(list[i].Flow, func(x float32) bool { return math.IsInf(float64(x), 0) || x != x }) {
			return fmt.Errorf("flow of %s: it leaves the range of float32", limits.Name(list[i].Name))
		}
	}
	return nil
}
