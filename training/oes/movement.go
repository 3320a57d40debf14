package oes

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// MovementConfig sets movement pruning up.
type MovementConfig struct {
	Keep  int64 // parameters that are left in the end, biases and norms among them
	Steps int64
	Rate  float64 // Adam's learning rate; 1e-2
	// Begin and End are the steps after which the first and the last choice is made, Every the steps between; 0: as in
	// GradualConfig.
	Begin, End, Every int64
	Seed              uint64   // of ties
	Protect           []string // parameters that stay whole beside biases and norms
}

const slotMovement = "movement"

// Movement fits the network, and takes the weights away that move towards zero (Sanh, Wolf, Rush, arXiv 2005.07683): a weight's
// score
//
//	S(t+1) = S(t) - g(t) w(t),   g the gradient where the weight is used, whether it is on or off,
//
// grows when the weight grows, and the highest of all convolutions and products stay, as many as the cubic curve of
// training.Gradual says. A weight that is off rests, and comes back when its score does. The mask is packed as the network's
// parameters.
func (p *Problem) Movement(ctx context.Context, c MovementConfig, run Run) (*Fit, []bool, error) {
	if c.Rate == 0 {
		c.Rate = 1e-2
	}
	fit, keep, err := p.movement(ctx, c, run)
	if err != nil {
		return nil, nil, fmt.Errorf("movement: %w", err)
	}
	return fit, keep, nil
}

func (p *Problem) movement(ctx context.Context, c MovementConfig, run Run) (*Fit, []bool, error) {
	schedule := GradualConfig{Keep: c.Keep, Steps: c.Steps, Begin: c.Begin, End: c.End, Every: c.Every}.defaults()
	var mask *onnx.Value
	step, err := training.NewStep(p.Network, training.StepConfig{Loss: loss.MSE, Observe: p.Observe, Constants: p.constants(), Provider: run.Session.Provider,
		Optimizer: moving(optim.Adam(optim.AdamConfig{}), &mask),
		Weights: func(b *op.Builder, trained *onnx.Value) *onnx.Value {
			mask = b.Graph().AddInput(training.InputGradientMask, trained.Type)
			return b.Mul(trained, mask)
		},
		Through: func(_ *op.Builder, _, gradient *onnx.Value) *onnx.Value { return gradient },
	})
	if err != nil {
		return nil, nil, err
	}
	f := follow{steps: c.Steps, rate: c.Rate, mask: ones(step.Packing.Len())}
	if f.start, err = step.Packing.Pack(func(name string) *onnx.Tensor { return p.Network.Graph.Lookup(name).Const }); err != nil {
		return nil, nil, err
	}
	layers := layersOf(p.Network, step.Packing, c.Protect)
	weights, of, err := left(layers, c.Keep)
	if err != nil {
		return nil, nil, err
	}
	g := training.Gradual{Final: 1 - float64(weights)/float64(of), Begin: schedule.Begin, End: schedule.End, Every: schedule.Every}
	if err := g.Check(); err != nil {
		return nil, nil, err
	}
	if g.End > c.Steps {
		return nil, nil, fmt.Errorf("the last choice is made after step %d of %d", g.End, c.Steps)
	}
	f.pause = g.Due
	f.visit = func(s *training.Snapshot) (*training.Snapshot, error) {
		n := of - int64(float64(of)*g.Sparsity(s.Steps)+1e-6)
		if s.Steps == g.End {
			n = weights
		}
		keep, err := bestOf(layers, s.Slots[slotMovement].Float32s(), nil, n, c.Seed)
		if err != nil {
			return nil, err
		}
		after := *s
		after.Mask = floatMask(keep)
		return &after, nil
	}
	done, err := p.follow(ctx, step, f, run)
	if err != nil {
		return nil, nil, err
	}
	keep := marks(done.snapshot.Mask)
	for i, x := range done.snapshot.Trained.Float32s() {
		if !keep[i] {
			x = 0
		}
		done.snapshot.Trained.Float32s()[i] = x
	}
	fit, err := p.finish(ctx, step.Packing.Unpack(done.snapshot.Trained), done, c.Steps, run)
	return fit, keep, err
}

// moving is an optimizer that moves what the mask keeps, and sums up the scores of all weights in a slot of its own.
func moving(o optim.Optimizer, mask **onnx.Value) optim.Optimizer {
	n, inner := len(o.Slots), o.Update
	o.Name, o.Slots = slotMovement, append(append([]string{}, o.Slots...), slotMovement)
	o.Update = func(b *op.Builder, w, g *onnx.Value, slots []*onnx.Value, rate, step *onnx.Value) (*onnx.Value, []*onnx.Value) {
		next, after := inner(b, w, b.Mul(g, *mask), slots[:n], rate, step)
		// Adam's moments would move a weight for a while after its gradient has gone.
		next = b.Where(b.Cast(*mask, onnx.Bool), next, w)
		return next, append(after, b.Sub(slots[n], b.Mul(g, w)))
	}
	return o
}
