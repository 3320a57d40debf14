package momentum

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/stat"

	"graft/runtime"
)

// Setup is a descent held against a flow.
type Setup struct {
	Name  string
	Doc   string
	Order int // by which the distance falls with the step, in theory
	// preloaded begins the descent with the momentum that it will have, instead of at rest.
	preloaded bool
	flow      func(ctx context.Context, f *Field, h Heavy, start [2]float64) *Flow
}

// Setups lists them. The two of order 2 are the correct ones.
var Setups = []Setup{
	{"piecewise", "from rest, and the flow whose coefficients follow the momentum's beginning", 2, false, NewPiecewise},
	{"preloaded", "with its momentum from the first step on, and the flow of the modified loss", 2, true,
		func(ctx context.Context, f *Field, h Heavy, start [2]float64) *Flow {
			return NewFlow(ctx, f, h, h.Stationary(), start)
		}},
	{"modified-from-rest", "from rest, and the flow of the modified loss, which is not at rest: off by the beginning", 1, false,
		func(ctx context.Context, f *Field, h Heavy, start [2]float64) *Flow {
			return NewFlow(ctx, f, h, h.Stationary(), start)
		}},
	{"gradient-flow", "from rest, and the flow of the loss itself", 1, false,
		func(ctx context.Context, f *Field, h Heavy, start [2]float64) *Flow {
			return NewFlow(ctx, f, h, h.Plain(), start)
		}},
}

// FindSetup looks a set-up up by name.
func FindSetup(name string) (Setup, error) {
	names := make([]string, len(Setups))
	for i, s := range Setups {
		if s.Name == name {
			return s, nil
		}
		names[i] = s.Name
	}
	return Setup{}, fmt.Errorf("no such set-up: %q (%s)", name, strings.Join(names, ", "))
}

// OrderStart and OrderTime are where the orders are measured from, and after how much effective time, which is steps times effective
// step: the descent is on its way still. Once it rests, the beginning's offset along the path is gone.
var OrderStart = [2]float64{2.8, 3.5}

// OrderTime goes with OrderStart.
const OrderTime = 0.2

// Orders holds what set-ups are measured with. Close frees it.
type Orders struct {
	field *Field
	walk  *Walk
}

// NewOrders opens the graphs.
func NewOrders(p Plane, o runtime.Options) (*Orders, error) {
	field, err := NewField(p, o)
	if err != nil {
		return nil, err
	}
	walk, err := NewWalk(p, []Heavy{{Rate: p.Rate}}, p.Start, nil, o)
	if err != nil {
		return nil, errors.Join(err, field.Close())
	}
	return &Orders{field, walk}, nil
}

// Close frees the sessions.
func (o *Orders) Close() error { return errors.Join(o.field.Close(), o.walk.Close()) }

// Distance is that of descent and flow after so much effective time.
func (o *Orders) Distance(ctx context.Context, s Setup, h Heavy, start [2]float64, time float64) (float64, error) {
	if err := h.check(); err != nil {
		return 0, err
	}
	before, err := start, error(nil)
	if s.preloaded {
		if before, err = o.field.Preloaded(ctx, h, start); err != nil {
			return 0, err
		}
	}
	if err := o.walk.Restart([]Heavy{h}, start, func(Heavy) [2]float64 { return before }); err != nil {
		return 0, err
	}
	steps := int64(math.Round(time / h.Rate))
	if err := o.walk.Go(ctx, steps); err != nil {
		return 0, err
	}
	flow := s.flow(ctx, o.field, h, start)
	if err := flow.Until(steps); err != nil {
		return 0, err
	}
	a, b := o.walk.At(0), flow.At()
	return math.Hypot(a[0]-b[0], a[1]-b[1]), nil
}

// Slope is that of the straight line through (log x, log y) by least squares: the order by which y falls with x.
func Slope(x, y []float64) float64 {
	logs := func(v []float64) []float64 {
		out := make([]float64, len(v))
		for i := range v {
			out[i] = math.Log(v[i])
		}
		return out
	}
	_, slope := stat.LinearRegression(logs(x), logs(y), nil, false)
	return slope
}
