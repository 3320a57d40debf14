package tokenizer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"graft/onnx/limits"
)

// content is what a tokenizer.json holds, before anything is made of it.
type content struct {
	added                          []Added
	normalizer, pre, post, decoder *object
	model                          *object // without vocabulary and merges
	words                          []word
	listed                         bool // the vocabulary is a list of words with scores
	merges                         [][2]string
	hasMerges                      bool
	truncation                     int // 0: none
}

// word is a line of the vocabulary.
type word struct {
	text  string
	id    int32
	score float64
}

// parse reads a tokenizer.json.
func parse(b []byte) (*content, error) {
	if len(b) > maxFile {
		return nil, limits.Refuse("", "%d bytes, at most %d", len(b), maxFile)
	}
	j, c, seen := newJSON(b), &content{}, map[string]bool{}
	err := j.members(func(key string) error {
		if seen[key] {
			return j.fail("key %s twice", limits.Name(key))
		}
		seen[key] = true
		if key == "model" {
			return c.readModel(j)
		}
		v, err := j.value()
		if err != nil {
			return err
		}
		o, isObject := v.(*object)
		if !isObject && v != nil && key != "version" && key != "added_tokens" {
			return limits.Refuse(key, "is no object")
		}
		switch key {
		case "version":
			if v != "1.0" {
				return limits.Refuse(key, "is %v, wants 1.0", limits.Name(fmt.Sprint(v)))
			}
		case "added_tokens":
			return c.readAdded(v)
		case "truncation":
			if o == nil {
				return nil
			}
			n, ok := o.get("max_length")
			most, isNumber := n.(float64)
			if !ok || !isNumber || most < 1 || most > math.MaxInt32 || most != math.Trunc(most) {
				return limits.Refuse(key, "max_length is no number from 1 on")
			}
			c.truncation = int(most)
		case "normalizer":
			c.normalizer = o
		case "pre_tokenizer":
			c.pre = o
		case "post_processor":
			c.post = o
		case "decoder":
			c.decoder = o
		case "padding":
		default:
			return limits.Refuse(key, "is no part of a tokenizer.json that is known")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if j.next(); j.pos < len(b) {
		return nil, j.fail("more behind the end")
	}
	if c.model == nil {
		return nil, limits.Refuse("model", "is lacking")
	}
	return c, c.check()
}

func (c *content) readModel(j *jsonReader) error {
	c.model = &object{}
	seen := map[string]bool{}
	text := 0
	add := func(w word) error {
		if len(w.text) > maxToken {
			return limits.Refuse("vocabulary", "token %d has %d bytes, at most %d", w.id, len(w.text), maxToken)
		}
		if text += len(w.text); text > maxText || len(c.words) == maxTokens {
			return limits.Refuse("vocabulary", "more than %d tokens or %d bytes of text", maxTokens, maxText)
		}
		c.words = append(c.words, w)
		return nil
	}
	return j.members(func(key string) error {
		if seen[key] {
			return j.fail("key %s twice", limits.Name(key))
		}
		seen[key] = true
		switch {
		case key == "vocab" && j.next() == '[':
			c.listed = true
			return j.items(func() error {
				w, err := j.scored()
				if err != nil {
					return err
				}
				w.id = int32(len(c.words))
				return add(w)
			})
		case key == "vocab":
			return j.members(func(text string) error {
				id, err := j.integer()
				if err != nil {
					return err
				}
				return add(word{text: text, id: id})
			})
		case key == "merges":
			c.hasMerges = true
			return j.items(func() error {
				m, err := j.merge()
				if err == nil && len(c.merges) == maxMerges {
					err = limits.Refuse("merges", "more than %d", maxMerges)
				}
				c.merges = append(c.merges, m)
				return err
			})
		}
		v, err := j.value()
		c.model.keys, c.model.values = append(c.model.keys, key), append(c.model.values, v)
		return err
	})
}

// scored reads [text, score].
func (j *jsonReader) scored() (w word, err error) {
	n := 0
	err = j.items(func() (err error) {
		switch n++; n {
		case 1:
			w.text, err = j.text()
		case 2:
			w.score, err = j.score()
		default:
			err = j.fail("more items than a token and its score")
		}
		return err
	})
	if err == nil && n != 2 {
		err = j.fail("%d items where a token and its score were expected", n)
	}
	return w, err
}

// score reads a number as tokenizers does: digits as an integer, times or over a power of ten. That may be one unit off in the last
// place, which decides between sums of scores that are equal.
func (j *jsonReader) score() (float64, error) {
	start := j.pos
	exact, err := j.number()
	if err != nil {
		return 0, err
	}
	digits, exponent, hasExponent := strings.Cut(strings.ToLower(strings.TrimPrefix(string(j.b[start:j.pos]), "-")), "e")
	power := 0
	if hasExponent {
		if power, err = strconv.Atoi(exponent); err != nil {
			return exact, nil
		}
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	var n uint64
	for i, c := range whole + fraction {
		d := uint64(c - '0')
		if n > (math.MaxUint64-d)/10 {
			if i < len(whole) {
				power += len(whole) - i
			}
			break
		}
		n = n*10 + d
		if i >= len(whole) {
			power--
		}
	}
	v := float64(n)
	switch {
	case power < -300 || power > 300:
		return exact, nil
	case power < 0:
		v /= math.Pow10(-power)
	default:
		v *= math.Pow10(power)
	}
	return math.Copysign(v, exact), nil
}

// merge reads "left right" or [left, right].
func (j *jsonReader) merge() (m [2]string, err error) {
	if j.next() == '"' {
		s, err := j.text()
		if err != nil {
			return m, err
		}
		ok := false
		if m, ok = cutMerge(s); !ok {
			err = j.fail("merge %s is not two tokens with a space between them", limits.Name(s))
		}
		return m, err
	}
	n := 0
	err = j.items(func() (err error) {
		if n == 2 {
			return j.fail("a merge of more than two tokens")
		}
		m[n], err = j.text()
		n++
		return err
	})
	if err == nil && n != 2 {
		err = j.fail("a merge of %d tokens", n)
	}
	return m, err
}

func (c *content) readAdded(v any) error {
	list, ok := v.([]any)
	if !ok && v != nil {
		return limits.Refuse("added_tokens", "is no list")
	}
	for i, item := range list {
		field := fmt.Sprintf("added_tokens[%d]", i)
		o, ok := item.(*object)
		if !ok {
			return limits.Refuse(field, "is no object")
		}
		s := settings{o: o, field: field}
		t := Added{ID: int64(s.integer("id", -1)), Text: s.text("content", ""), Special: s.flag("special", false), singleWord: s.flag("single_word", false),
			left: s.flag("lstrip", false), right: s.flag("rstrip", false), normalized: s.flag("normalized", false)}
		if err := s.end(); err != nil {
			return err
		}
		switch {
		case t.ID < 0:
			return limits.Refuse(field, "id %d, wants 0 to %d", t.ID, math.MaxInt32)
		case t.Text == "":
			return limits.Refuse(field, "content is lacking")
		case len(t.Text) > maxToken:
			return limits.Refuse(field, "%d bytes, at most %d", len(t.Text), maxToken)
		}
		c.added = append(c.added, t)
	}
	return nil
}

// check holds ids against each other: no text twice, no id for two texts, none far beyond the number of tokens.
func (c *content) check() error {
	ids, texts := make(map[int64]string, len(c.words)+len(c.added)), make(map[string]int64, len(c.words)+len(c.added))
	var most word
	one := func(text string, id int64) error {
		if at, twice := texts[text]; twice && at != id {
			return limits.Refuse("vocabulary", "token %s has the ids %d and %d", limits.Name(text), at, id)
		}
		if other, twice := ids[id]; twice && other != text {
			return limits.Refuse("vocabulary", "id %d is %s and %s", id, limits.Name(other), limits.Name(text))
		}
		ids[id], texts[text] = text, id
		if int32(id) >= most.id {
			most = word{text: text, id: int32(id)}
		}
		return nil
	}
	for _, w := range c.words {
		if _, twice := texts[w.text]; twice {
			return limits.Refuse("vocabulary", "token %s twice", limits.Name(w.text))
		}
		if err := one(w.text, int64(w.id)); err != nil {
			return err
		}
	}
	for _, t := range c.added {
		if err := one(t.Text, t.ID); err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return limits.Refuse("vocabulary", "is empty")
	}
	if int(most.id) >= 2*len(ids)+mostGap {
		return limits.Refuse("vocabulary", "token %s has id %d, there are %d tokens", limits.Name(most.text), most.id, len(ids))
	}
	return nil
}

// sorted are the lines of the vocabulary by id.
func (c *content) sorted() []word {
	list := slices.Clone(c.words)
	slices.SortFunc(list, func(a, b word) int { return cmp.Compare(a.id, b.id) })
	return list
}
