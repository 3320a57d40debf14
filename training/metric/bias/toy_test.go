package bias

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
)

// toy is the tokenizer and the language model of testdata/peers/bias.py.
type toy struct {
	vocabulary []string
	causal     bool // no tokens at the ends
}

const toyStart, toyFirst, toyLast, toyMask = 1, 2, 3, 4

func (m toy) Encode(text string, whole bool) ([]int64, error) {
	var ids []int64
	add := func(piece string) error {
		at := slices.Index(m.vocabulary, piece)
		if at < 0 {
			return fmt.Errorf("no piece %q", piece)
		}
		ids = append(ids, int64(at))
		return nil
	}
	isWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		word := "[MASK]"
		if !strings.HasPrefix(text, word) {
			if word = text[:strings.IndexFunc(text+" ", func(r rune) bool { return !isWord(r) })]; word == "" {
				word = text[:1]
			}
		}
		text = text[len(word):]
		if word != "[MASK]" {
			word = strings.ToLower(word)
		}
		for i := 0; i < len(word); i += 4 {
			piece := word[i:min(i+4, len(word))]
			if word == "[MASK]" {
				piece, i = word, len(word)
			} else if i > 0 {
				piece = "##" + piece
			}
			if err := add(piece); err != nil {
				return nil, err
			}
		}
	}
	if whole && !m.causal {
		ids = append(append([]int64{toyFirst}, ids...), toyLast)
	}
	return ids, nil
}

func (m toy) EncodePair(first, second string) ([]int64, []int64, error) {
	a, err := m.Encode(first, true)
	if err != nil {
		return nil, nil, err
	}
	b, err := m.Encode(second, false)
	ids := append(append(a, b...), toyLast)
	types := make([]int64, len(ids))
	for i := len(a); i < len(ids); i++ {
		types[i] = 1
	}
	return ids, types, err
}

func (m toy) Decode(ids []int64) (string, error) {
	var words []string
	for _, id := range ids {
		words = append(words, m.vocabulary[id])
	}
	return strings.ReplaceAll(strings.Join(words, " "), " ##", ""), nil
}

func (m toy) Mask() (string, int64, bool) { return "[MASK]", toyMask, !m.causal }
func (m toy) Start() (int64, bool)        { return toyStart, m.causal }

func (m toy) logProbs(ids []int64, at int) []float64 {
	seen := int64(0)
	for j, t := range ids {
		seen = (seen + t*(7*int64(j)+3)) % 1009
	}
	logits, sum := make([]float64, len(m.vocabulary)), 0.
	for v := range logits {
		w := int64(v)
		logits[v] = float64((w*31+int64(at)*17+seen*(w%7+1))%101) / 20
		sum += math.Exp(logits[v])
	}
	for v := range logits {
		logits[v] -= math.Log(sum)
	}
	return logits
}

func (m toy) LogProbs(_ context.Context, questions []Hidden, told func(int)) ([][]float64, error) {
	out := make([][]float64, len(questions))
	for i, q := range questions {
		p := m.logProbs(q.IDs, q.At)
		for _, id := range q.Want {
			out[i] = append(out[i], p[id])
		}
	}
	if told != nil {
		told(len(questions))
	}
	return out, nil
}

func (m toy) LogLikelihoods(_ context.Context, sequences [][]int64, told func(int)) ([][]float64, error) {
	out := make([][]float64, len(sequences))
	for i, ids := range sequences {
		for k := range len(ids) - 1 {
			out[i] = append(out[i], m.logProbs(ids[:k+1], k)[ids[k+1]])
		}
	}
	if told != nil {
		told(len(sequences))
	}
	return out, nil
}

// Follows prefers second texts of many tokens.
func (m toy) Follows(_ context.Context, pairs []Pair, _ func(int)) ([]float64, error) {
	out := make([]float64, len(pairs))
	for i, p := range pairs {
		for k, t := range p.Types {
			out[i] += float64(t*p.IDs[k]) / 1e4
		}
	}
	return out, nil
}

// Embed gives counts of letters that tokens begin with.
func (m toy) Embed(_ context.Context, sequences [][]int64, _ func(int)) ([][]float64, error) {
	out := make([][]float64, len(sequences))
	for i, ids := range sequences {
		out[i] = make([]float64, 8)
		for _, id := range ids {
			out[i][(id*id+3)%8]++
		}
	}
	return out, nil
}
