package tokenizer

import (
	"math"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

// Metadata is what a GGUF file says of its vocabulary; *gguf.File is one.
type Metadata interface {
	Value(key string) (any, bool)
}

const ggml = "tokenizer.ggml."

// ggufPatterns are the ways of cutting that llama.cpp has names for, as a tokenizer.json has them.
var ggufPatterns = map[string]func() (normalizer, pre dict){
	"gpt-2":     func() (_, pre dict) { return nil, byteLevelPart(false, true) },
	"smollm":    digitsFirst,
	"starcoder": digitsFirst,
	"refact":    digitsFirst,
	"command-r": digitsFirst,
	"llama-bpe": func() (_, pre dict) { return nil, cutBy(threeDigits) },
	"llama3":    func() (_, pre dict) { return nil, cutBy(threeDigits) },
	"llama-v3":  func() (_, pre dict) { return nil, cutBy(threeDigits) },
	"qwen2":     func() (normal, pre dict) { return typed("NFC"), cutBy(strings.Replace(threeDigits, "{1,3}", "", 1)) },
	"gpt-4o":    func() (_, pre dict) { return nil, cutBy(gpt4oPattern) },
}

const threeDigits = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

const gpt4oPattern = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
	`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
	`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

func digitsFirst() (_, pre dict) {
	return nil, sequenceOf("pretokenizers", typed("Digits", member{"individual_digits", true}), byteLevelPart(false, true))
}

func cutBy(expression string) dict {
	return sequenceOf("pretokenizers", splitPart(expression), byteLevelPart(false, false))
}

// FromGGUF reads the vocabulary of a GGUF file: byte-level BPE (gpt2), SentencePiece's BPE (llama) and WordPiece (bert).
func FromGGUF(m Metadata) (*Tokenizer, error) {
	g := ggufReader{m: m}
	words, types := g.words()
	kind := g.text("model")
	prefix, begin, end := g.flag("add_space_prefix", true), g.flag("add_bos_token", kind == "llama"), g.flag("add_eos_token", false)
	roles := Roles{Begin: g.id("bos_token_id"), End: g.id("eos_token_id"), Unknown: g.id("unknown_token_id"), Pad: g.id("padding_token_id"), Class: g.id("cls_token_id"),
		Separator: g.id("seperator_token_id"), Mask: g.id("mask_token_id")}
	if g.err != nil {
		return nil, g.err
	}
	var s source
	switch kind {
	case "gpt2":
		name := g.text("pre")
		if name == "" {
			name = "gpt-2"
		}
		pattern, ok := ggufPatterns[name]
		if !ok {
			return nil, limits.Refuse("metadata "+ggml+"pre", "%s is not done", limits.Name(name)).WithHint("give the model's tokenizer.json with --tokenizer")
		}
		normal, pre := pattern()
		whole := strings.HasPrefix(name, "llama")
		begin = g.flag("add_bos_token", whole)
		merges := g.merges()
		s = byteLevelSource(words, merges, pre, whole)
		s.normalizer = normal
		for i, w := range words {
			if types[i] == controlToken || types[i] == userToken {
				s.added = append(s.added, Added{ID: int64(i), Text: w.text, Special: types[i] == controlToken})
			}
		}
	case "llama":
		var err error
		if s, err = sentencePieceSource(words, types, prefix); err != nil {
			return nil, err
		}
	case "bert":
		for i, w := range words {
			if rest, ok := strings.CutPrefix(w.text, "▁"); ok {
				words[i].text = rest
			} else if types[i] == normalToken && !(strings.HasPrefix(w.text, "[") && strings.HasSuffix(w.text, "]")) {
				words[i].text = "##" + w.text
			}
		}
		s = bertSource(words, true)
	default:
		return nil, limits.Refuse("metadata "+ggml+"model", "%s is not done", limits.Name(kind)).WithHint("give the model's tokenizer.json with --tokenizer")
	}
	if g.err != nil {
		return nil, g.err
	}
	if kind != "bert" {
		token := func(on bool, id int64) []Added {
			if !on || id < 0 {
				return nil
			}
			return []Added{{ID: id, Text: words[id].text}}
		}
		s.post = around(token(begin, roles.Begin), token(end, roles.End))
	}
	t, err := s.tokenizer()
	if err != nil {
		return nil, err
	}
	t.Roles = roles.or(t.Roles)
	return t, nil
}

// or takes the roles of b where there is none.
func (r Roles) or(b Roles) Roles {
	for _, row := range roleNames {
		if id := row.of(&r); *id < 0 {
			*id = *row.of(&b)
		}
	}
	return r
}

// ggufReader reads metadata; the first fault is kept.
type ggufReader struct {
	m     Metadata
	count int
	err   error
}

func (g *ggufReader) fail(key, format string, args ...any) {
	if g.err == nil {
		g.err = limits.Refuse("metadata "+ggml+key, format, args...)
	}
}

func (g *ggufReader) text(key string) string {
	v, ok := g.m.Value(ggml + key)
	s, isText := v.(string)
	if ok && !isText {
		g.fail(key, "is no text")
	}
	return s
}

func (g *ggufReader) flag(key string, otherwise bool) bool {
	v, ok := g.m.Value(ggml + key)
	if !ok {
		return otherwise
	}
	b, isBool := v.(bool)
	if !isBool {
		g.fail(key, "is no truth value")
	}
	return b
}

// id is a token's number; -1 where there is none.
func (g *ggufReader) id(key string) int64 {
	v, ok := g.m.Value(ggml + key)
	if !ok {
		return -1
	}
	n := int64(-1)
	switch v := v.(type) {
	case uint32:
		n = int64(v)
	case int32:
		n = int64(v)
	case uint64:
		n = int64(min(v, math.MaxInt64))
	case int64:
		n = v
	}
	if n == math.MaxUint32 || n == -1 { // none
		return -1
	}
	if n < 0 || n >= int64(g.count) {
		g.fail(key, "is %d, there are %d tokens", n, g.count)
		return -1
	}
	return n
}

func (g *ggufReader) words() ([]word, []tokenType) {
	v, ok := g.m.Value(ggml + "tokens")
	tokens, isTexts := v.([]string)
	if !ok || !isTexts || len(tokens) == 0 {
		g.fail("tokens", "is no list of texts")
		return nil, nil
	}
	if len(tokens) > maxTokens {
		g.fail("tokens", "%d, at most %d", len(tokens), maxTokens)
		return nil, nil
	}
	g.count = len(tokens)
	scores, _ := g.column("scores", len(tokens)).([]float32)
	kinds, _ := g.column("token_type", len(tokens)).([]int32)
	words, types := make([]word, len(tokens)), make([]tokenType, len(tokens))
	for i, text := range tokens {
		if !utf8.ValidString(text) {
			g.fail("tokens", "token %d is not UTF-8", i)
		}
		words[i], types[i] = word{text: text, id: int32(i)}, normalToken
		if scores != nil {
			if words[i].score = float64(scores[i]); math.IsNaN(words[i].score) || math.IsInf(words[i].score, 0) {
				g.fail("scores", "token %d has %v", i, scores[i])
			}
		}
		if kinds != nil {
			if types[i] = tokenType(kinds[i]); types[i] < normalToken || types[i] > byteTypeToken {
				g.fail("token_type", "token %d has %d", i, kinds[i])
			}
		}
	}
	return words, types
}

// column is a list of n numbers, nil where there is none.
func (g *ggufReader) column(key string, n int) any {
	v, ok := g.m.Value(ggml + key)
	if !ok {
		return nil
	}
	length := -1
	switch v := v.(type) {
	case []float32:
		length = len(v)
	case []int32:
		length = len(v)
	}
	if length != n {
		g.fail(key, "is no list of %d numbers", n)
		return nil
	}
	return v
}

func (g *ggufReader) merges() [][2]string {
	v, _ := g.m.Value(ggml + "merges")
	list, ok := v.([]string)
	if !ok || len(list) > maxMerges {
		g.fail("merges", "is no list of at most %d texts", maxMerges)
		return nil
	}
	out := make([][2]string, len(list))
	for i, s := range list {
		if out[i], ok = cutMerge(s); !ok || !utf8.ValidString(s) {
			g.fail("merges", "%s is not two tokens with a space between them", limits.Name(s))
		}
	}
	return out
}
