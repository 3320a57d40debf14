package prosocial

import (
	"fmt"
	"slices"
	"strings"

	"graft/graphs/language"
	"graft/onnx/tokenizer"
)

// Encoder turns texts into the tokens of a model.
type Encoder struct {
	Tokenizer *tokenizer.Tokenizer
	Model     string // type of the model
	Longest   int    // tokens of a text; what is beyond is cut off
	Cut       int    // texts that were cut so far
}

// Tokens says what the tokenizer's numbers stand for; size is that of the model's vocabulary. Where there is no token that fills up,
// the one that ends a text does.
func (e *Encoder) Tokens(size int64) (Tokens, error) {
	r := e.Tokenizer.Roles
	t := Tokens{Size: size, Pad: r.Pad, Mask: r.Mask, Special: map[int64]bool{}}
	for _, id := range []int64{r.End, r.Separator, r.Unknown, 0} {
		if t.Pad < 0 {
			t.Pad = id
		}
	}
	if t.Mask < 0 && !language.Decoder(e.Model) {
		return t, fmt.Errorf("the tokenizer has no mask token, which a masked language model wants")
	}
	for _, id := range []int64{r.Begin, r.End, r.Pad, r.Class, r.Separator} {
		if id >= 0 {
			t.Special[id] = true
		}
	}
	if n := int64(e.Tokenizer.Size()); n > size {
		return t, fmt.Errorf("the tokenizer has %d tokens, the model %d", n, size)
	}
	return t, nil
}

// Text gives the tokens of a text, with those that the model wants around it.
func (e *Encoder) Text(s string) ([]int64, error) {
	x, err := e.Tokenizer.EncodeWithin(s, e.Longest)
	if x.Cut > 0 {
		e.Cut++
	}
	return x.IDs, err
}

// Texts gives those of several.
func (e *Encoder) Texts(list []string) ([][]int64, error) {
	out := make([][]int64, len(list))
	for i, s := range list {
		var err error
		if out[i], err = e.Text(s); err != nil {
			return nil, fmt.Errorf("text %d: %w", i+1, err)
		}
	}
	return out, nil
}

// Pair gives the tokens of two texts as one, and their segments. A decoder has a line end between them.
func (e *Encoder) Pair(a, b string) (ids, types []int64, err error) {
	if language.Decoder(e.Model) {
		ids, err = e.Text(a + "\n" + b)
		return ids, make([]int64, len(ids)), err
	}
	x, err := e.Tokenizer.EncodePair(a, b, e.Longest)
	if x.Cut > 0 {
		e.Cut++
	}
	if types = x.TypeIDs; !language.HasSegments(e.Model) { // one alone
		types = make([]int64, len(x.IDs))
	}
	return x.IDs, types, err
}

// open gives the tokens of a text that goes on: without those that end it.
func (e *Encoder) open(s string) ([]int64, error) {
	x, err := e.Tokenizer.EncodeWithin(s, e.Longest)
	if err != nil {
		return nil, err
	}
	n := len(x.IDs)
	for n > 0 && x.Special[n-1] {
		n--
	}
	return x.IDs[:n], nil
}

// blank is where a word is asked for in a template, and hole where an occupation stands.
const (
	blank = "BLANK"
	hole  = "{}"
)

// question is a text whose next or hidden token is one of two words.
type question struct {
	ids     []int64
	at      int // where the answer is read
	answers [2]int64
	pieces  bool // the words are several tokens, of which these are the first that differ
}

// asked gives the tokens of a text up to BLANK, or around a mask in its place, and which token there is which word; nil where the
// words cannot be told by one token.
func (e *Encoder) asked(text string, words [2]string) (*question, error) {
	before, after, _ := strings.Cut(text, blank)
	if language.Decoder(e.Model) {
		return e.askedNext(strings.TrimRight(before, " "), words)
	}
	mask, _ := e.Tokenizer.Token(e.Tokenizer.Roles.Mask)
	ids, err := e.Text(before + mask + after)
	if err != nil {
		return nil, err
	}
	q := &question{ids: ids, at: slices.Index(ids, e.Tokenizer.Roles.Mask)}
	if q.at < 0 {
		return nil, nil
	}
	for i, w := range words {
		said, err := e.Text(before + w + after)
		if err != nil || len(said) != len(ids) || !slices.Equal(said[:q.at], ids[:q.at]) || !slices.Equal(said[q.at+1:], ids[q.at+1:]) {
			return nil, err
		}
		q.answers[i] = said[q.at]
	}
	return q, nil
}

// askedNext is what follows a text in a decoder.
func (e *Encoder) askedNext(before string, words [2]string) (*question, error) {
	ids, err := e.open(before)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	var said [2][]int64
	for i, w := range words {
		if said[i], err = e.open(before + " " + w); err != nil {
			return nil, err
		}
		if len(said[i]) <= len(ids) || !slices.Equal(said[i][:len(ids)], ids) {
			return nil, nil
		}
	}
	k := len(ids)
	for k < min(len(said[0]), len(said[1])) && said[0][k] == said[1][k] {
		k++
	}
	if k == len(said[0]) || k == len(said[1]) { // one word begins with the other
		return nil, nil
	}
	return &question{said[0][:k], k - 1, [2]int64{said[0][k], said[1][k]}, len(said[0]) != k+1 || len(said[1]) != k+1}, nil
}
