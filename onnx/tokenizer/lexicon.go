package tokenizer

import (
	"slices"
	"sort"
	"strings"
)

// lexicon finds strings that a text begins with, in a sorted list of them.
type lexicon struct {
	words []string
	ids   []int32
	heads [257]int32 // where the words that begin with a byte are
}

// newLexicon lists strings that are not empty.
func newLexicon(ids map[string]int32) *lexicon {
	l := &lexicon{words: make([]string, 0, len(ids)), ids: make([]int32, 0, len(ids))}
	for word := range ids {
		if word != "" {
			l.words = append(l.words, word)
		}
	}
	slices.Sort(l.words)
	for _, word := range l.words {
		l.ids = append(l.ids, ids[word])
	}
	for b := range 257 {
		l.heads[b] = int32(sort.Search(len(l.words), func(i int) bool { return int(l.words[i][0]) >= b }))
	}
	return l
}

// prefixes calls found with the length and id of every word that s begins with, the shortest first.
func (l *lexicon) prefixes(s string, found func(n int, id int32)) {
	if s == "" {
		return
	}
	words, base := l.words[l.heads[s[0]]:l.heads[int(s[0])+1]], l.heads[s[0]]
	for n := 1; len(words) > 0; n++ { // all of words begin with s[:n]
		if len(words[0]) == n {
			found(n, l.ids[base])
			words, base = words[1:], base+1
		}
		if n == len(s) {
			return
		}
		c := s[n]
		if len(words) == 1 { // a single word is compared at once
			if strings.HasPrefix(s, words[0]) {
				found(len(words[0]), l.ids[base])
			}
			return
		}
		from := sort.Search(len(words), func(i int) bool { return words[i][n] >= c })
		to := from + sort.Search(len(words)-from, func(i int) bool { return words[from+i][n] > c })
		words, base = words[from:to], base+int32(from)
	}
}

// longest is the longest word that s begins with; ok is false where there is none.
func (l *lexicon) longest(s string) (n int, id int32, ok bool) {
	l.prefixes(s, func(length int, found int32) { n, id, ok = length, found, true })
	return n, id, ok
}
