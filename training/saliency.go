package training

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/runtime"
	"graft/training/autodiff"
	"graft/training/loss"
)

// SaliencyConfig says what a model's weights are judged by.
type SaliencyConfig struct {
	Needs masking.Need
	// Loss compares the output with the batches' target or labels; what needs no gradient needs no loss.
	Loss        loss.Loss
	Output      string // that the loss reads, and whose elements the flow sums; empty: the first
	FrozenNorms bool   // BatchNormalization by the running statistics of the file, not by the batch's
	// Batches are inputs by name, with InputTarget or InputLabels where there is a loss. The flow takes their sizes alone.
	Batches []map[string]*onnx.Tensor
	Session runtime.Options
}

// Saliency runs a model for the evidence that pruning scores read. Close frees its sessions.
type Saliency struct {
	config  SaliencyConfig
	plan    *plan
	names   []string // parameters of the file, in its order
	buffers map[string]*onnx.Tensor
	// One session for each kind of evidence that is needed.
	gradient, hessian, flow, output, norms *runtime.Session
	normOf                                 map[string]inputNorm
	evidence                               map[string]masking.Evidence // of the weights as they are
}

// NewSaliency opens what the evidence of m's parameters is taken from.
func NewSaliency(m *onnx.Model, c SaliencyConfig) (_ *Saliency, err error) {
	if len(c.Batches) == 0 && c.Needs != 0 {
		return nil, errors.New("saliency: no batch to run")
	}
	s := &Saliency{config: c, buffers: map[string]*onnx.Tensor{}, evidence: map[string]masking.Evidence{}}
	for _, v := range masking.Parameters(m.Graph) {
		if v.Const == nil {
			return nil, fmt.Errorf("saliency: %s is stored sparse: make it dense first", limits.Name(v.Name))
		}
		s.names = append(s.names, v.Name)
		s.evidence[v.Name] = masking.WeightEvidence(v, 0)
	}
	if s.plan, err = newPlan(m, c.artifacts()); err != nil {
		return nil, fmt.Errorf("saliency: %w", err)
	}
	for _, v := range s.plan.buffers {
		s.buffers[v.Name] = v.Const
	}
	for _, name := range s.names {
		if !slices.ContainsFunc(s.plan.params, func(v *onnx.Value) bool { return v.Name == name }) {
			return nil, fmt.Errorf("saliency: %s is %v, weights are judged as float32", limits.Name(name), m.Graph.Lookup(name).Const.DType)
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("saliency: %w", err), s.Close())
		}
	}()
	if c.Needs&masking.NeedLoss != 0 {
		if err := s.openGradients(); err != nil {
			return nil, err
		}
	}
	if c.Needs&masking.NeedFlow != 0 {
		if err := s.openFlow(); err != nil {
			return nil, err
		}
	}
	if c.Needs&masking.NeedOutputGradient != 0 {
		if err := s.openOutput(); err != nil {
			return nil, err
		}
	}
	if c.Needs&masking.NeedInputNorm != 0 {
		if err := s.openNorms(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Close frees the sessions.
func (s *Saliency) Close() error {
	var errs []error
	for _, session := range []*runtime.Session{s.gradient, s.hessian, s.flow, s.output, s.norms} {
		if session != nil {
			errs = append(errs, session.Close())
		}
	}
	return errors.Join(errs...)
}

// Look gives the evidence of the file's parameters with the weights that are not kept at zero.
func (s *Saliency) Look(ctx context.Context, seed uint64) masking.Look {
	return func(kept *masking.Set) ([]masking.Evidence, error) {
		weights := s.weights(kept)
		list := make([]masking.Evidence, len(s.names))
		for i, name := range s.names {
			e := s.evidence[name]
			e.Seed, e.Weight = seed, weights[name].Float32s()
			list[i] = e
		}
		if s.gradient != nil {
			if err := s.gradients(ctx, weights, list); err != nil {
				return nil, err
			}
		}
		if s.flow != nil {
			if err := s.flows(ctx, weights, list); err != nil {
				return nil, err
			}
		}
		if s.output != nil {
			if err := s.outputs(ctx, weights, list); err != nil {
				return nil, err
			}
		}
		if s.norms != nil {
			if err := s.inputNorms(ctx, list); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
}

// weights are all parameters of the training form, by name, those of the file masked.
func (s *Saliency) weights(kept *masking.Set) map[string]*onnx.Tensor {
	all := map[string]*onnx.Tensor{}
	for _, v := range s.plan.params {
		t := v.Const
		if m := kept.Get(v.Name); m != nil {
			t = t.Clone()
			for i, keep := range m.Keep {
				if !keep {
					t.Float32s()[i] = 0
				}
			}
		}
		all[v.Name] = t
	}
	return all
}

// direction is the input that a parameter's second derivative is multiplied with.
func direction(name string) string { return name + ".direction" }

func slope(name string) string { return name + ".slope" }

// openGradients opens the gradient of the loss, and its derivative along a direction.
func (s *Saliency) openGradients() error {
	f, err := s.plan.form(true)
	if err != nil {
		return err
	}
	o := autodiff.Options{Device: deviceOf(s.config.Session.Provider)}
	gradients, err := o.Gradients(f.g, f.loss, f.params)
	if err != nil {
		return err
	}
	if s.config.Needs&(masking.NeedHessianGradient|masking.NeedHessianWeight) != 0 {
		second, values := f.copied(gradients)
		var along []*onnx.Value
		for _, v := range second.params {
			along = append(along, second.g.AddInput(direction(v.Name), v.Type))
		}
		products, err := o.GradientsFrom(second.g, values, along, second.params)
		if err != nil {
			return err
		}
		if s.hessian, err = s.open(second, products); err != nil {
			return err
		}
	}
	s.gradient, err = s.open(f, gradients)
	return err
}

// open makes the values, one for each parameter, the outputs of a form, and opens it.
func (s *Saliency) open(f *form, values []*onnx.Value) (*runtime.Session, error) {
	f.g.SetOutputs()
	for i, v := range f.params {
		f.out(values[i], slope(v.Name))
	}
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	f.g.RemoveUnused()
	data, err := f.m.Encode()
	if err != nil {
		return nil, err
	}
	return runtime.Open(data, s.config.Session)
}

// mean runs a session on every batch and gives the mean of each parameter's output.
func (s *Saliency) mean(ctx context.Context, session *runtime.Session, fixed map[string]*onnx.Tensor) (map[string][]float32, error) {
	sums := map[string][]float64{}
	for _, batch := range s.config.Batches {
		out, err := session.Run(ctx, feedsOf(session, fixed, s.buffers, batch))
		if err != nil {
			return nil, err
		}
		for _, v := range s.plan.params {
			t := out[slope(v.Name)].Float32s()
			if sums[v.Name] == nil {
				sums[v.Name] = make([]float64, len(t))
			}
			for i, x := range t {
				sums[v.Name][i] += float64(x) / float64(len(s.config.Batches))
			}
		}
	}
	means := map[string][]float32{}
	for name, sum := range sums {
		means[name] = make([]float32, len(sum))
		for i, x := range sum {
			means[name][i] = float32(x)
		}
	}
	return means, nil
}

// feedsOf picks what a session takes.
func feedsOf(session *runtime.Session, from ...map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	feeds := map[string]*onnx.Tensor{}
	for _, p := range session.Inputs() {
		for _, tensors := range from {
			if t := tensors[p.Name]; t != nil {
				feeds[p.Name] = t
			}
		}
	}
	return feeds
}

func (s *Saliency) gradients(ctx context.Context, weights map[string]*onnx.Tensor, list []masking.Evidence) error {
	g, err := s.mean(ctx, s.gradient, weights)
	if err != nil {
		return fmt.Errorf("gradient: %w", err)
	}
	for i := range list {
		list[i].Gradient = g[list[i].Name]
	}
	if s.hessian == nil {
		return nil
	}
	if s.config.Needs&masking.NeedHessianGradient != 0 {
		h, err := s.curvature(ctx, weights, func(v *onnx.Value) *onnx.Tensor { return onnx.FromSlice(g[v.Name], v.Const.Dims...) })
		if err != nil {
			return err
		}
		for i := range list {
			list[i].HessianGradient = h[list[i].Name]
		}
	}
	if s.config.Needs&masking.NeedHessianWeight != 0 {
		h, err := s.curvature(ctx, weights, func(v *onnx.Value) *onnx.Tensor { return weights[v.Name] })
		if err != nil {
			return err
		}
		for i := range list {
			list[i].HessianWeight = h[list[i].Name]
		}
	}
	return nil
}

// curvature is the second derivative times a direction.
func (s *Saliency) curvature(ctx context.Context, weights map[string]*onnx.Tensor, along func(*onnx.Value) *onnx.Tensor) (map[string][]float32, error) {
	fixed := map[string]*onnx.Tensor{}
	for _, v := range s.plan.params {
		fixed[v.Name] = weights[v.Name]
		fixed[direction(v.Name)] = along(v)
	}
	h, err := s.mean(ctx, s.hessian, fixed)
	if err != nil {
		return nil, fmt.Errorf("second derivative: %w", err)
	}
	return h, nil
}
