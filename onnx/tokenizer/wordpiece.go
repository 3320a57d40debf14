package tokenizer

import (
	"unicode/utf8"

	"graft/onnx/limits"
)

// wordPiece takes the longest token that a word begins with, then the longest continuation, and so on.
type wordPiece struct {
	vocabulary
	unknown string
	prefix  string
	most    int              // characters of a word
	longest int              // bytes of a token
	parts   map[string]int32 // continuations without their prefix
	cache   cache
}

func (m *wordPiece) encode(ids []int64, piece string) ([]int64, error) {
	if len(piece) > cachedBytes {
		found, err := m.tokens(piece)
		return appendIDs(ids, found), err
	}
	if hit, ok := m.cache.get(piece); ok {
		return appendIDs(ids, hit), nil
	}
	found, err := m.tokens(piece)
	if err != nil {
		return ids, err
	}
	m.cache.put(piece, found)
	return appendIDs(ids, found), nil
}

func (m *wordPiece) tokens(piece string) ([]int32, error) {
	var ids []int32
	if len(piece) <= m.most || utf8.RuneCountInString(piece) <= m.most {
		for start := 0; start < len(piece); {
			end := min(len(piece), start+m.longest)
			for end < len(piece) && !utf8.RuneStart(piece[end]) {
				end--
			}
			table := m.ids
			if start > 0 {
				table = m.parts
			}
			id, ok := int32(0), false
			for ; end > start; end -= lastRune(piece[start:end]) {
				if id, ok = table[piece[start:end]]; ok {
					break
				}
			}
			if !ok {
				ids = nil
				break
			}
			ids = append(ids, id)
			start = end
		}
		if ids != nil || piece == "" {
			return ids, nil
		}
	}
	if id := m.id(m.unknown); id >= 0 {
		return []int32{id}, nil
	}
	return nil, limits.Refuse("vocabulary", "a word is not in it, and the token for such, %s, is not either", limits.Name(m.unknown))
}

func lastRune(s string) int {
	_, n := utf8.DecodeLastRuneInString(s)
	return n
}

// wordLevel has a token for each word.
type wordLevel struct {
	vocabulary
	unknown string
}

func (m *wordLevel) encode(ids []int64, piece string) ([]int64, error) {
	for _, text := range []string{piece, m.unknown} {
		if id := m.id(text); id >= 0 {
			return append(ids, int64(id)), nil
		}
	}
	return ids, limits.Refuse("vocabulary", "a word is not in it, and the token for such, %s, is not either", limits.Name(m.unknown))
}
