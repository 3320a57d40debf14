package momentum

import (
	"context"
	"math"

	"graft/onnx"
	"graft/runtime"
)

// Field gives loss, gradient and H∇E at points of a plane, from the graph that automatic differentiation made.
type Field struct {
	session *runtime.Session
	feeds   map[string]*onnx.Tensor
	outputs []string
}

// NewField opens the graph.
func NewField(p Plane, o runtime.Options) (*Field, error) {
	m, err := p.SlopesModel()
	if err != nil {
		return nil, err
	}
	session, err := runtime.OpenModel(m, o)
	if err != nil {
		return nil, err
	}
	f := &Field{session: session, feeds: map[string]*onnx.Tensor{}, outputs: append(append([]string{portLoss}, portGradients[:]...), portCurvings[:]...)}
	for _, name := range portWeights {
		f.feeds[name] = onnx.NewTensor(onnx.Double, 1)
	}
	return f, nil
}

// Close frees the session.
func (f *Field) Close() error { return f.session.Close() }

// Slopes are a loss and its derivatives at a point.
type Slopes struct {
	Loss              float64
	Gradient, Curving [2]float64 // ∇E, H∇E
}

// At evaluates the graph.
func (f *Field) At(ctx context.Context, w [2]float64) (Slopes, error) {
	for i, name := range portWeights {
		onnx.View[float64](f.feeds[name])[0] = w[i]
	}
	out, err := f.session.Run(ctx, f.feeds, f.outputs...)
	if err != nil {
		return Slopes{}, err
	}
	s := Slopes{Loss: onnx.View[float64](out[portLoss])[0]}
	for i := range 2 {
		s.Gradient[i], s.Curving[i] = onnx.View[float64](out[portGradients[i]])[0], onnx.View[float64](out[portCurvings[i]])[0]
	}
	return s, nil
}

// Preloaded is where a descent has been a step earlier whose momentum is what it will be: at start + (effective step) ∇E(start).
func (f *Field) Preloaded(ctx context.Context, h Heavy, start [2]float64) ([2]float64, error) {
	s, err := f.At(ctx, start)
	return [2]float64{start[0] + h.Rate*s.Gradient[0], start[1] + h.Rate*s.Gradient[1]}, err
}

// Coefficients are those of a flow x' = -S ∇E - C H∇E.
type Coefficients struct{ S, C float64 }

// Plain is the gradient flow in the time of the descent, whose step takes h of it.
func (h Heavy) Plain() Coefficients { return Coefficients{S: 1 / (1 - h.Beta)} }

// Stationary is the flow of the modified loss: ∇|∇E|² is 2 H∇E.
func (h Heavy) Stationary() Coefficients {
	return Coefficients{S: 1 / (1 - h.Beta), C: 2 * h.Modified() / (1 - h.Beta)}
}

// Transient are the coefficients of the flow from t = n h to (n+1) h of a descent that starts at rest:
//
//	S = (1-β^(n+1))/(1-β),  C = h (S²/2 + D),  D of 0 = 0,  D = β (D before + S² before).
//
// They go to those of the stationary flow.
type Transient struct {
	h      Heavy
	power  float64 // β^(n+1)
	s, d   float64
	steady bool
}

// NewTransient begins with n = 0.
func NewTransient(h Heavy) *Transient {
	return &Transient{h: h, power: h.Beta, s: 1}
}

// Coefficients are those of the n-th interval.
func (t *Transient) Coefficients() Coefficients {
	return Coefficients{S: t.s, C: t.h.Step() * (t.s*t.s/2 + t.d)}
}

// Next goes to the interval after it.
func (t *Transient) Next() {
	before, s := *t, 0.0
	t.power *= t.h.Beta
	s = (1 - t.power) / (1 - t.h.Beta)
	t.d = t.h.Beta * (t.d + t.s*t.s)
	t.s = s
	t.steady = t.s == before.s && math.Abs(t.d-before.d) <= 1e-15*t.d
}

// Steady reports whether the coefficients do not change any more.
func (t *Transient) Steady() bool { return t.steady || t.h.Beta == 0 }

// Flow is a continuous trajectory under way.
type Flow struct {
	ctx       context.Context
	field     *Field
	step      float64 // h, the time of an interval
	transient *Transient
	constant  Coefficients
	ode       Integrator
	at        []float64
	time      float64
	interval  int64
}

// NewFlow begins a flow with constant coefficients.
func NewFlow(ctx context.Context, f *Field, h Heavy, c Coefficients, start [2]float64) *Flow {
	return &Flow{ctx: ctx, field: f, step: h.Step(), constant: c, at: start[:], ode: Integrator{Relative: flowTolerance, Absolute: flowTolerance}}
}

// NewPiecewise begins the flow whose coefficients change with every step of a descent from rest.
func NewPiecewise(ctx context.Context, f *Field, h Heavy, start [2]float64) *Flow {
	flow := NewFlow(ctx, f, h, Coefficients{}, start)
	flow.transient = NewTransient(h)
	return flow
}

// flowTolerance is far below what flows and descents differ by.
const flowTolerance = 1e-11

// At is where the flow is.
func (f *Flow) At() [2]float64 { return [2]float64(f.at) }

// Until goes on to the time of so many steps of the descent, counted from the beginning.
func (f *Flow) Until(steps int64) error {
	for f.transient != nil && !f.transient.Steady() && f.interval < steps {
		if err := f.to(f.interval+1, f.transient.Coefficients()); err != nil {
			return err
		}
		f.transient.Next()
	}
	if f.interval >= steps {
		return nil
	}
	c := f.constant
	if f.transient != nil {
		c = f.transient.Coefficients()
	}
	return f.to(steps, c)
}

func (f *Flow) to(interval int64, c Coefficients) error {
	end := float64(interval) * f.step
	err := f.ode.Go(func(_ float64, x, slope []float64) error {
		s, err := f.field.At(f.ctx, [2]float64(x))
		for i := range slope {
			slope[i] = -c.S*s.Gradient[i] - c.C*s.Curving[i]
		}
		return err
	}, f.at, f.time, end)
	f.time, f.interval = end, interval
	return err
}
