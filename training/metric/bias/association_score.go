package bias

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/combin"

	"graft/onnx/noise"
)

// maxPermutations is how many partitions a permutation test looks at: all of them where there are no more, else as many at
// random.
const maxPermutations = 100_000

// associations are s(w, A, B) of each target: how much nearer w is to A than to B,
//
//	s(w, A, B) = mean_{a in A} cos(w, a) - mean_{b in B} cos(w, b)
func associations(w, a, b [][]float64) ([]float64, error) {
	for _, set := range [][][]float64{w, a, b} {
		for _, v := range set {
			if len(v) != len(w[0]) {
				return nil, fmt.Errorf("embeddings of %d and %d numbers", len(v), len(w[0]))
			}
			// A vector of nothing, and one of no numbers, has no direction.
			n := floats.Norm(v, 2)
			if !(n > 0) || math.IsInf(n, 0) {
				return nil, fmt.Errorf("an embedding has the length %g", n)
			}
			floats.Scale(1/n, v)
		}
	}
	out := make([]float64, len(w))
	for i, v := range w {
		near, far := 0., 0.
		for _, x := range a {
			near += floats.Dot(v, x)
		}
		for _, x := range b {
			far += floats.Dot(v, x)
		}
		out[i] = near/float64(len(a)) - far/float64(len(b))
	}
	return out, nil
}

// Association scores a test from embeddings of its sets, which are brought to length 1 in place. Score is the effect size
//
//	d = (mean_{x in X} s(x) - mean_{y in Y} s(y)) / std_{w in X u Y} s(w)
//
// with the unbiased standard deviation, and P the share of partitions of X u Y into sets of these sizes for which the sum of s
// over the first is at least that over X: all partitions where there are at most 100,000, else 99,999 drawn at random and X
// itself, as the published evaluation of SEAT does. The interval is of d over targets drawn with replacement, X and Y apart.
func Association(x, y, a, b [][]float64, r Resampling) (*Result, error) {
	if len(x) == 0 || len(y) == 0 || len(a) == 0 || len(b) == 0 {
		return nil, fmt.Errorf("a set of the test is empty")
	}
	s, err := associations(append(append([][]float64{}, x...), y...), a, b)
	if err != nil {
		return nil, err
	}
	d := effectSize(s[:len(x)], s[len(x):])
	if math.IsNaN(d) {
		return nil, fmt.Errorf("all targets are associated alike: there is no effect size")
	}
	p := permutationTest(s, len(x), r.Seed)
	n := len(x)
	left, right := make([]float64, n), make([]float64, len(y))
	ci := r.Intervals(len(s), 1, func(index []int, into []float64) {
		// The first n draws choose in X, the rest in Y.
		for i, k := range index {
			if i < n {
				left[i] = s[k*n/len(s)]
			} else {
				right[i-n] = s[n+k*len(y)/len(s)]
			}
		}
		into[0] = effectSize(left, right)
	})
	return &Result{Score: d, P: &p, N: len(s), CI: &ci[0]}, nil
}

func effectSize(x, y []float64) float64 {
	all := append(append([]float64{}, x...), y...)
	return (stat.Mean(x, nil) - stat.Mean(y, nil)) / stat.StdDev(all, nil)
}

// permutationTest is the share of partitions that do as well as the first n of s. Sums within rounding of one another are the
// same.
func permutationTest(s []float64, n int, seed uint64) float64 {
	if combin.LogGeneralizedBinomial(float64(len(s)), float64(n)) > math.Log(maxPermutations)+1e-9 {
		return sampledTest(s, n, seed)
	}
	least := leastAsWell(s, n)
	hits, total := 0, 0
	g := combin.NewCombinationGenerator(len(s), n)
	index := make([]int, n)
	for g.Next() {
		sum := 0.
		for _, i := range g.Combination(index) {
			sum += s[i]
		}
		if total++; sum >= least {
			hits++
		}
	}
	return float64(hits) / float64(total)
}

// leastAsWell is what a sum has to be to count as that of the first n.
func leastAsWell(s []float64, n int) float64 {
	observed := floats.Sum(s[:n])
	return observed - 1e-12*(1+math.Abs(observed))
}

func sampledTest(s []float64, n int, seed uint64) float64 {
	least := leastAsWell(s, n)
	hits := 1
	drawn := append([]float64{}, s...)
	uniform := make([]float32, n)
	for k := range maxPermutations - 1 {
		noise.Uniform(uniform, noise.NewKey(seed, "permutation", uint64(k)))
		sum := 0.
		for i, u := range uniform {
			j := i + int(float64(u)*float64(len(drawn)-i))
			drawn[i], drawn[j] = drawn[j], drawn[i]
			sum += drawn[i]
		}
		if sum >= least {
			hits++
		}
	}
	return float64(hits) / maxPermutations
}

// AssociationResult puts tests together: the mean of the absolute effect sizes, and each test as a category.
func AssociationResult(tests map[string]*Result) *Result {
	if len(tests) == 0 {
		return nil
	}
	out := &Result{N: len(tests), ByCategory: tests}
	for _, t := range tests {
		out.Score += math.Abs(t.Score) / float64(len(tests))
	}
	return out
}
