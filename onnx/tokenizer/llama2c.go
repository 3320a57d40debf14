package tokenizer

import (
	"math"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

// FromLlama2C reads the tokenizer.bin of llama2.c: the length of the longest token, then a score, a length and the bytes of each. Token 0
// stands for the unknown, 1 and 2 for the beginning and the end, the next 256 for bytes; there, spaces are spaces. vocabulary is the
// number of tokens of the model, 0 where it is not known.
func FromLlama2C(b []byte, vocabulary int) (*Tokenizer, error) {
	const field = "llama2.c tokenizer"
	r := limits.OverBytes(b)
	longest, err := r.U32(field)
	if err != nil {
		return nil, err
	}
	if longest > maxToken {
		return nil, limits.Refuse(field, "longest token of %d bytes, at most %d", longest, maxToken)
	}
	var words []word
	for r.Remaining() > 0 && (vocabulary == 0 || len(words) < vocabulary) {
		bits, err := r.U32(field)
		if err != nil {
			return nil, err
		}
		n, err := r.U32(field)
		if err != nil {
			return nil, err
		}
		i := len(words)
		if n == 0 || n > max(longest, 16) { // names of the first tokens are not counted
			return nil, limits.Refuse(field, "token %d of %d bytes, wants 1 to %d", i, n, longest)
		}
		text, err := r.String(uint64(n), field)
		if err != nil {
			return nil, err
		}
		score := float64(math.Float32frombits(bits))
		if !utf8.ValidString(text) {
			return nil, limits.Refuse(field, "token %d is not UTF-8", i)
		}
		if math.IsNaN(score) || math.IsInf(score, 0) {
			return nil, limits.Refuse(field, "token %d has the score %v", i, score)
		}
		if i == maxTokens {
			return nil, limits.Refuse(field, "more than %d tokens", maxTokens)
		}
		words = append(words, word{strings.ReplaceAll(text, " ", "▁"), int32(i), score})
	}
	switch {
	case r.Remaining() > 0:
		return nil, limits.Refuse(field, "%d bytes behind %d tokens", r.Remaining(), len(words))
	case vocabulary != 0 && len(words) != vocabulary:
		return nil, limits.Refuse(field, "%d tokens, the model has %d", len(words), vocabulary)
	case len(words) < 3+256:
		return nil, limits.Refuse(field, "%d tokens, wants at least %d", len(words), 3+256)
	}
	types := make([]tokenType, len(words))
	for i := range words {
		types[i] = normalToken
	}
	types[0], types[1], types[2] = unknownToken, controlToken, controlToken
	words[0].text, words[1].text, words[2].text = "<unk>", "<s>", "</s>"
	for i := range 256 {
		if words[3+i].text != byteToken(i) {
			return nil, limits.Refuse(field, "token %d is %s, wants %s", 3+i, limits.Name(words[3+i].text), byteToken(i))
		}
		types[3+i] = byteTypeToken
	}
	s, err := sentencePieceSource(words, types, true)
	if err != nil {
		return nil, err
	}
	s.post = around(s.added[1:2], nil)
	return s.tokenizer()
}
