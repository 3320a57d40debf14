package session

import (
	"fmt"
	"unicode/utf8"

	"graft/onnx/tokenizer"
	"graft/training/metric/bias"
)

// Tokenizer has a tokenizer answer what benchmarks ask. Texts for a causal model begin with its token for that; where it has none,
// with that which ends a text, as GPT-2's do.
func Tokenizer(t *tokenizer.Tokenizer) bias.Tokenizer { return words{t} }

type words struct{ *tokenizer.Tokenizer }

func (w words) Encode(text string, whole bool) ([]int64, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the text is not UTF-8")
	}
	if !whole {
		return w.Plain(text)
	}
	e, err := w.Tokenizer.Encode(text)
	return e.IDs, err
}

func (w words) EncodePair(first, second string) (ids, types []int64, err error) {
	e, err := w.Tokenizer.EncodePair(first, second, 1<<30)
	return e.IDs, e.TypeIDs, err
}

func (w words) Decode(ids []int64) (string, error) { return w.Tokenizer.Decode(ids, false), nil }

func (w words) Mask() (string, int64, bool) {
	text, ok := w.Token(w.Roles.Mask)
	return text, w.Roles.Mask, ok
}

func (w words) Start() (int64, bool) {
	for _, id := range []int64{w.Roles.Begin, w.Roles.End} {
		if _, ok := w.Token(id); ok {
			return id, true
		}
	}
	return 0, false
}
