package masking

import (
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Scope is what shares one threshold.
type Scope string

// Global compares all weights of the network; Layer those of one tensor, so that each loses the same fraction; Row those that
// make one output of a product, biases and norms staying whole.
const (
	Global Scope = "global"
	Layer  Scope = "layer"
	Row    Scope = "row"
)

// Scopes lists the scopes.
var Scopes = []string{string(Global), string(Layer), string(Row)}

// Choice says how many weights go, and which are compared.
type Choice struct {
	Sparsity float64 // fraction removed, in [0, 1)
	Scope    Scope
	Seed     uint64 // breaks ties
	OES      bool   // scores as the authors of Optimal Eye Surgeon have them
}

// Look gives what there is to see of every parameter, in a fixed order, where the weights that kept leaves out are zero. kept is
// nil for the network as it is.
type Look func(kept *Set) ([]Evidence, error)

// Parameters lists what of g a mask covers, in the order of the initializers: the learned float weights (op.IsParameter).
func Parameters(g *onnx.Graph) []*onnx.Value {
	var list []*onnx.Value
	for _, v := range g.Initializers() {
		if op.IsParameter(v) {
			list = append(list, v)
		}
	}
	return list
}

// Weights looks at the weights alone, and runs nothing.
func Weights(parameters []*onnx.Value, seed uint64) Look {
	return func(kept *Set) ([]Evidence, error) {
		list := make([]Evidence, len(parameters))
		for i, v := range parameters {
			if v.Const == nil {
				return nil, fmt.Errorf("score %s: it is stored sparse: make it dense first", limits.Name(v.Name))
			}
			list[i] = WeightEvidence(v, seed)
			if kept != nil {
				list[i].remove(kept.Get(v.Name))
			}
		}
		return list, nil
	}
}

// remove makes the weights that a mask leaves out zero.
func (e *Evidence) remove(m *Mask) {
	for i := range e.Weight {
		if m != nil && !m.Keep[i] {
			e.Weight[i] = 0
		}
	}
}

// Choose makes the masks that remove a fraction of the parameters' weights, those of the lowest scores: KeepCount of what is
// compared stay. A method of several rounds looks again after each.
func Choose(look Look, s Score, c Choice) (*Set, error) {
	of := s.Of
	if c.OES && s.OES != nil {
		of = s.OES
	}
	var set *Set
	rounds := max(s.Rounds, 1)
	for round := 1; round <= rounds; round++ {
		seen, err := look(set)
		if err != nil {
			return nil, err
		}
		scores := make([][]float32, len(seen))
		for i, e := range seen {
			scores[i] = of(e)
			if j := slices.IndexFunc(scores[i], func(x float32) bool { return x != x }); j >= 0 {
				return nil, fmt.Errorf("score %s: element %d is not a number", limits.Name(e.Name), j)
			}
			if set != nil { // what is gone does not come back
				for j, kept := range set.masks[i].Keep {
					if !kept {
						scores[i][j] = float32(math.Inf(-1))
					}
				}
			}
		}
		removed := c.Sparsity
		if round < rounds {
			removed = 1 - math.Pow(1-c.Sparsity, float64(round)/float64(rounds))
		}
		if set, err = choose(seen, scores, removed, c); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// choose keeps the highest scores of what shares a threshold.
func choose(seen []Evidence, scores [][]float32, sparsity float64, c Choice) (*Set, error) {
	set := &Set{}
	for i, e := range seen {
		if err := set.Add(&Mask{Name: e.Name, Dims: slices.Clone(e.Dims), Keep: make([]bool, len(scores[i]))}); err != nil {
			return nil, err
		}
	}
	switch c.Scope {
	case Row:
		for i, e := range seen {
			if err := chooseRows(e, scores[i], set.masks[i].Keep, sparsity, c.Seed); err != nil {
				return nil, err
			}
		}
	case Layer:
		for i := range seen {
			if err := keepBest(scores[i], set.masks[i].Keep, sparsity, c.Seed); err != nil {
				return nil, err
			}
		}
	default:
		all := slices.Concat(scores...)
		keep := make([]bool, len(all))
		if err := keepBest(all, keep, sparsity, c.Seed); err != nil {
			return nil, err
		}
		for _, m := range set.masks {
			keep = keep[copy(m.Keep, keep):]
		}
	}
	return set, nil
}

// keepBest fills keep with the choice of KeepCount of the scores.
func keepBest(scores []float32, keep []bool, sparsity float64, seed uint64) error {
	kept, err := TopK(scores, KeepCount(int64(len(scores)), sparsity), seed)
	copy(keep, kept)
	return err
}

// chooseRows makes a choice for each output of a product; other tensors stay whole.
func chooseRows(e Evidence, scores []float32, keep []bool, sparsity float64, seed uint64) error {
	if e.Output < 0 {
		for i := range keep {
			keep[i] = true
		}
		return nil
	}
	inner := 1
	for _, d := range e.Dims[e.Output+1:] {
		inner *= int(d)
	}
	rows := int(e.Dims[e.Output])
	if len(scores) == 0 {
		return nil
	}
	one, kept := make([]float32, 0, len(scores)/rows), make([]bool, len(scores)/rows)
	for r := range rows {
		one = one[:0]
		for at := r * inner; at < len(scores); at += rows * inner {
			one = append(one, scores[at:at+inner]...)
		}
		if err := keepBest(one, kept, sparsity, seed); err != nil {
			return err
		}
		from := kept
		for at := r * inner; at < len(scores); at += rows * inner {
			from = from[copy(keep[at:at+inner], from):]
		}
	}
	return nil
}
