package tokenizer

import (
	"container/heap"
	"unicode/utf8"

	"graft/onnx/limits"
)

// A model turns a piece into tokens.
type model interface {
	// encode appends the ids of the tokens of a piece.
	encode(ids []int64, piece string) ([]int64, error)
}

// vocabulary has tokens by their text.
type vocabulary struct {
	ids map[string]int32
}

func (v *vocabulary) id(token string) int32 {
	if id, ok := v.ids[token]; ok {
		return id
	}
	return -1
}

// merge is what a pair becomes, and when: the lowest rank first.
type merge struct{ rank, id int32 }

// bpe merges pairs of tokens, the lowest rank first and of equal ones the leftmost.
type bpe struct {
	vocabulary
	merges       map[uint64]merge
	unknown      int32 // -1: characters without a token are left out
	prefix       string
	suffix       string
	fuse         bool // unknown characters in a row are one token
	bytes        bool // a character without a token is its bytes, where these have tokens
	whole        bool // a piece that is a token is that token, whatever merges say
	raw          bool // pieces are bytes, which byteRunes stand for in the vocabulary
	byteTokens   [256]int32
	byteFallback [256]int32
	cache        cache
}

func pair(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// newMerges are the merges of a file. Each joins two tokens to a third, all of the vocabulary.
func newMerges(v *vocabulary, list [][2]string, prefix string) (map[uint64]merge, error) {
	merges := make(map[uint64]merge, len(list))
	for rank, m := range list {
		a, b := v.id(m[0]), v.id(m[1])
		for i, id := range []int32{a, b} {
			if id < 0 {
				return nil, limits.Refuse("merges", "merge %d is of %s, which is no token", rank, limits.Name(m[i]))
			}
		}
		if len(m[1]) < len(prefix) {
			return nil, limits.Refuse("merges", "merge %d: %s does not begin with %s", rank, limits.Name(m[1]), limits.Name(prefix))
		}
		joined := v.id(m[0] + m[1][len(prefix):])
		if joined < 0 {
			return nil, limits.Refuse("merges", "merge %d gives %s, which is no token", rank, limits.Name(m[0]+m[1][len(prefix):]))
		}
		merges[pair(a, b)] = merge{int32(rank), joined}
	}
	return merges, nil
}

// setBytes looks the tokens of bytes up.
func (m *bpe) setBytes() {
	for b := range 256 {
		m.byteTokens[b] = m.id(string(byteRunes()[b]))
		m.byteFallback[b] = m.id(byteToken(b))
	}
}

// byteToken is the token of a byte in a vocabulary of characters.
func byteToken(b int) string {
	const digits = "0123456789ABCDEF"
	return "<0x" + string(digits[b>>4]) + string(digits[b&15]) + ">"
}

func (m *bpe) encode(ids []int64, piece string) ([]int64, error) {
	if piece == "" {
		return ids, nil
	}
	cached := len(piece) <= cachedBytes
	if cached {
		if hit, ok := m.cache.get(piece); ok {
			return appendIDs(ids, hit), nil
		}
	}
	found := m.tokens(piece)
	if cached {
		m.cache.put(piece, found)
	}
	return appendIDs(ids, found), nil
}

func appendIDs(ids []int64, found []int32) []int64 {
	for _, id := range found {
		ids = append(ids, int64(id))
	}
	return ids
}

func (m *bpe) tokens(piece string) []int32 {
	s := piece
	if m.raw {
		s = visible(piece)
	}
	if m.whole {
		if id := m.id(s); id >= 0 {
			return []int32{id}
		}
	}
	if m.raw && m.prefix == "" && m.suffix == "" {
		if symbols, ok := m.ofBytes(piece); ok {
			return m.join(symbols)
		}
	}
	return m.join(m.characters(s))
}

// ofBytes are the tokens of single bytes, where all of them have one.
func (m *bpe) ofBytes(piece string) ([]int32, bool) {
	symbols := make([]int32, len(piece))
	for i := range len(piece) {
		if symbols[i] = m.byteTokens[piece[i]]; symbols[i] < 0 {
			return nil, false
		}
	}
	return symbols, true
}

// characters are the tokens of single characters; what has none is its bytes, or unknown, or nothing.
func (m *bpe) characters(s string) []int32 {
	var symbols []int32
	pending := false // an unknown token that the next one may be part of
	for i := 0; i < len(s); {
		_, n := utf8.DecodeRuneInString(s[i:])
		c := s[i : i+n]
		text := c
		if i > 0 {
			text = m.prefix + text
		}
		if i+n == len(s) {
			text += m.suffix
		}
		i += n
		if id := m.id(text); id >= 0 {
			if pending {
				symbols, pending = append(symbols, m.unknown), false
			}
			symbols = append(symbols, id)
			continue
		}
		if m.bytes {
			if bytes, ok := fallback(&m.byteFallback, text); ok {
				symbols = append(symbols, bytes...)
				continue
			}
		}
		if m.unknown >= 0 {
			if pending && !m.fuse {
				symbols = append(symbols, m.unknown)
			}
			pending = true
		}
	}
	if pending {
		symbols = append(symbols, m.unknown)
	}
	return symbols
}

func fallback(table *[256]int32, text string) ([]int32, bool) {
	ids := make([]int32, len(text))
	for i := range len(text) {
		if ids[i] = table[text[i]]; ids[i] < 0 {
			return nil, false
		}
	}
	return ids, true
}

// fewSymbols is how many are merged by looking at all pairs again; more are merged with a heap, so that a long word costs n log n.
const fewSymbols = 24

func (m *bpe) join(symbols []int32) []int32 {
	if len(symbols) > fewSymbols {
		return m.joinMany(symbols)
	}
	var ranks [fewSymbols]merge
	find := func(i int) merge {
		if i+1 < len(symbols) {
			if found, ok := m.merges[pair(symbols[i], symbols[i+1])]; ok {
				return found
			}
		}
		return merge{rank: -1}
	}
	for i := range symbols {
		ranks[i] = find(i)
	}
	for {
		best := -1
		for i := range symbols {
			if ranks[i].rank >= 0 && (best < 0 || ranks[i].rank < ranks[best].rank) {
				best = i
			}
		}
		if best < 0 {
			return symbols
		}
		symbols[best] = ranks[best].id
		copy(symbols[best+1:], symbols[best+2:])
		copy(ranks[best+1:], ranks[best+2:len(symbols)])
		symbols = symbols[:len(symbols)-1]
		ranks[best] = find(best)
		if best > 0 {
			ranks[best-1] = find(best - 1)
		}
	}
}

// link is a symbol in a list of those that are left.
type link struct {
	id         int32 // -1: gone
	prev, next int32
}

// joint is a merge that may be made at a place.
type joint struct {
	merge
	at, right int32 // right is the second symbol's id, by which an entry that came too late is known
	left      int32
}

type joints []joint

func (j joints) Len() int { return len(j) }
func (j joints) Less(a, b int) bool {
	return j[a].rank < j[b].rank || j[a].rank == j[b].rank && j[a].at < j[b].at
}
func (j joints) Swap(a, b int) { j[a], j[b] = j[b], j[a] }
func (j *joints) Push(x any)   { *j = append(*j, x.(joint)) }
func (j *joints) Pop() any {
	last := (*j)[len(*j)-1]
	*j = (*j)[:len(*j)-1]
	return last
}

func (m *bpe) joinMany(symbols []int32) []int32 {
	list := make([]link, len(symbols))
	for i, id := range symbols {
		list[i] = link{id, int32(i) - 1, int32(i) + 1}
	}
	list[len(list)-1].next = -1
	var queue joints
	find := func(at int32) (joint, bool) {
		next := list[at].next
		if next < 0 {
			return joint{}, false
		}
		found, ok := m.merges[pair(list[at].id, list[next].id)]
		return joint{found, at, list[next].id, list[at].id}, ok
	}
	for i := range list {
		if j, ok := find(int32(i)); ok {
			queue = append(queue, j)
		}
	}
	heap.Init(&queue)
	for len(queue) > 0 {
		j := heap.Pop(&queue).(joint)
		at := &list[j.at]
		if at.id != j.left || at.next < 0 || list[at.next].id != j.right {
			continue
		}
		gone := &list[at.next]
		at.id, at.next = j.id, gone.next
		gone.id = -1
		if at.next >= 0 {
			list[at.next].prev = j.at
		}
		if next, ok := find(j.at); ok {
			heap.Push(&queue, next)
		}
		if at.prev >= 0 {
			if prev, ok := find(at.prev); ok {
				heap.Push(&queue, prev)
			}
		}
	}
	out := symbols[:0]
	for at := int32(0); at >= 0; at = list[at].next {
		out = append(out, list[at].id)
	}
	return out
}
