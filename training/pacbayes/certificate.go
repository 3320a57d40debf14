package pacbayes

import (
	"cmp"
	"fmt"
	"math"
)

// Certificate bounds the 0-1 error, on the distribution that the samples come from, of the Gibbs classifier: the one that draws its
// weights anew from the posterior for every sample. With probability 1 - Delta over the samples and the draws the error is at most
// Value, provided that samples and prior are independent and the samples are drawn independently of each other.
//
// The parts: (1) the samples are gone through Draws times, in blocks of Block, with a classifier drawn from the posterior for each
// block. Its errors over Block are independent numbers in [0,1], whose mean is raised by kl inversion to one that holds for the
// posterior (Langford and Caruana 2001, with Hoeffding's theorem of 1963 for means that differ), which fails with probability
// DeltaDraws; (2) Maurer's PAC-Bayes-kl theorem bounds the error by that, KL and n, which fails with probability Delta - DeltaDraws; (3) it
// is held for every choice of the prior's scales on their grid at once, which costs Union nats.
type Certificate struct {
	Samples    int64   `json:"n"`
	Classes    int64   `json:"classes"`
	KL         float64 `json:"kl"`
	Union      float64 `json:"union"` // logarithm of the number of priors
	Delta      float64 `json:"delta"`
	DeltaDraws float64 `json:"delta_draws"`
	Draws      int     `json:"draws"`           // passes over the samples
	Block      int64   `json:"block,omitempty"` // samples that a drawn classifier sees; 0: all of them
	Networks   int64   `json:"networks"`        // that were drawn
	Seed       uint64  `json:"seed"`
	Errors     int64   `json:"errors"` // of all draws on all samples

	Risk      float64 `json:"gibbs_risk"`       // Errors / (Draws Samples)
	RiskBound float64 `json:"gibbs_risk_bound"` // of the posterior on the samples
	Value     float64 `json:"certificate"`
	// Bounds of the same error from the same numbers.
	McAllester float64 `json:"mcallester"`
	Quadratic  float64 `json:"quadratic"`
	Catoni     float64 `json:"catoni"`
	Trivial    float64 `json:"trivial"` // 1 - 1/Classes: guessing
	NonVacuous bool    `json:"non_vacuous"`
}

// CheckDelta refuses confidences that are none.
func CheckDelta(delta float64) error {
	if !(delta > 0 && delta < 1) {
		return fmt.Errorf("delta %g: the probability that the bound fails is in (0, 1)", delta)
	}
	return nil
}

// complete computes what follows from the counts.
func (c *Certificate) complete() error {
	if err := CheckDelta(c.Delta); err != nil {
		return err
	}
	switch {
	case !(c.DeltaDraws > 0 && c.DeltaDraws < c.Delta):
		return fmt.Errorf("delta of the draws %g: it is a part of %g", c.DeltaDraws, c.Delta)
	case c.Samples < 8:
		return fmt.Errorf("%d samples: the theorem holds from 8 on", c.Samples)
	case c.Draws < 1 || c.Block < 0:
		return fmt.Errorf("%d draws of blocks of %d", c.Draws, c.Block)
	case math.IsNaN(c.KL) || c.KL < 0:
		return fmt.Errorf("KL of %g", c.KL)
	}
	n := float64(c.Samples)
	c.Risk = float64(c.Errors) / (float64(c.Draws) * n)
	// The last block of a pass may have fewer samples: its number is then the smaller, and what a full one would have counts.
	block := float64(cmp.Or(min(c.Block, c.Samples), c.Samples))
	blocks := math.Ceil(n / block)
	c.Networks = int64(c.Draws) * int64(blocks)
	full := blocks * block / n
	c.RiskBound = min(1, full*KLInverse(c.Risk/full, math.Log(2/c.DeltaDraws)/float64(c.Networks)))
	delta := c.Delta - c.DeltaDraws
	spent := c.KL + c.Union
	cost := spent + math.Log(2*math.Sqrt(n)/delta)
	c.Value = KLInverse(c.RiskBound, cost/n)
	half := cost / (2 * n)
	c.McAllester = min(1, c.RiskBound+math.Sqrt(half))
	root := math.Sqrt(c.RiskBound+half) + math.Sqrt(half)
	c.Quadratic = min(1, root*root)
	c.Catoni = catoni(c.RiskBound, spent, n, delta)
	c.Trivial = 1 - 1/float64(c.Classes)
	c.NonVacuous = c.Value < c.Trivial
	return nil
}

// catoni is the least, over a grid of l that is paid for, of Catoni's bound (2007, theorem 1.2.6)
//
//	(1 - exp(-l r - (KL + log(1/delta))/n)) / (1 - exp(-l)).
func catoni(risk, kl, n, delta float64) float64 {
	const points = 65
	least := 1.0
	for i := range points {
		l := math.Exp2(-8 + float64(i)/4)
		bound := -math.Expm1(-l*risk-(kl+math.Log(points/delta))/n) / -math.Expm1(-l)
		least = min(least, bound)
	}
	return least
}

// String is one line.
func (c *Certificate) String() string {
	said := "says nothing: guessing is wrong on"
	if c.NonVacuous {
		said = "guessing is wrong on"
	}
	return fmt.Sprintf("certificate: a drawn classifier is wrong on at most %.2f %% with probability %g, from %d samples and KL %.4g (%s %.4g %%)",
		100*c.Value, 1-c.Delta, c.Samples, c.KL, said, 100*c.Trivial)
}
