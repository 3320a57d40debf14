package cli

import (
	"math"

	"graft/graphs"
	"graft/graphs/analysis"
)

// A denoiser of pictures has as few iterations as bring its PSNR, on what beta was tuned on, within so many decibels of the solution's, which
// is taken for what iterations up to a small gap give. Fewer than leastIteration are not tried, for the PSNR may pass the solution's on its
// way, and no more than mostIterations.
const (
	nearDecibels   = 0.05
	leastIteration = 8
	mostIterations = 256
)

// enoughIterations doubles the number until it is enough, and then halves the way between one that is not and one that is.
func (r *operatorRun) enoughIterations(doc *operatorLearned) error {
	r.Progress().Stage("count iterations", 0)
	looks := 0
	psnrOf := func(s analysis.Solver) (float64, error) {
		looks++
		r.Progress().Step(looks, "")
		m, err := r.openModel(r.iterating(doc.Beta, s))
		if err != nil {
			return 0, err
		}
		defer m.s.Close()
		mse, err := meanError(r.data.tune, func(p *noisyPicture) ([]float32, error) { return m.denoise(p.tensor(), doc.Beta) })
		return decibels(mse), err
	}
	solved, err := psnrOf(analysis.Solver{Iterations: 2000, Tolerance: 1e-5})
	if err != nil {
		return err
	}
	off := map[int64]float64{}
	enough := func(n int64) (bool, error) {
		got, err := psnrOf(analysis.Solver{Iterations: n})
		off[n] = got - solved
		return math.Abs(off[n]) <= nearDecibels, err
	}
	low, high := int64(leastIteration-1), int64(leastIteration)
	for {
		good, err := enough(high)
		if err != nil {
			return err
		}
		if good || high >= mostIterations {
			break
		}
		low, high = high, 2*high
	}
	for high-low > 1 {
		middle := (low + high) / 2
		good, err := enough(middle)
		if err != nil {
			return err
		}
		if good {
			high = middle
		} else {
			low = middle
		}
	}
	r.iterations = high
	doc.Iterations, doc.IterationsOff = high, off[high]
	return nil
}

// iterating is the denoiser with iterations as given.
func (r *operatorRun) iterating(beta float64, s analysis.Solver) graphs.Network {
	switch n := r.network(beta).(type) {
	case analysis.Patches:
		n.Solver = s
		return n
	case analysis.Filters:
		n.Solver = s
		return n
	default:
		return n
	}
}
