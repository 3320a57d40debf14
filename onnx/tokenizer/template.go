package tokenizer

import (
	"fmt"
	"math"

	"graft/onnx/limits"
)

// slot is a place of a template: tokens, or one of the texts.
type slot struct {
	ids  []int64
	text int // 0 and 1: the texts; -1: ids
	kind int64
}

// template says where special tokens go, for one text and for two.
type template struct{ single, pair []slot }

// plain is the template without special tokens.
var plain = template{[]slot{{text: 0}}, []slot{{text: 0}, {text: 1, kind: 1}}}

func newTemplate(o *object, ids map[string]int64) (template, error) {
	list, err := parts(o, "post_processor", "processors")
	if err != nil {
		return plain, err
	}
	t, found := plain, ""
	for _, part := range list {
		s := &settings{o: part, field: "post_processor"}
		kind := s.text("type", "")
		if kind != "ByteLevel" { // which moves offsets alone
			if found != "" {
				return plain, limits.Refuse("post_processor", "%s behind %s is not done", limits.Name(kind), limits.Name(found))
			}
			found = kind
		}
		switch kind {
		case "ByteLevel":
			s.ignore("add_prefix_space", "trim_offsets", "use_regex")
		case "BertProcessing", "RobertaProcessing":
			cls, sep := s.named("cls", ids), s.named("sep", ids)
			t.single = []slot{{ids: cls, text: -1}, {text: 0}, {ids: sep, text: -1}}
			if kind == "BertProcessing" {
				t.pair = append(t.single[:3:3], slot{text: 1, kind: 1}, slot{ids: sep, text: -1, kind: 1})
			} else {
				s.ignore("trim_offsets", "add_prefix_space")
				t.pair = append(t.single[:3:3], slot{ids: sep, text: -1}, slot{text: 1}, slot{ids: sep, text: -1})
			}
		case "TemplateProcessing":
			special, err := s.special(ids)
			if err != nil {
				return plain, err
			}
			if t.single, err = s.slots("single", special); err != nil {
				return plain, err
			}
			if t.pair, err = s.slots("pair", special); err != nil {
				return plain, err
			}
		default:
			return plain, limits.Refuse("post_processor", "type %s is not done", limits.Name(kind))
		}
		if err := s.end(); err != nil {
			return plain, err
		}
	}
	return t, nil
}

// token checks that text has the id that a template gives it.
func (s *settings) token(text string, id float64, ids map[string]int64) int64 {
	if have, ok := ids[text]; !ok {
		s.fail(text, "is no token")
	} else if float64(have) != id {
		s.fail(text, "has id %v in it, %d in the vocabulary", id, have)
	}
	return int64(id)
}

// named reads [text, id].
func (s *settings) named(key string, ids map[string]int64) []int64 {
	list := s.list(key)
	if len(list) == 2 {
		text, isText := list[0].(string)
		id, isNumber := list[1].(float64)
		if isText && isNumber {
			return []int64{s.token(text, id, ids)}
		}
	}
	s.fail(key, "is no token with its id")
	return nil
}

// special reads the tokens that a template's names stand for.
func (s *settings) special(ids map[string]int64) (map[string][]int64, error) {
	out := map[string][]int64{}
	o := s.object("special_tokens")
	if o == nil {
		return out, s.err
	}
	for i, name := range o.keys {
		inner, ok := o.values[i].(*object)
		if !ok {
			return nil, limits.Refuse(s.field, "special token %s is no object", limits.Name(name))
		}
		t := settings{o: inner, field: s.field}
		numbers, tokens := t.list("ids"), t.list("tokens")
		t.ignore("id")
		if len(numbers) != len(tokens) || len(numbers) == 0 {
			t.fail(name, "has %d ids for %d tokens", len(numbers), len(tokens))
		}
		for k := 0; k < len(numbers) && t.err == nil; k++ {
			id, isNumber := numbers[k].(float64)
			text, isText := tokens[k].(string)
			if !isNumber || !isText || id < 0 || id > math.MaxInt32 {
				t.fail(name, "is no list of tokens with their ids")
				break
			}
			out[name] = append(out[name], t.token(text, id, ids))
		}
		if err := t.end(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

const mostSlots = 64

func (s *settings) slots(key string, special map[string][]int64) ([]slot, error) {
	list := s.list(key)
	if len(list) > mostSlots {
		return nil, limits.Refuse(s.field, "%s has %d places, at most %d", key, len(list), mostSlots)
	}
	var out []slot
	for i, item := range list {
		field := fmt.Sprintf("%s %s[%d]", s.field, key, i)
		o, ok := item.(*object)
		if !ok || len(o.keys) != 1 {
			return nil, limits.Refuse(field, "is neither a special token nor a sequence")
		}
		inner, ok := o.values[0].(*object)
		if !ok {
			return nil, limits.Refuse(field, "is no object")
		}
		t := settings{o: inner, field: field}
		id, sl := t.text("id", ""), slot{text: -1, kind: int64(t.integer("type_id", 0))}
		switch {
		case o.keys[0] == "Sequence" && id == "A":
			sl.text = 0
		case o.keys[0] == "Sequence" && id == "B":
			sl.text = 1
		case o.keys[0] == "SpecialToken" && special[id] != nil:
			sl.ids = special[id]
		default:
			t.fail(o.keys[0], "%s is not known", limits.Name(id))
		}
		if err := t.end(); err != nil {
			return nil, err
		}
		out = append(out, sl)
	}
	return out, nil
}

// count is the number of special tokens of a list of places.
func count(slots []slot) (n int) {
	for _, s := range slots {
		n += len(s.ids)
	}
	return n
}
