package tokenizer

import (
	"slices"
	"unicode/utf8"

	"graft/onnx/limits"
)

// tokenType is what a token of SentencePiece is, in GGUF's numbers.
type tokenType int

const (
	normalToken tokenType = iota + 1
	unknownToken
	controlToken
	userToken
	unusedToken
	byteTypeToken
)

// longestPiece is in bytes. SentencePiece's own default is 16 characters.
const longestPiece = 256

// sentencePieceSource is a vocabulary with scores, of which merges are made: any two tokens that make a third, the best score first.
// prefix writes a space in front of a text.
func sentencePieceSource(words []word, types []tokenType, prefix bool) (source, error) {
	merges, err := mergesOf(words, types)
	if err != nil {
		return source{}, err
	}
	var unknown any
	var s source
	for i, w := range words {
		switch types[i] {
		case unknownToken, controlToken:
			if types[i] == unknownToken {
				unknown = w.text
			}
			s.added = append(s.added, Added{ID: int64(w.id), Text: w.text, Special: true})
		case userToken:
			s.added = append(s.added, Added{ID: int64(w.id), Text: w.text})
		}
	}
	replace := func(from, to string) dict {
		return typed("Replace", member{"pattern", dict{{"String", from}}}, member{"content", to})
	}
	normal := []dict{replace(" ", "▁")}
	decode := []dict{replace("▁", " "), typed("ByteFallback"), typed("Fuse")}
	if prefix {
		normal = append([]dict{typed("Prepend", member{"prepend", "▁"})}, normal...)
		decode = append(decode, typed("Strip", member{"content", " "}, member{"start", 1}, member{"stop", 0}))
	}
	s.normalizer, s.decoder = sequenceOf("normalizers", normal...), sequenceOf("decoders", decode...)
	s.model = typed("BPE", member{"dropout", nil}, member{"unk_token", unknown}, member{"continuing_subword_prefix", nil}, member{"end_of_word_suffix", nil},
		member{"fuse_unk", true}, member{"byte_fallback", true}, member{"ignore_merges", false}, member{"vocab", idList(words)}, member{"merges", mergeList(merges)})
	return s, nil
}

func mergesOf(words []word, types []tokenType) ([][2]string, error) {
	ids := make(map[string]int32, len(words))
	for i, w := range words {
		if types[i] == normalToken || types[i] == userToken || types[i] == unusedToken {
			ids[w.text] = int32(i)
		}
	}
	type scored struct {
		pair        [2]string
		score       float64
		left, right int // characters
		a, b        int32
	}
	var list []scored
	for i, w := range words {
		if id, ok := ids[w.text]; !ok || int(id) != i {
			continue
		}
		if len(w.text) > longestPiece {
			return nil, limits.Refuse("vocabulary", "token %d has %d bytes, at most %d where merges are made of scores", w.id, len(w.text), longestPiece)
		}
		start := len(list)
		n := utf8.RuneCountInString(w.text)
		for k, at := 1, 0; k < n; k++ {
			_, width := utf8.DecodeRuneInString(w.text[at:])
			at += width
			a, ok := ids[w.text[:at]]
			if !ok {
				continue
			}
			if b, ok := ids[w.text[at:]]; ok {
				if len(list) == maxMerges {
					return nil, limits.Refuse("vocabulary", "scores make more than %d merges", maxMerges)
				}
				list = append(list, scored{[2]string{w.text[:at], w.text[at:]}, w.score, k, n - k, a, b})
			}
		}
		slices.SortStableFunc(list[start:], func(x, y scored) int {
			if x.a != y.a {
				return int(x.a) - int(y.a)
			}
			return int(x.b) - int(y.b)
		})
	}
	slices.SortStableFunc(list, func(x, y scored) int {
		switch {
		case x.score > y.score:
			return -1
		case x.score < y.score:
			return 1
		case x.left != y.left:
			return y.left - x.left
		}
		return y.right - x.right
	})
	merges := make([][2]string, len(list))
	for i, m := range list {
		merges[i] = m.pair
	}
	return merges, nil
}
