package bilevel

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Method is how the dual is iterated.
type Method int

const (
	FISTA             Method = iota // accelerated, restarted for each sample by the gradient's direction
	ProjectedGradient               // steps of 1/|W|²
	ADMM                            // over-relaxed by 1.8; rho follows the residuals, its factorisation is kept while it stays
)

var methodNames = []string{"fista", "projected-gradient", "admm"}

func (m Method) String() string {
	if m < 0 || int(m) >= len(methodNames) {
		return fmt.Sprintf("method %d", int(m))
	}
	return methodNames[m]
}

// ParseMethod is the method of a name: fista, projected-gradient or admm.
func ParseMethod(name string) (Method, error) {
	for i, n := range methodNames {
		if n == name {
			return Method(i), nil
		}
	}
	return 0, fmt.Errorf("method %q: wants one of %v", name, methodNames)
}

// Config says how the lower problem is solved. Zero values are defaults.
type Config struct {
	Method     Method
	Tolerance  float64 // of the duality gap, relative to ½|y|²; 1e-10, in float32 1e-5
	Iterations int     // most for a sample; 20,000
	// Plain leaves the steps on the active set away: iterations alone, until the gap is small enough. Without it the sign pattern
	// that iterations arrive at is tried early; the solution is then exact but for rounding, in few iterations.
	Plain bool
	Rho   float64 // ADMM begins with it; 1
}

func (c Config) withDefaults(single bool) (Config, error) {
	if c.Tolerance == 0 {
		c.Tolerance = 1e-10
		if single {
			c.Tolerance = 1e-5
		}
	}
	if c.Iterations == 0 {
		c.Iterations = 20_000
	}
	if c.Rho == 0 {
		c.Rho = 1
	}
	switch {
	case c.Method < 0 || int(c.Method) >= len(methodNames):
		return c, fmt.Errorf("%v: wants one of %v", c.Method, methodNames)
	case !(c.Tolerance > 0) || c.Iterations < 0 || !(c.Rho > 0) || math.IsInf(c.Rho, 0):
		return c, fmt.Errorf("solve: tolerance %g, %d iterations, rho %g: wants all above 0", c.Tolerance, c.Iterations, c.Rho)
	}
	return c, nil
}

// Solution is what argmin ½|x-y|² + β|Wx|₁ is for each sample of a batch.
type Solution[T Float] struct {
	Samples int
	X       []T // samples by columns of W
	Dual    []T // samples by rows: y - Wᵀu is X but for rounding, |u| no more than β
	// Gap is objective less dual objective at Dual, a bound of how far the objective is from its least value; ½|x-x*|² is no more.
	Gap []float64
	// Pattern is the sign of Wx*, samples by rows: screening has decided it but for the rows in Ties.
	Pattern    []int8
	Ties       []Tie
	Iterations []int
	Open       []int // samples that ran out of iterations: their gap is above the tolerance

	operator *Operator
	beta     float64
	y        []float64
	x, dual  []float64 // before they were rounded to T
	z        []float64 // Wx
	factors  *factors
}

// Tie is a row whose sign the gap does not decide: Wx* is so close to 0 there, or the dual so close to ±β, that another pattern may
// be the right one. The gradient is then one of those that there are on either side.
type Tie struct {
	Sample, Row int
	Product     float64 // (Wx)_i
	Dual        float64
}

