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
	// Pattern takes the place of Sparsity and Scope where it is set; all weights go in one round then.
	Pattern Pattern
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

// Weights looks at the weights alone, and runs nothing. They are read a tensor at a time.
func Weights(parameters []*onnx.Value, seed uint64) Look {
	return func(kept *Set) ([]Evidence, error) {
		list := make([]Evidence, len(parameters))
		for i, v := range parameters {
			if v.Const == nil {
				return nil, fmt.Errorf("score %s: it is stored sparse: make it dense first", limits.Name(v.Name))
			}
			list[i] = WeightEvidence(v, seed)
			if m := kept.Get(v.Name); m != nil {
				all := list[i].Read
				list[i].Read = func() []float32 {
					w := slices.Clone(all())
					for j, keep := range m.Keep {
						if !keep {
							w[j] = 0
						}
					}
					return w
				}
			}
		}
		return list, nil
	}
}

// Choose makes the masks that remove a fraction of the parameters' weights, those of the lowest scores: KeepCount of what is
// compared stay. A method of several rounds looks again after each.
//
// The scores of a network of many parameters are computed again each time they are compared, a tensor at a time: they take no
// memory beside the masks.
func Choose(look Look, s Score, c Choice) (*Set, error) {
	rule := s.For(c)
	rounds := max(rule.Rounds, 1)
	if c.Pattern != (Pattern{}) {
		rounds = 1
	}
	var set *Set
	for round := 1; round <= rounds; round++ {
		seen, err := look(set)
		if err != nil {
			return nil, err
		}
		scores, err := scoresOf(seen, rule.Of, set)
		if err != nil {
			return nil, err
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

// mostCached is how many scores are kept in memory.
const mostCached = 1 << 26

// scoresOf gives the scores of a parameter by its place. What kept leaves out has the lowest there is: what is gone does not
// come back.
func scoresOf(seen []Evidence, of func(Evidence) []float32, kept *Set) (func(i int) []float32, error) {
	compute := func(i int) []float32 {
		e := seen[i]
		if e.Weight == nil && e.Read != nil {
			e.Weight = e.Read()
		}
		scores := of(e)
		if m := kept.Get(e.Name); m != nil {
			for j, keep := range m.Keep {
				if !keep {
					scores[j] = float32(math.Inf(-1))
				}
			}
		}
		return scores
	}
	cached, total := make([][]float32, len(seen)), int64(0)
	for _, e := range seen {
		total += e.count()
	}
	for i, e := range seen {
		scores := compute(i)
		if j := slices.IndexFunc(scores, func(x float32) bool { return x != x }); j >= 0 {
			return nil, fmt.Errorf("score %s: element %d is not a number", limits.Name(e.Name), j)
		}
		if total <= mostCached {
			cached[i] = scores
		}
	}
	return func(i int) []float32 {
		if cached[i] != nil {
			return cached[i]
		}
		return compute(i)
	}, nil
}

// choose keeps the highest scores of what shares a threshold.
func choose(seen []Evidence, scores func(i int) []float32, sparsity float64, c Choice) (*Set, error) {
	set, lengths, total := &Set{}, make([]int, len(seen)), int64(0)
	for i, e := range seen {
		lengths[i] = int(e.count())
		total += e.count()
	}
	add := func(first int, keep ...[]bool) error {
		for i, k := range keep {
			e := seen[first+i]
			if err := set.Add(&Mask{Name: e.Name, Dims: slices.Clone(e.Dims), Keep: k}); err != nil {
				return err
			}
		}
		return nil
	}
	if c.Pattern != (Pattern{}) {
		for i, e := range seen {
			if err := add(i, c.Pattern.best(e, scores(i), c.Seed)); err != nil {
				return nil, err
			}
		}
		return set, nil
	}
	if c.Scope != Layer && c.Scope != Row {
		return set, add(0, largest(lengths, scores, KeepCount(total, sparsity), c.Seed)...)
	}
	for i, e := range seen {
		part, keep := scores(i), []bool(nil)
		if c.Scope == Row {
			keep = bestOfRows(e, part, sparsity, c.Seed)
		} else {
			keep = best(part, sparsity, c.Seed)
		}
		if err := add(i, keep); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// best marks KeepCount of the scores.
func best(scores []float32, sparsity float64, seed uint64) []bool {
	n := len(scores)
	return largest([]int{n}, func(int) []float32 { return scores }, KeepCount(int64(n), sparsity), seed)[0]
}

// bestOfRows makes a choice for each output of a product; other tensors stay whole.
func bestOfRows(e Evidence, scores []float32, sparsity float64, seed uint64) []bool {
	if e.Output < 0 || len(scores) == 0 {
		return whole(len(scores))
	}
	keep := make([]bool, len(scores))
	_, inner := around(e.Dims, e.Output)
	rows := int(e.Dims[e.Output])
	one := make([]float32, 0, len(scores)/rows)
	for r := range rows {
		one = one[:0]
		for at := r * inner; at < len(scores); at += rows * inner {
			one = append(one, scores[at:at+inner]...)
		}
		from := best(one, sparsity, seed)
		for at := r * inner; at < len(scores); at += rows * inner {
			from = from[copy(keep[at:at+inner], from):]
		}
	}
	return keep
}

// whole is the choice that keeps everything.
func whole(n int) []bool { return slices.Repeat([]bool{true}, n) }

// around is how many elements lie before an axis and behind it: those of one position are outer runs of inner elements.
func around(dims []int64, axis int) (outer, inner int) {
	outer, inner = 1, 1
	for _, d := range dims[:axis] {
		outer *= int(d)
	}
	for _, d := range dims[axis+1:] {
		inner *= int(d)
	}
	return outer, inner
}
