package tokenizer

import (
	"math"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

// Tokenizer turns text into the ids of tokens and back. It is safe for concurrent use.
type Tokenizer struct {
	// Kind is the algorithm: WordPiece, BPE, Unigram or WordLevel.
	Kind string
	// Roles are the special tokens by what they are for.
	Roles Roles
	// Longest is how many tokens a text may have, where the files say so; 0 otherwise.
	Longest int

	json      []byte
	normalize normalizer // nil: none
	cutters   []cutter
	model     model
	template  template
	decode    decoder // nil: tokens with spaces between them
	early     *addedTokens
	late      *addedTokens
	texts     map[int64]string
	ids       map[string]int64
	special   map[string]bool
	size      int
	added     []Added
}

// Encoding is a text as tokens.
type Encoding struct {
	IDs     []int64
	TypeIDs []int64 // which of two texts a token is of, as the template has it
	Special []bool  // put in by the template
	Cut     int     // tokens that were left out at the end
}

// Parse reads a tokenizer.json. Refused input is a *limits.InputError.
func Parse(json []byte) (*Tokenizer, error) {
	c, err := parse(json)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{json: json, Longest: c.truncation, texts: make(map[int64]string, len(c.words)+len(c.added)), special: map[string]bool{}, added: c.added}
	for _, w := range c.words {
		t.texts[int64(w.id)] = w.text
	}
	for _, a := range c.added {
		t.texts[a.ID] = a.Text
		if a.Special {
			t.special[a.Text] = true
		}
	}
	t.ids = make(map[string]int64, len(t.texts))
	for id, text := range t.texts {
		t.ids[text] = id
		t.size = max(t.size, int(id)+1)
	}
	if t.normalize, err = newNormalizer(c.normalizer); err != nil {
		return nil, err
	}
	var raw bool
	if t.cutters, raw, err = newCutters(c.pre); err != nil {
		return nil, err
	}
	if t.model, t.Kind, err = newModel(c, raw); err != nil {
		return nil, err
	}
	if t.template, err = newTemplate(c.post, t.ids); err != nil {
		return nil, err
	}
	if t.decode, err = newDecoder(c.decoder); err != nil {
		return nil, err
	}
	t.early, t.late = newAddedTokens(c.added, false, nil), newAddedTokens(c.added, true, t.normalize)
	t.Roles = t.guess()
	return t, nil
}

// JSON is the tokenizer as a tokenizer.json.
func (t *Tokenizer) JSON() []byte { return t.json }

// Size is one more than the largest id, which is what a model's vocabulary must have at least.
func (t *Tokenizer) Size() int { return t.size }

// ID is the id of a token.
func (t *Tokenizer) ID(token string) (int64, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// Token is the token of an id.
func (t *Tokenizer) Token(id int64) (string, bool) {
	text, ok := t.texts[id]
	return text, ok
}

// Added are the tokens that are found as a whole. The slice is the tokenizer's own.
func (t *Tokenizer) Added() []Added { return t.added }

// Special is the number of special tokens that Encode puts around one text.
func (t *Tokenizer) Special() int { return count(t.template.single) }

// Encode gives the tokens of a text with the special ones around it. The text must be UTF-8.
func (t *Tokenizer) Encode(text string) (Encoding, error) { return t.EncodeWithin(text, math.MaxInt) }

// EncodeWithin is Encode with at most most tokens, the special ones among them; what is cut off is counted.
func (t *Tokenizer) EncodeWithin(text string, most int) (e Encoding, err error) {
	ids, err := t.Plain(text)
	if err != nil {
		return e, err
	}
	room := max(most-count(t.template.single), 0)
	if len(ids) > room {
		e.Cut = len(ids) - room
		ids = ids[:room]
	}
	e.fill(t.template.single, ids, nil)
	return e, nil
}

// EncodePair gives the tokens of two texts, with the special ones around and between them, at most most; the longer text is cut.
func (t *Tokenizer) EncodePair(a, b string, most int) (e Encoding, err error) {
	first, err := t.Plain(a)
	if err != nil {
		return e, err
	}
	second, err := t.Plain(b)
	if err != nil {
		return e, err
	}
	room := max(most-count(t.template.pair), 0)
	if e.Cut = max(len(first)+len(second)-room, 0); e.Cut > 0 {
		short := min(len(first), len(second), room)
		long := room - short
		if long < short { // both are cut, the longer one to the larger half where that is not even
			short, long = room/2, room-room/2
		}
		if len(first) > len(second) {
			short, long = long, short
		}
		first, second = first[:min(short, len(first))], second[:min(long, len(second))]
	}
	e.fill(t.template.pair, first, second)
	return e, nil
}

func (e *Encoding) fill(slots []slot, texts ...[]int64) {
	n := count(slots)
	for _, s := range slots {
		if s.text >= 0 {
			n += len(texts[s.text])
		}
	}
	e.IDs, e.TypeIDs, e.Special = make([]int64, 0, n), make([]int64, 0, n), make([]bool, 0, n)
	for _, s := range slots {
		ids := s.ids
		if s.text >= 0 {
			ids = texts[s.text]
		}
		e.IDs = append(e.IDs, ids...)
		for range ids {
			e.TypeIDs, e.Special = append(e.TypeIDs, s.kind), append(e.Special, s.text < 0)
		}
	}
}

// Plain gives the tokens of a text without special ones around it; those that are written in it are found.
func (t *Tokenizer) Plain(text string) ([]int64, error) {
	if !utf8.ValidString(text) {
		return nil, limits.Refuse("text", "is not UTF-8")
	}
	ids := make([]int64, 0, len(text)/4+4)
	var fault error
	keep := func(a Added) { ids = append(ids, a.ID) }
	t.early.split(text, keep, func(from, to int) {
		part := text[from:to]
		if t.normalize != nil {
			part = t.normalize(part)
		}
		t.late.split(part, keep, func(start, end int) {
			if fault == nil {
				ids, fault = t.part(ids, piece{part[start:end], from == 0 && start == 0})
			}
		})
	})
	return ids, fault
}

func (t *Tokenizer) part(ids []int64, p piece) ([]int64, error) {
	var room [1]piece
	room[0] = p
	for _, p := range cutFully(t.cutters, room[:]) {
		var err error
		if ids, err = t.model.encode(ids, p.text); err != nil {
			return ids, err
		}
	}
	return ids, nil
}

// Decode gives the text of tokens. Ids that are no token's are passed over, and special ones where skip is set.
func (t *Tokenizer) Decode(ids []int64, skip bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if text, ok := t.texts[id]; ok && !(skip && t.special[text]) {
			tokens = append(tokens, text)
		}
	}
	if t.decode == nil {
		return strings.Join(tokens, " ")
	}
	return strings.Join(t.decode(tokens), "")
}