// Solve solves the lower problem for samples that lie one after the other in y. start is a dual to begin with, such as the solution of
// another operator near this one; nil is 0.
func Solve[T Float](o *Operator, beta float64, y []T, c Config, start []T) (*Solution[T], error) {
	_, single := any(y).([]float32)
	c, err := c.withDefaults(single)
	if err != nil {
		return nil, err
	}
	if !(beta >= 0) || math.IsInf(beta, 0) {
		return nil, fmt.Errorf("solve: beta is %g: wants a finite number, 0 or more", beta)
	}
	if len(y)%o.cols != 0 {
		return nil, fmt.Errorf("solve: %d numbers are no signals of length %d", len(y), o.cols)
	}
	samples := len(y) / o.cols
	for i, v := range y {
		if v-v != 0 {
			return nil, fmt.Errorf("solve: sample %d, element %d is %g: wants finite numbers", i/o.cols, i%o.cols, v)
		}
	}
	if start != nil && len(start) != samples*o.rows {
		return nil, fmt.Errorf("solve: a start of %d numbers for %d samples of %d rows", len(start), samples, o.rows)
	}
	s := &Solution[T]{
		Samples: samples, Gap: make([]float64, samples), Pattern: make([]int8, samples*o.rows), Iterations: make([]int, samples),
		operator: o, beta: beta, y: convert[float64](y), dual: make([]float64, samples*o.rows), factors: newFactors(o),
	}
	for i, u := range start {
		if u-u != 0 {
			return nil, fmt.Errorf("solve: start of sample %d, row %d is %g: wants finite numbers", i/o.rows, i%o.rows, u)
		}
		s.dual[i] = clip(float64(u), beta)
	}
	for i := range samples {
		if e := floats.Dot(s.y[i*o.cols:(i+1)*o.cols], s.y[i*o.cols:(i+1)*o.cols]) / 2; math.IsInf(e, 0) || math.IsInf(float64(T(e)), 0) {
			return nil, fmt.Errorf("solve: sample %d: ½|y|² is no number of its type: scale it down", i)
		}
	}
	if err := s.iterate(c); err != nil {
		return nil, err
	}
	s.X, s.Dual = convert[T](s.x), convert[T](s.dual)
	return s, nil
}

func clip[T Float](v, bound T) T { return max(-bound, min(v, bound)) }

// firstCheck is after how many iterations the gap is looked at first; then after as many as have been made, up to mostBetween.
const (
	firstCheck  = 16
	mostBetween = 128
)

// iterate brings the duals to the tolerance, and decides the patterns.
func (s *Solution[T]) iterate(c Config) error {
	b := newBatch[T](s)
	m, err := newMethod(b, c)
	if err != nil {
		return err
	}
	done := 0
	for next := 0; len(b.ids) > 0; next = min(max(firstCheck, done), mostBetween, c.Iterations-done) {
		if next > 0 {
			m.steps(next)
			done += next
		}
		exact := s.finish(b, c, done)
		var keep []int
		for r, id := range b.ids {
			s.Iterations[id] = done
			if exact[r] || b.gap(r) <= c.Tolerance*b.energy[r] {
				continue
			}
			if done >= c.Iterations {
				s.Open = append(s.Open, id)
				continue
			}
			keep = append(keep, r)
		}
		if len(keep) < len(b.ids) {
			b.store(s.dual, exact, keep)
			m.keep(keep)
			b.keep(keep)
		}
	}
	s.evaluate()
	return nil
}

// evaluate is x, gap and pattern of the duals, in float64.
func (s *Solution[T]) evaluate() {
	o := s.operator
	s.x, s.z = make([]float64, len(s.y)), make([]float64, len(s.dual))
	s.products(s.x, s.z, s.dual, s.y)
	ties := make([][]Tie, s.Samples)
	parallel(s.Samples, func(i int) {
		u, z := s.dual[i*o.rows:(i+1)*o.rows], s.z[i*o.rows:(i+1)*o.rows]
		s.Gap[i] = gap(s.beta, u, z)
		ties[i] = s.screen(i, z)
	})
	for _, t := range ties {
		s.Ties = append(s.Ties, t...)
	}
}

// gap is the duality gap of u with x = y - Wᵀu, for z = Wx:
//
//	½|x-y|² + β|Wx|₁ - ½|y|² + ½|y-Wᵀu|² = Σ β|z_i| - u_i z_i,
//
// each term of which is 0 or more where |u_i| is β at most.
func gap[T Float](beta float64, u, z []T) float64 {
	sum := 0.0
	for i, v := range z {
		sum += math.Max(0, beta*math.Abs(float64(v))-float64(u[i])*float64(v))
	}
	return sum
}
