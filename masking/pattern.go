package masking

import (
	"fmt"
	"strconv"
	"strings"

	"graft/onnx/noise"
)

// Pattern keeps N of every Of inputs of each output, consecutive along the weight's input axis: what sparse tensor cores
// compute with (2:4). A last group of fewer inputs keeps N of them, or all. Tensors that are no weight of a product stay whole.
type Pattern struct{ N, Of int }

// mostOfPattern bounds the length of a group.
const mostOfPattern = 1 << 10

// ParsePattern reads "2:4".
func ParsePattern(s string) (Pattern, error) {
	n, of, found := strings.Cut(s, ":")
	a, errN := strconv.Atoi(n)
	b, errOf := strconv.Atoi(of)
	if !found || errN != nil || errOf != nil || a < 1 || b <= a || b > mostOfPattern {
		return Pattern{}, fmt.Errorf("wants N:M, N of M consecutive inputs being kept, such as 2:4, with 0 < N < M <= %d", mostOfPattern)
	}
	return Pattern{a, b}, nil
}

// String is "2:4".
func (p Pattern) String() string { return fmt.Sprintf("%d:%d", p.N, p.Of) }

// best marks the N highest scores of every group.
func (p Pattern) best(e Evidence, scores []float32, seed uint64) []bool {
	if e.Input < 0 || len(scores) == 0 {
		return whole(len(scores))
	}
	keep := make([]bool, len(scores))
	_, inner := around(e.Dims, e.Input)
	inputs := int(e.Dims[e.Input])
	tie := noise.NewKey(seed, "ties", 0)
	for at := 0; at < len(scores); at += inputs * inner {
		for place := range inner {
			for first := 0; first < inputs; first += p.Of {
				from, to := at+first*inner+place, at+min(first+p.Of, inputs)*inner
				for i := from; i < to; i += inner {
					better := 0
					for j := from; j < to; j += inner {
						if scores[j] > scores[i] || scores[j] == scores[i] && j != i && before(tie, j, i) {
							better++
						}
					}
					keep[i] = better < p.N
				}
			}
		}
	}
	return keep
}

// before orders two places of equal scores by numbers drawn for them.
func before(key noise.Key, i, j int) bool {
	a, b := noise.Float(key, uint32(i)), noise.Float(key, uint32(j))
	return a < b || a == b && i < j
}
