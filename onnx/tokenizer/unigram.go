package tokenizer

import (
	"math"
	"unicode/utf8"

	"graft/onnx/limits"
)

// unigram takes the tokens whose scores, logarithms of probabilities, have the largest sum.
type unigram struct {
	vocabulary
	scores  []float64
	unknown int32 // -1: none
	bytes   bool
	lowest  float64
	tokens  *lexicon
	byteID  [256]int32
}

// unknownPenalty is how much less likely than the rarest token an unknown character is.
const unknownPenalty = 10

func (m *unigram) encode(ids []int64, piece string) ([]int64, error) {
	type node struct {
		score float64
		from  int
		id    int32
	}
	best := make([]node, len(piece)+1)
	for i := range best {
		best[i].from = -1
	}
	better := func(to int, n node) {
		if best[to].from < 0 || n.score > best[to].score {
			best[to] = n
		}
	}
	for at := 0; at < len(piece); {
		_, width := utf8.DecodeRuneInString(piece[at:])
		here, single := best[at].score, false
		m.tokens.prefixes(piece[at:], func(n int, id int32) {
			better(at+n, node{here + m.scores[id], at, id})
			single = single || n == width
		})
		if !single {
			if m.unknown < 0 {
				return ids, limits.Refuse("vocabulary", "a character is not in it, and there is no token for such")
			}
			better(at+width, node{here + (m.lowest - unknownPenalty), at, m.unknown})
		}
		at += width
	}
	var ends []int // of tokens, from behind; unknown ones in a row are one
	for end := len(piece); end > 0; {
		if n := best[end]; len(ends) == 0 || n.id != m.unknown || best[ends[len(ends)-1]].id != m.unknown {
			ends = append(ends, end)
		}
		end = best[end].from
	}
	from := 0
	for i := len(ends) - 1; i >= 0; i-- {
		text := piece[from:ends[i]]
		from = ends[i]
		if id := m.id(text); id >= 0 {
			ids = append(ids, int64(id))
			continue
		}
		if m.bytes {
			if found, ok := fallback(&m.byteID, text); ok {
				ids = appendIDs(ids, found)
				continue
			}
		}
		ids = append(ids, int64(m.unknown))
	}
	return ids, nil
}

func newUnigram(v vocabulary, scores []float64, unknown int32, bytes bool) *unigram {
	m := &unigram{vocabulary: v, scores: scores, unknown: unknown, bytes: bytes, lowest: math.Inf(1)}
	for _, s := range scores {
		m.lowest = min(m.lowest, s)
	}
	m.tokens = newLexicon(v.ids)
	for b := range 256 {
		m.byteID[b] = -1
		if id, ok := v.ids[byteToken(b)]; ok {
			m.byteID[b] = id
		}
	}
	return m
}
