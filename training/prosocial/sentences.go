package prosocial

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx/limits"
	"graft/onnx/noise"
)

// The labels of sentences.
const (
	LabelFirst   = 0 // words that their pairs begin with, and no others: men's in graft's list
	LabelSecond  = 1 // the others' alone
	LabelNeither = 2 // none of the list
)

// Sentences are what a projection is learned from.
type Sentences struct {
	Pairs   [][2]string // with words of one group, and the same with the other's: of LabelFirst and LabelSecond
	Neutral []string    // with none
	Mixed   int         // lines that have words of both, which are no use
}

// Sentences sorts lines by their words. At most so many pairs and as many lines without words are kept, drawn from a seed; most 0 keeps
// all pairs. It is an error where there is no pair.
func (w *Words) Sentences(lines []string, most int, seed uint64) (*Sentences, error) {
	s := &Sentences{}
	for _, line := range lines {
		swapped := w.Swap(line)
		switch {
		case swapped.Words == 0:
			if strings.TrimSpace(line) != "" {
				s.Neutral = append(s.Neutral, line)
			}
		case swapped.First == swapped.Words:
			s.Pairs = append(s.Pairs, [2]string{line, swapped.Text})
		case swapped.First == 0:
			s.Pairs = append(s.Pairs, [2]string{swapped.Text, line})
		default:
			s.Mixed++
		}
	}
	if len(s.Pairs) == 0 {
		return nil, limits.Refuse("", "none of %d lines has words of one group alone", len(lines))
	}
	s.Pairs = drawn(s.Pairs, most, seed, "pairs")
	s.Neutral = drawn(s.Neutral, len(s.Pairs), seed, "neutral")
	return s, nil
}

// drawn are at most so many, in an order of chance.
func drawn[T any](list []T, most int, seed uint64, stream string) []T {
	if most > 0 && most < len(list) {
		out := make([]T, most)
		for i, j := range permutation(len(list), noise.NewKey(seed, stream, 0))[:most] {
			out[i] = list[j]
		}
		return out
	}
	return slices.Clone(list)
}

// bleached are sentences that say nothing but their word, after May et al. 2019.
var bleached = []string{"This is %s.", "That is %s.", "There is %s.", "Here is %s.", "%s is here.", "%s is there.", "They spoke about %s.", "I remember %s."}

// neutralWords stand in the place of the words of a pair.
var neutralWords = strings.Fields(`table river window garden letter winter engine village paper mountain bottle market bridge station music
	kitchen theory camera forest island story picture ticket number country morning office machine weather pencil`)

// Templates are sentences about nothing but the words of the list, for where there is no text: each pair in each of eight sentences, and
// words for things in the same.
func (w *Words) Templates() []string {
	var firsts []string
	for a := range w.pairs {
		if w.first[a] {
			firsts = append(firsts, a)
		}
	}
	slices.Sort(firsts)
	var lines []string
	for _, words := range [][]string{firsts, neutralWords} {
		for _, word := range words {
			for _, t := range bleached {
				if strings.HasPrefix(t, "%s") {
					lines = append(lines, fmt.Sprintf(t, titleCase.apply(word)))
				} else {
					lines = append(lines, fmt.Sprintf(t, word))
				}
			}
		}
	}
	return lines
}
