package momentum

import (
	"context"
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/runtime"
	"graft/training"
)

// Heavy is a descent with heavy-ball momentum on E + Penalty |∇E|².
type Heavy struct {
	Rate    float64 // effective step h/(1-Beta), equal steps being what is compared
	Beta    float64
	Penalty float64
}

// Step is h.
func (h Heavy) Step() float64 { return h.Rate * (1 - h.Beta) }

// Modified is the coefficient of |∇E|² in the modified loss whose flow the descent follows: h(1+β)/(4(1-β)²), which is the effective
// step times (1+β)/(4(1-β)).
func (h Heavy) Modified() float64 { return h.Rate * (1 + h.Beta) / (4 * (1 - h.Beta)) }

// Explicit is gradient descent at the same effective step with what momentum adds to its modified loss as a term of the loss: the
// coefficient is h.Modified() without that of gradient descent itself, which is the effective step times β/(2(1-β)).
func (h Heavy) Explicit() Heavy {
	return Heavy{Rate: h.Rate, Penalty: h.Modified() - Heavy{Rate: h.Rate}.Modified()}
}

// check refuses what is no descent.
func (h Heavy) check() error {
	if !(h.Rate > 0) || math.IsInf(h.Rate, 0) || !(h.Beta >= 0 && h.Beta < 1) || !(h.Penalty >= 0) || math.IsInf(h.Penalty, 0) {
		return fmt.Errorf("descent with effective step %g, beta %g and penalty %g: wants a step above 0, beta in [0, 1) and a penalty from 0", h.Rate, h.Beta, h.Penalty)
	}
	return nil
}

// Walk is descents from points of a plane, all at once on one session.
type Walk struct {
	plane   Plane
	session *runtime.Session
	feeds   map[string]*onnx.Tensor
	steps   *onnx.Tensor
	taken   int64
	points  int
	penalty bool
	next    [4]string // outputs, in the order of carried
	carried [4]string
	settled bool // further steps change nothing
}

// NewWalk sets the descents off at start. before is where they were a step earlier; nil: at start, at rest.
func NewWalk(p Plane, list []Heavy, start [2]float64, before func(Heavy) [2]float64, o runtime.Options) (*Walk, error) {
	w := &Walk{plane: p, points: len(list), penalty: slices.ContainsFunc(list, func(h Heavy) bool { return h.Penalty != 0 })}
	if err := w.Restart(list, start, before); err != nil {
		return nil, err
	}
	m, err := p.DescentModel(int64(len(list)), w.penalty)
	if err != nil {
		return nil, err
	}
	w.session, err = runtime.OpenModel(m, o)
	return w, err
}

// Restart begins anew with as many descents, none with a penalty where none had one.
func (w *Walk) Restart(list []Heavy, start [2]float64, before func(Heavy) [2]float64) error {
	if len(list) != w.points {
		return fmt.Errorf("%d descents in the place of %d", len(list), w.points)
	}
	for _, h := range list {
		if err := h.check(); err != nil {
			return err
		}
		if h.Penalty != 0 && !w.penalty {
			return fmt.Errorf("a descent with penalty %g among those without", h.Penalty)
		}
	}
	w.feeds, w.steps, w.taken, w.settled = map[string]*onnx.Tensor{}, onnx.NewTensor(onnx.Int64, 1), 0, false
	vector := func(name string, of func(h Heavy) float64) {
		values := make([]float64, len(list))
		for i, h := range list {
			values[i] = of(h)
		}
		w.feeds[name] = onnx.FromSlice(values, int64(len(values)))
	}
	for i := range 2 {
		vector(portWeights[i], func(Heavy) float64 { return start[i] })
		vector(portBefore[i], func(h Heavy) float64 {
			if before == nil {
				return start[i]
			}
			return before(h)[i]
		})
		w.carried[i], w.carried[2+i] = portWeights[i], portBefore[i]
	}
	for i, name := range w.carried {
		w.next[i] = name + ".next"
	}
	vector(portRate, Heavy.Step)
	vector(portBeta, func(h Heavy) float64 { return h.Beta })
	if w.penalty {
		vector(portTerm, func(h Heavy) float64 { return h.Penalty })
	}
	w.feeds[portSteps] = w.steps
	return nil
}

// Close frees the session.
func (w *Walk) Close() error { return w.session.Close() }

// At is where a descent is.
func (w *Walk) At(i int) [2]float64 {
	return [2]float64{onnx.View[float64](w.feeds[portWeights[0]])[i], onnx.View[float64](w.feeds[portWeights[1]])[i]}
}

// Taken is the number of steps behind.
func (w *Walk) Taken() int64 { return w.taken }

// Settled reports whether all descents have come to rest: the last steps left every number as it was, and so would all others.
func (w *Walk) Settled() bool { return w.settled }

// Go takes n steps more in one run of the graph. Once they change no bit, further ones are known and not computed. Where a
// descent leaves the numbers, the error is a training.DivergedError with the step, and the walk stays where it was.
func (w *Walk) Go(ctx context.Context, n int64) error {
	if w.settled || n == 0 {
		w.taken += n
		return nil
	}
	out, finite, err := w.run(ctx, n)
	if err != nil {
		return err
	}
	if !finite {
		return w.diverged(ctx, n)
	}
	// A step reads nothing but points and those before them: where one leaves all as it was, the next does.
	same := true
	for i := range w.carried {
		for j, x := range onnx.View[float64](out[w.next[i]]) {
			same = same && x == onnx.View[float64](w.feeds[portWeights[i%2]])[j] && x == onnx.View[float64](w.feeds[portBefore[i%2]])[j]
		}
	}
	for i, name := range w.carried {
		w.feeds[name] = out[w.next[i]]
	}
	w.taken, w.settled = w.taken+n, same
	return nil
}

// run takes steps from where the walk is, which it leaves, and reports whether all numbers are finite then.
func (w *Walk) run(ctx context.Context, n int64) (out map[string]*onnx.Tensor, finite bool, err error) {
	w.steps.Int64s()[0] = n
	if out, err = w.session.Run(ctx, w.feeds, w.next[:]...); err != nil {
		return nil, false, fmt.Errorf("descent on %s: %w", w.plane.Name, err)
	}
	for _, name := range w.next {
		for _, x := range onnx.View[float64](out[name]) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return out, false, nil
			}
		}
	}
	return out, true, nil
}

// diverged finds the first of n steps behind which a number is not finite: none after it is.
func (w *Walk) diverged(ctx context.Context, n int64) error {
	good, bad := int64(0), n
	for bad-good > 1 {
		middle := (good + bad) / 2
		_, finite, err := w.run(ctx, middle)
		if err != nil {
			return err
		}
		if finite {
			good = middle
		} else {
			bad = middle
		}
	}
	return fmt.Errorf("descent on %s: %w", w.plane.Name, &training.DivergedError{Step: w.taken + bad, Parameters: true})
}
