package pacbayes

import (
	"fmt"
	"math"
)

// Bound is what stage 1 makes small beside the loss of a noisy network: with the prior's K and the divergence KL of the
// posterior from it,
//
//	B(gamma) = (3/2) K^2 gamma + (KL + C)/(n gamma).
//
// It bounds the expected loss for a loss without an upper end, where K is known. Here K is estimated from the training data,
// so that B plus the loss is an objective and no certificate.
type Bound struct {
	Samples  int64   // n, of the whole training set
	Constant float64 // C: what confidence and the choice of a prior cost
	// Low and High are where gamma is clipped.
	Low, High float64
	K         *Curve
}

// Check refuses bounds that say nothing.
func (b Bound) Check() error {
	switch {
	case b.Samples < 1:
		return fmt.Errorf("bound of %d samples", b.Samples)
	case !(b.Constant >= 0) || math.IsInf(b.Constant, 0):
		return fmt.Errorf("bound with the constant %g: it is not negative", b.Constant)
	case !(b.Low > 0) || !(b.High >= b.Low) || math.IsInf(b.High, 0):
		return fmt.Errorf("gamma between %g and %g: wants 0 < low <= high", b.Low, b.High)
	case b.K == nil:
		return fmt.Errorf("bound without K")
	}
	return nil
}

// Gamma is where B is smallest, clipped: (1/K) sqrt(2 (KL + C)/(3 n)).
func (b Bound) Gamma(kl, k float64) float64 {
	return min(max(math.Sqrt(2*(kl+b.Constant)/(3*float64(b.Samples)))/k, b.Low), b.High)
}

// Value is B at Gamma.
func (b Bound) Value(kl, k float64) float64 {
	g := b.Gamma(kl, k)
	return 1.5*k*k*g + (kl+b.Constant)/(float64(b.Samples)*g)
}
