package tokenizer

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// dict is a JSON object in the order that it is written in.
type dict []member

type member struct {
	key   string
	value any
}

func (d dict) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(&b, m.key)
		b.WriteByte(':')
		v, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// ids writes a vocabulary as an object.
type idList []word

func (l idList) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, w := range l {
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(&b, w.text)
		b.WriteByte(':')
		b.WriteString(strconv.Itoa(int(w.id)))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// writeText writes text without the escapes that HTML wants.
func writeText(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if e.Encode(s) == nil { // text always encodes
		b.Truncate(b.Len() - 1)
	}
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// typed is an object whose first member is its type.
func typed(kind string, members ...member) dict {
	return append(dict{{"type", kind}}, members...)
}

func sequenceOf(list string, parts ...dict) dict { return typed("Sequence", member{list, parts}) }

// source is a vocabulary from elsewhere, as the parts of a tokenizer.json.
type source struct {
	added                          []Added
	normalizer, pre, post, decoder dict // nil: null
	model                          dict
}

// tokenizer writes a source as a tokenizer.json and reads that.
func (s source) tokenizer() (*Tokenizer, error) {
	added := make([]dict, len(s.added))
	for i, a := range s.added {
		added[i] = dict{{"id", a.ID}, {"content", a.Text}, {"single_word", a.singleWord}, {"lstrip", a.left}, {"rstrip", a.right}, {"normalized", a.normalized}, {"special", a.Special}}
	}
	optional := func(d dict) any {
		if d == nil {
			return nil
		}
		return d
	}
	b, err := marshal(dict{{"version", "1.0"}, {"truncation", nil}, {"padding", nil}, {"added_tokens", added}, {"normalizer", optional(s.normalizer)},
		{"pre_tokenizer", optional(s.pre)}, {"post_processor", optional(s.post)}, {"decoder", optional(s.decoder)}, {"model", s.model}})
	if err != nil {
		return nil, err
	}
	return Parse(b)
}

// around is a template that puts tokens in front of and behind a text; of two texts the second has them, too. It is nil where there are
// none.
func around(front, back []Added) dict {
	if len(front)+len(back) == 0 {
		return nil
	}
	place := func(a Added, kind int) dict { return dict{{"SpecialToken", dict{{"id", a.Text}, {"type_id", kind}}}} }
	text := func(id string, kind int) dict { return dict{{"Sequence", dict{{"id", id}, {"type_id", kind}}}} }
	var pair []dict
	names := dict{}
	for kind, id := range []string{"A", "B"} {
		for _, a := range front {
			pair = append(pair, place(a, kind))
		}
		pair = append(pair, text(id, kind))
		for _, a := range back {
			pair = append(pair, place(a, kind))
		}
	}
	for _, a := range append(front[:len(front):len(front)], back...) {
		names = append(names, member{a.Text, dict{{"id", a.Text}, {"ids", []int64{a.ID}}, {"tokens", []string{a.Text}}}})
	}
	return typed("TemplateProcessing", member{"single", pair[:len(pair)/2]}, member{"pair", pair}, member{"special_tokens", names})
}

// bertSource is a vocabulary of WordPiece with BERT's rules around it.
func bertSource(words []word, lower bool) source {
	s := source{
		normalizer: typed("BertNormalizer", member{"clean_text", true}, member{"handle_chinese_chars", true}, member{"strip_accents", nil}, member{"lowercase", lower}),
		pre:        typed("BertPreTokenizer"),
		decoder:    typed("WordPiece", member{"prefix", "##"}, member{"cleanup", true}),
		model: typed("WordPiece", member{"unk_token", "[UNK]"}, member{"continuing_subword_prefix", "##"}, member{"max_input_chars_per_word", 100},
			member{"vocab", idList(words)}),
	}
	ids := map[string]int64{}
	for _, w := range words {
		ids[w.text] = int64(w.id)
	}
	find := func(text string) (a Added, ok bool) {
		id, ok := ids[text]
		return Added{ID: id, Text: text, Special: true}, ok
	}
	for _, text := range []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"} {
		if a, ok := find(text); ok {
			s.added = append(s.added, a)
		}
	}
	if class, ok := find("[CLS]"); ok {
		if sep, ok := find("[SEP]"); ok {
			s.post = around([]Added{class}, []Added{sep})
			for i, m := range s.post { // BERT's second text has no [CLS]
				if m.key == "pair" {
					pair := m.value.([]dict)
					s.post[i].value = append(pair[:3:3], pair[4:]...)
				}
			}
		}
	}
	return s
}

// byteLevelSource is a byte-level BPE.
func byteLevelSource(words []word, merges [][2]string, pre dict, whole bool) source {
	return source{
		pre:     pre,
		decoder: byteLevelPart(false, true),
		model: typed("BPE", member{"dropout", nil}, member{"unk_token", nil}, member{"continuing_subword_prefix", nil}, member{"end_of_word_suffix", nil},
			member{"fuse_unk", false}, member{"byte_fallback", false}, member{"ignore_merges", whole}, member{"vocab", idList(words)}, member{"merges", mergeList(merges)}),
	}
}

func byteLevelPart(prefix, pattern bool) dict {
	return typed("ByteLevel", member{"add_prefix_space", prefix}, member{"trim_offsets", true}, member{"use_regex", pattern})
}

// mergeList is never null.
func mergeList(merges [][2]string) [][2]string {
	if merges == nil {
		return [][2]string{}
	}
	return merges
}

func splitPart(expression string) dict {
	return typed("Split", member{"pattern", dict{{"Regex", expression}}}, member{"behavior", "Isolated"}, member{"invert", false})
}
