package generate

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

// Models whose logits are the sum of a row for each token of the text.
const (
	sumPlain = `plain (int64[N, S] input_ids) => (float[N, One, 5] logits) <float[5, 5] table = {0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0}> {
x = Gather (table, input_ids)
axes = Constant <value = int64[1] {1}> ()
logits = ReduceSum (x, axes)
}`
	sumCached = `cached (int64[N, S] input_ids, float[N, 1, P, 5] past_key) => (float[N, 1, 5] logits, float[N, 1, T, 5] present_key) <float[5, 5] table = {0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0, 0,0,0,0,0}> {
x = Gather (table, input_ids)
one = Constant <value = int64[1] {1}> ()
new = Unsqueeze (x, one)
present_key = Concat <axis = 2> (past_key, new)
two = Constant <value = int64[1] {2}> ()
logits = ReduceSum <keepdims = 0> (present_key, two)
}`
)

var sums = [5][5]float64{{0.31, 0.93, -0.22, 0.14, 0.43}, {-0.12, 0.21, 0.54, 0.33, 0.02}, {0.23, -0.71, 0.16, 0.64, 0.37}, {0.13, 1.61, -0.43, 0.28, 0.51}, {-0.34, 0.11, 0.97, -0.25, 0.22}}

// probabilities are softmax of the sum of the rows of tokens.
func probabilities(ids []int64) (p [5]float64) {
	sum := 0.
	for k := range p {
		for _, id := range ids {
			p[k] += sums[id][k]
		}
		p[k] = math.Exp(p[k])
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// TestSelfDebias holds every step to the equations, with a cache and without, for one prefix and two.
func TestSelfDebias(t *testing.T) {
	const decay, least = 20, 0.05
	for _, graph := range []string{sumPlain, sumCached} {
		parsed, err := onnx.Parse("<ir_version: 8, opset_import: [\"\" : 17]>\n" + graph)
		if err != nil {
			t.Fatal(err)
		}
		named(parsed)
		table := parsed.Graph.Lookup("table").Const.Float32s()
		for i := range table {
			table[i] = float32(sums[i/5][i%5])
		}
		m := open(t, parsed)
		prompt := []int64{0, 1}
		plain, err := m.Run(context.Background(), prompt, Settings{Most: 6}, nil)
		if err != nil {
			t.Fatal(err)
		}
		floors, changed := 0, false
		for _, prefixes := range [][][]int64{{{0, 3}}, {{0, 3}, {0, 4, 4}}} {
			d := &SelfDebias{Prefixes: prefixes, Begin: 1, Decay: decay, Least: least}
			r, err := m.Run(context.Background(), prompt, Settings{Most: 6, Debias: d}, nil)
			if err != nil || len(r.IDs) != 6 {
				t.Fatal(r, err)
			}
			written := prompt
			for step, got := range r.IDs {
				p, best, next := probabilities(written), 0, 0
				for k, v := range p {
					biased := 0.
					for _, prefix := range prefixes {
						biased = max(biased, probabilities(slices.Concat(prefix, written[1:]))[k])
					}
					alpha := 1.
					if delta := v - biased; delta < 0 {
						if alpha = math.Exp(decay * delta); alpha < least {
							alpha, floors = least, floors+1
						}
					}
					p[k] *= alpha
				}
				for k, v := range p {
					if v > p[best] {
						best = k
					}
				}
				next = (best + 1) % 5
				for k, v := range p {
					if k != best && v > p[next] {
						next = k
					}
				}
				if got != int64(best) || math.Abs(r.Margin[step]-math.Log(p[best]/p[next])) > 1e-5 {
					t.Errorf("step %d: token %d with margin %v, want %d with %v", step, got, r.Margin[step], best, math.Log(p[best]/p[next]))
				}
				written = append(slices.Clone(written), got)
			}
			changed = changed || !slices.Equal(r.IDs, plain.IDs)
			d.Decay = 0
			if r, err := m.Run(context.Background(), prompt, Settings{Most: 6, Debias: d}, nil); err != nil || !slices.Equal(r.IDs, plain.IDs) {
				t.Errorf("without decay %v, %v, want %v", r.IDs, err, plain.IDs)
			}
		}
		if floors == 0 || !changed {
			t.Errorf("the least factor counted %d times, the text changed: %v", floors, changed)
		}
		for want, d := range map[string]*SelfDebias{"wants a prefix": {}, "2 tokens of a prompt": {Prefixes: [][]int64{{1}}, Begin: 2}, "decay NaN": {Prefixes: [][]int64{{1}}, Decay: math.NaN()},
			"least factor 2": {Prefixes: [][]int64{{1}}, Least: 2}, "token 7": {Prefixes: [][]int64{{7}}, Decay: 1}} {
			if _, err := m.Run(context.Background(), prompt, Settings{Most: 1, Debias: d}, nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", want, err)
			}
		}
		long := &SelfDebias{Prefixes: [][]int64{{0, 0, 0}}, Decay: 1}
		if _, err := m.Run(context.Background(), prompt, Settings{Most: 1, Longest: 4, Debias: long}, nil); err == nil || !strings.Contains(err.Error(), "5 tokens with what is put before it") {
			t.Error(err)
		}
	}
}

// TestSelfDebiasSum: the probabilities come to one, and a token that is not likelier keeps its odds.
func TestSelfDebiasSum(t *testing.T) {
	d := &SelfDebias{Decay: 50, Least: 0.01}
	inf := float32(math.Inf(-1))
	got := d.Debias([]float32{1, 2, 3, inf}, [][]float32{{1, 5, 0, inf}})
	sum := 0.
	for _, v := range got {
		sum += math.Exp(v)
	}
	if math.Abs(sum-1) > 1e-12 || math.Abs(got[2]-got[0]-2) > 1e-12 || !math.IsInf(got[3], -1) || math.Abs(got[1]-got[0]-1-math.Log(0.01)) > 1e-12 {
		t.Errorf("%v, sum %v", got, sum)
	}
}
