package tokenizer

import (
	"fmt"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"graft/onnx/limits"
)

// The parts of a tokenizer.json by their types. What is not known is refused by name, since tokens would come out otherwise.

// parts are the members of a list, or the part itself where it is no sequence.
func parts(o *object, field, list string) ([]*object, error) {
	if o == nil {
		return nil, nil
	}
	s := settings{o: o, field: field}
	if s.text("type", "") != "Sequence" {
		return []*object{o}, s.err
	}
	var all []*object
	for i, item := range s.list(list) {
		inner, ok := item.(*object)
		if !ok {
			return nil, limits.Refuse(field, "%s[%d] is no object", list, i)
		}
		flat, err := parts(inner, fmt.Sprintf("%s[%d]", field, i), list)
		if err != nil {
			return nil, err
		}
		all = append(all, flat...)
	}
	return all, s.end()
}

func newNormalizer(o *object) (normalizer, error) {
	list, err := parts(o, "normalizer", "normalizers")
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var out []normalizer
	for _, part := range list {
		s := &settings{o: part, field: "normalizer"}
		var n normalizer
		switch kind := s.text("type", ""); kind {
		case "BertNormalizer":
			b := bertNormalizer{clean: s.flag("clean_text", true), chinese: s.flag("handle_chinese_chars", true), lower: s.flag("lowercase", true)}
			b.accents = s.flag("strip_accents", b.lower)
			n = b.normalize
		case "Lowercase":
			n = lowercase
		case "StripAccents":
			n = func(s string) string { return without(s, class("mark")) }
		case "Strip":
			n = strip(s.flag("strip_left", true), s.flag("strip_right", true))
		case "NFC":
			n = normalForm(norm.NFC)
		case "NFD":
			n = normalForm(norm.NFD)
		case "NFKC":
			n = normalForm(norm.NFKC)
		case "NFKD":
			n = normalForm(norm.NFKD)
		case "Nmt":
			n = nmt
		case "Prepend":
			n = prepend(s.text("prepend", ""))
		case "ByteLevel":
			n = visible
		case "Replace":
			content := s.text("content", "")
			p, err := s.pattern("pattern")
			if err != nil {
				return nil, err
			}
			n = replace(p, content)
		default:
			return nil, limits.Refuse("normalizer", "type %s is not done", limits.Name(kind))
		}
		if err := s.end(); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	if len(out) == 1 {
		return out[0], nil
	}
	return inTurn(out), nil
}

// pattern reads {"String": …} or {"Regex": …}.
func (s *settings) pattern(key string) (*pattern, error) {
	o := s.object(key)
	if s.err != nil {
		return nil, s.err
	}
	if o == nil || len(o.keys) != 1 {
		return nil, limits.Refuse(s.field, "%s is neither a string nor a regular expression", key)
	}
	p := settings{o: o, field: s.field + " " + key}
	if o.keys[0] == "String" {
		return &pattern{literal: true, text: p.text("String", "")}, p.end()
	}
	expression := p.text("Regex", "")
	if err := p.end(); err != nil {
		return nil, err
	}
	return compile(expression, s.field)
}

func (s *settings) behaviour(otherwise string) behaviour {
	name := s.text("behavior", otherwise)
	b, ok := behaviours[name]
	if !ok {
		s.fail("behavior", "%s is not known", limits.Name(name))
	}
	return b
}

func (s *settings) metaspace() metaspace {
	m := metaspace{mark: s.text("replacement", "▁"), split: s.flag("split", true)}
	scheme := s.text("prepend_scheme", "")
	if scheme == "" {
		scheme = "always"
		if !s.flag("add_prefix_space", true) {
			scheme = "never"
		}
	}
	s.ignore("add_prefix_space", "str_rep")
	m.always, m.never = scheme == "always", scheme == "never"
	if !m.always && !m.never && scheme != "first" {
		s.fail("prepend_scheme", "%s is not known", limits.Name(scheme))
	}
	if m.mark == "" || len(m.mark) > 4 {
		s.fail("replacement", "is no character")
	}
	return m
}

// newCutters gives the pre-tokenizer; raw is set where its last step, bytes as visible characters, is left to the model.
func newCutters(o *object) (cutters []cutter, raw bool, err error) {
	list, err := parts(o, "pre_tokenizer", "pretokenizers")
	if err != nil {
		return nil, false, err
	}
	for i, part := range list {
		s := &settings{o: part, field: "pre_tokenizer"}
		var c cutter
		switch kind := s.text("type", ""); kind {
		case "BertPreTokenizer":
			c = cutBERT
		case "Whitespace":
			c = cutWhitespace
		case "WhitespaceSplit":
			c = splitWhere(unicode.IsSpace, removed)
		case "Punctuation":
			c = splitWhere(isPunctuation, s.behaviour("Isolated"))
		case "Digits":
			c = splitWhere(isDigit, contiguous)
			if s.flag("individual_digits", false) {
				c = splitWhere(isDigit, isolated)
			}
		case "CharDelimiterSplit":
			mark := s.text("delimiter", "")
			if mark == "" {
				s.fail("delimiter", "is lacking")
			}
			c = splitAt(&pattern{literal: true, text: mark}, removed, false)
		case "Metaspace":
			c = s.metaspace().cut
		case "ByteLevel":
			c = byteLevel{s.flag("add_prefix_space", true), s.flag("use_regex", true)}.cut
			s.ignore("trim_offsets")
			if raw = i == len(list)-1; !raw {
				cut := c
				c = func(out []piece, p piece) []piece {
					for _, q := range cut(nil, p) {
						out = append(out, piece{visible(q.text), q.first})
					}
					return out
				}
			}
		case "Split":
			b, invert := s.behaviour(""), s.flag("invert", false)
			p, err := s.pattern("pattern")
			if err != nil {
				return nil, false, err
			}
			c = splitAt(p, b, invert)
		default:
			return nil, false, limits.Refuse("pre_tokenizer", "type %s is not done", limits.Name(kind))
		}
		if err := s.end(); err != nil {
			return nil, false, err
		}
		cutters = append(cutters, c)
	}
	return cutters, raw, nil
}

func newDecoder(o *object) (decoder, error) {
	list, err := parts(o, "decoder", "decoders")
	if err != nil || len(list) == 0 {
		return nil, err
	}
	var out []decoder
	for _, part := range list {
		s := &settings{o: part, field: "decoder"}
		var d decoder
		switch kind := s.text("type", ""); kind {
		case "WordPiece":
			d = decodeWordPiece(s.text("prefix", "##"), s.flag("cleanup", true))
		case "ByteLevel":
			d = decodeByteLevel
			s.ignore("add_prefix_space", "trim_offsets", "use_regex")
		case "Metaspace":
			m := s.metaspace()
			d = decodeMetaspace(m.mark, m.never)
		case "ByteFallback":
			d = decodeBytes
		case "Fuse":
			d = decodeFuse
		case "Strip":
			content, start, stop := s.text("content", ""), s.integer("start", 0), s.integer("stop", 0)
			if content == "" || start < 0 || stop < 0 {
				s.fail("content", "is lacking, or start or stop is negative")
			}
			d = decodeStrip(content, start, stop)
		case "Replace":
			content := s.text("content", "")
			p, err := s.pattern("pattern")
			if err != nil {
				return nil, err
			}
			n := replace(p, content)
			d = eachToken(func(_ int, token string) string { return n(token) })
		case "BPEDecoder":
			d = decodeSuffix(s.text("suffix", "</w>"))
		default:
			return nil, limits.Refuse("decoder", "type %s is not done", limits.Name(kind))
		}
		if err := s.end(); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return decodeInTurn(out), nil
}
