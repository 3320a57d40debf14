package training

import (
	"context"
	"errors"
	"fmt"
	"math"

	"graft/onnx"
	"graft/runtime"
	"graft/training/autodiff"
	"graft/training/dataset"
	"graft/training/loss"
)

// LandscapeConfig says what a loss is taken of.
type LandscapeConfig struct {
	Loss   loss.Loss
	Output string // that the loss reads; empty: the first
	// FrozenNorms has BatchNormalization go by its running statistics. Otherwise it goes by those of each batch, as in training.
	FrozenNorms bool
	Data        *dataset.Batches // one epoch of them is what the loss is the mean over
	Session     runtime.Options
}

// Landscape is the mean loss of a network over samples as a function of its weights, with gradient and products with the Hessian.
// The graphs are in float32; what batches give is added up in float64.
type Landscape struct {
	config          LandscapeConfig
	plan            *plan
	slopes, product *runtime.Session
	feeds           map[string]*onnx.Tensor // where it stands: weights and running statistics
	along           *onnx.Tensor
}

const (
	inputAlong      = "graft.along"
	outputGradient  = "graft.gradient"
	outputCurvature = "graft.curvature"
)

// NewLandscape opens the graphs of a network, and stands at its weights.
func NewLandscape(m *onnx.Model, c LandscapeConfig) (*Landscape, error) {
	l, err := newLandscape(m, c)
	if err != nil {
		return nil, fmt.Errorf("landscape: %w", err)
	}
	return l, nil
}

func newLandscape(m *onnx.Model, c LandscapeConfig) (_ *Landscape, err error) {
	if c.Data == nil {
		return nil, errors.New("no samples")
	}
	l := &Landscape{config: c}
	if l.plan, err = newPlan(m, ArtifactConfig{Loss: c.Loss, Output: c.Output, FrozenNorms: c.FrozenNorms, Train: everyParameter, Provider: c.Session.Provider}); err != nil {
		return nil, err
	}
	l.along = onnx.NewTensor(onnx.Float, l.plan.packing.Len())
	values := map[string]*onnx.Tensor{}
	for _, v := range l.plan.params {
		values[v.Name] = v.Const
	}
	trained, err := l.plan.packing.Pack(func(name string) *onnx.Tensor { return values[name] })
	if err != nil {
		return nil, err
	}
	l.Stand(&Snapshot{Trained: trained})
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if l.slopes, err = l.open(false); err != nil {
		return nil, err
	}
	l.product, err = l.open(true)
	return l, err
}

// open opens the graph of loss and gradient, or that of the Hessian times a vector.
func (l *Landscape) open(second bool) (*runtime.Session, error) {
	f, err := l.plan.form(true)
	if err != nil {
		return nil, err
	}
	trained := f.g.AddInput(InputTrained, onnx.TypeOf(onnx.Float, l.plan.packing.Len()))
	parts := l.plan.packing.Split(f.b, trained)
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	for i, v := range f.params {
		if err := f.g.ReplaceUses(v, parts[i]); err != nil {
			return nil, err
		}
		if err := f.g.RemoveInput(v); err != nil {
			return nil, err
		}
	}
	o := autodiff.Options{Device: deviceOf(l.config.Session.Provider)}
	gradient, err := o.Gradients(f.g, f.loss, []*onnx.Value{trained})
	if err != nil {
		return nil, err
	}
	told := f.g.Outputs()[0] // the loss
	f.g.SetOutputs()
	if second {
		along := f.g.AddInput(inputAlong, trained.Type)
		if gradient, err = o.GradientsFrom(f.g, gradient, []*onnx.Value{along}, []*onnx.Value{trained}); err != nil {
			return nil, err
		}
		f.out(gradient[0], outputCurvature)
	} else {
		f.g.SetOutputs(told)
		f.out(gradient[0], outputGradient)
	}
	if err := f.writeNorms(); err != nil {
		return nil, err
	}
	f.g.RemoveUnused()
	if err := f.b.Err(); err != nil {
		return nil, err
	}
	return runtime.OpenModel(f.m, l.config.Session)
}

// Close frees the sessions.
func (l *Landscape) Close() error {
	var errs []error
	for _, s := range []*runtime.Session{l.slopes, l.product} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// Packing is the order of the weights in vectors: that of artifacts of the same network.
func (l *Landscape) Packing() *Packing { return l.plan.packing }

// Stand goes to other weights. A snapshot without running statistics stands for those of the file.
func (l *Landscape) Stand(s *Snapshot) {
	l.feeds = map[string]*onnx.Tensor{InputTrained: s.Trained}
	for _, v := range l.plan.buffers {
		l.feeds[v.Name] = v.Const
		if t := s.Buffers[v.Name]; t != nil {
			l.feeds[v.Name] = t
		}
	}
}

// Over takes the mean over other samples.
func (l *Landscape) Over(data *dataset.Batches) { l.config.Data = data }

// Slopes gives the loss and its gradient.
func (l *Landscape) Slopes(ctx context.Context) (value float64, gradient []float64, err error) {
	gradient, err = l.mean(ctx, l.slopes, outputGradient, func(out map[string]*onnx.Tensor, share float64) {
		value += share * float64(out[OutputLoss].Float32s()[0])
	})
	if err == nil && diverged(value) {
		err = fmt.Errorf("landscape: the loss is %v", value)
	}
	return value, gradient, err
}

// Product gives the Hessian times a vector.
func (l *Landscape) Product(ctx context.Context, v []float64) ([]float64, error) {
	along := l.along.Float32s()
	if len(v) != len(along) {
		return nil, fmt.Errorf("landscape: a vector of %d numbers, there are %d weights", len(v), len(along))
	}
	for i, x := range v {
		along[i] = float32(x)
	}
	return l.mean(ctx, l.product, outputCurvature, nil)
}

// mean runs an epoch and gives the mean over samples of an output.
func (l *Landscape) mean(ctx context.Context, session *runtime.Session, name string, each func(out map[string]*onnx.Tensor, share float64)) ([]float64, error) {
	data, sum := l.config.Data, make([]float64, l.plan.packing.Len())
	total := 0.0
	for step := int64(1); step <= data.PerEpoch(); step++ {
		total += float64(data.Count(step))
	}
	for step := int64(1); step <= data.PerEpoch(); step++ {
		batch, err := data.At(step)
		if err != nil {
			return nil, fmt.Errorf("landscape: %w", err)
		}
		out, err := session.Run(ctx, feedsOf(session, l.feeds, map[string]*onnx.Tensor{inputAlong: l.along}, batch))
		if err != nil {
			return nil, fmt.Errorf("landscape: %w", err)
		}
		share := float64(data.Count(step)) / total
		for i, x := range out[name].Float32s() {
			sum[i] += share * float64(x)
		}
		if each != nil {
			each(out, share)
		}
	}
	for _, x := range sum {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, errors.New("landscape: a derivative is not a finite number")
		}
	}
	return sum, nil
}
