package prosocial

import (
	"context"
	"fmt"
)

// Bound is what tuning on so many samples came to. The bias of the debiased network is the bound below that of what is tuned from
// it, which the more samples there are leaves it the farther.
type Bound struct {
	Samples int     `json:"samples"`
	Steps   int64   `json:"steps"`
	Tuned   []Tuned `json:"tuned"`
}

// Bounded are the ways to tune that are told by the number of samples.
var Bounded = []Variant{Vanilla, DebiasedTuning, SigmaHeads}

// bound tunes on the first samples alone. The heads that are held and their widths are those of all samples.
func (r *chain) bound(ctx context.Context, widths map[Head]float64) error {
	all := len(r.corpora.Train.Lines)
	for _, n := range r.Samples {
		if n < 1 || n > all {
			return fmt.Errorf("%d samples of %d", n, all)
		}
		b := Bound{Samples: n, Steps: r.Tune.Steps}
		if !r.SameSteps {
			b.Steps = max(1, r.Tune.Steps*int64(n)/int64(all))
		}
		for _, v := range Bounded {
			if n == all {
				if t := r.tuned(v); t != nil {
					b.Tuned = append(b.Tuned, *t)
					continue
				}
			}
			t, err := r.variant(ctx, v, r.corpora.Train.First(n), b.Steps, widths)
			if err != nil {
				return err
			}
			b.Tuned = append(b.Tuned, *t)
		}
		r.out.Bound = append(r.out.Bound, b)
	}
	return nil
}

// tuned is what came of a variant on all samples; nil where that was not asked for.
func (r *chain) tuned(v Variant) *Tuned {
	for i := range r.out.Tuned {
		if r.out.Tuned[i].Variant == v {
			return &r.out.Tuned[i]
		}
	}
	return nil
}
