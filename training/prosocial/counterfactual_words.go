package prosocial

import (
	_ "embed"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

//go:embed words/gender.txt
var genderWords string

//go:embed words/names.txt
var commonNames string

// Words are pairs of words that are swapped for one another.
type Words struct {
	pairs, names map[string]string
	first        map[string]bool // words and names that their pairs begin with
	pronouns     bool            // her, him, his and hers as well
}

// Gender is the list that graft brings along, with the pronouns, and without names.
func Gender() (*Words, error) {
	w := &Words{pairs: map[string]string{}, names: map[string]string{}, first: map[string]bool{}, pronouns: true}
	return w, w.readPairs(strings.NewReader(genderWords), w.pairs)
}

// ReadWords reads a list of one's own: two words in a line with a tab or spaces between, # before what is no pair. The pronouns
// her, him, his and hers are swapped as well where the list has he.
func ReadWords(r io.Reader) (*Words, error) {
	w := &Words{pairs: map[string]string{}, names: map[string]string{}, first: map[string]bool{}}
	if err := w.readPairs(r, w.pairs); err != nil {
		return nil, err
	}
	w.pronouns = w.pairs["he"] == "she"
	return w, nil
}

// AddNames adds names, which are swapped only where they begin with a capital; nil adds graft's list of common ones.
func (w *Words) AddNames(r io.Reader) error {
	if r == nil {
		r = strings.NewReader(commonNames)
	}
	return w.readPairs(r, w.names)
}

// Len is the number of pairs, without the pronouns.
func (w *Words) Len() int { return (len(w.pairs) + len(w.names)) / 2 }

const (
	maxWordList = 8 << 20
	maxPairs    = 100_000
)

// readPairs reads pairs into a map, both ways. A word in two pairs is refused: a swap could not undo itself.
func (w *Words) readPairs(r io.Reader, into map[string]string) error {
	data, err := io.ReadAll(io.LimitReader(r, maxWordList+1))
	if err != nil {
		return err
	}
	if len(data) > maxWordList {
		return limits.Refuse("", "more than %d bytes of words", maxWordList)
	}
	pairs := 0
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		field := fmt.Sprintf("line %d", number)
		switch {
		case len(words) != 2:
			return limits.Refuse(field, "%d words, want two", len(words))
		case !utf8.ValidString(line):
			return limits.Refuse(field, "is not UTF-8")
		case pairs >= maxPairs:
			return limits.Refuse(field, "more than %d pairs", maxPairs)
		}
		a, b := strings.ToLower(words[0]), strings.ToLower(words[1])
		for _, word := range []string{a, b} {
			switch {
			case wordLength(word) != len(word) || utf8.RuneCountInString(word) < 2:
				return limits.Refuse(field, "%s is no word of two letters or more", limits.Name(word))
			case word == "her" || word == "him" || word == "his" || word == "hers":
				return limits.Refuse(field, "%s needs its next word, and is swapped without being listed, where he and she are", limits.Name(word))
			case into[word] != "":
				return limits.Refuse(field, "%s is in two pairs: a swap could not be undone", limits.Name(word))
			case strings.ToLower(strings.ToUpper(word)) != word:
				return limits.Refuse(field, "%s changes when it is written in capitals", limits.Name(word))
			}
		}
		if a == b {
			return limits.Refuse(field, "%s is a pair of itself", limits.Name(a))
		}
		into[a], into[b], w.first[a] = b, a, true
		pairs++
	}
	if pairs == 0 {
		return limits.Refuse("", "no pair of words").WithHint("a list has two words in a line, such as: he she")
	}
	return nil
}
