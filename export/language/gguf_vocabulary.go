package language

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"graft/onnx/gguf"
	"graft/onnx/limits"
)

// The kinds of tokens of a GGUF file.
const (
	normalToken  = int32(1)
	unknownToken = int32(2)
	controlToken = int32(3)
	userToken    = int32(4)
	unusedToken  = int32(5)
)

const (
	mostTokenizer = 64 << 20 // bytes of a tokenizer.json that is read
	mostValues    = 8 << 20  // and values in it
)

// vocabularyKeys makes the metadata of a tokenizer of tokenizer.json: byte-level BPE, or WordPiece.
func (s *Source) vocabularyKeys() ([]gguf.Key, error) {
	data := s.Files[tokenizerName]
	if data == nil {
		return []gguf.Key{{Name: "tokenizer.ggml.model", Value: "no_vocab"}}, nil
	}
	keys, err := s.vocabulary(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return keys, nil
}

func (s *Source) vocabulary(data []byte) ([]gguf.Key, error) {
	o, err := parseLarge(data, mostTokenizer, mostValues)
	if err != nil {
		return nil, err
	}
	top := &fields{o: o}
	model := &fields{o: top.object("model")}
	v := &vocabulary{tokens: make([]string, s.Config.VocabSize), kinds: make([]int32, s.Config.VocabSize)}
	for i := range v.tokens {
		v.tokens[i], v.kinds[i] = fmt.Sprintf("[PAD%d]", i), unusedToken
	}
	for text, n := range model.object("vocab") {
		if err := v.put(n, text, normalToken); err != nil {
			return nil, err
		}
	}
	kind := model.text("type", "")
	if kind == "WordPiece" {
		v.phantom()
	}
	added, _ := top.o["added_tokens"].([]any)
	for _, a := range added {
		member, _ := a.(object)
		f := &fields{o: member}
		as := userToken
		if f.truth("special", false) {
			as = controlToken
		}
		if err := v.put(member["id"], f.text("content", ""), as); err != nil {
			return nil, err
		}
	}
	keys := []gguf.Key{}
	add := func(name string, value any) {
		keys = append(keys, gguf.Key{Name: "tokenizer.ggml." + name, Value: value})
	}
	switch kind {
	case "BPE":
		pre, err := preTokenizer(top)
		if err != nil {
			return nil, err
		}
		add("model", "gpt2")
		add("pre", pre)
	case "WordPiece":
		add("model", "bert")
		add("token_type_count", uint32(s.Config.TypeVocabSize))
	default:
		return nil, limits.Refuse("model", "type %s does not go into a GGUF file: there are BPE and WordPiece", limits.Name(kind))
	}
	add("tokens", v.tokens)
	add("token_type", v.kinds)
	if kind == "BPE" {
		merges, err := mergesOf(model)
		if err != nil {
			return nil, err
		}
		add("merges", merges)
	}
	if err := errorsOf(top, model); err != nil {
		return nil, err
	}
	for name, n := range s.specialTokens(v) {
		add(name, n)
	}
	if data := s.Files[tokenizerConfigName]; data != nil {
		o, err := parseLarge(data, mostTokenizer, mostValues)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tokenizerConfigName, err)
		}
		if template, ok := o["chat_template"].(string); ok {
			keys = append(keys, gguf.Key{Name: "tokenizer.chat_template", Value: template})
		}
		for _, name := range []string{"add_bos_token", "add_eos_token"} {
			if v, ok := o[name].(bool); ok {
				add(name, v)
			}
		}
	}
	slices.SortStableFunc(keys, func(a, b gguf.Key) int { return strings.Compare(a.Name, b.Name) })
	return keys, nil
}

func errorsOf(all ...*fields) error {
	for _, f := range all {
		if err := f.err(); err != nil {
			return err
		}
	}
	return nil
}

// vocabulary is a list of tokens by their numbers.
type vocabulary struct {
	tokens []string
	kinds  []int32
}

func (v *vocabulary) put(number any, text string, kind int32) error {
	n, ok := number.(json.Number)
	if ok {
		if i, err := n.Int64(); err == nil && i >= 0 && i < int64(len(v.tokens)) {
			v.tokens[i], v.kinds[i] = text, kind
			return nil
		}
	}
	return limits.Refuse("", "token %s has the number %s, the model has %d", limits.Name(text), show(number), len(v.tokens))
}

// phantom marks beginnings of words in WordPiece's tokens, as GGUF does, in the place of its continuations.
func (v *vocabulary) phantom() {
	for i, t := range v.tokens {
		switch rest, continues := strings.CutPrefix(t, "##"); {
		case continues:
			v.tokens[i] = rest
		case v.kinds[i] == normalToken && !(strings.HasPrefix(t, "[") && strings.HasSuffix(t, "]")):
			v.tokens[i] = "\u2581" + t
		case t == "[UNK]":
			v.kinds[i] = unknownToken
		}
	}
}

// mergesOf are BPE's merges, which are pairs or texts with a blank between.
func mergesOf(model *fields) ([]string, error) {
	list, _ := model.o["merges"].([]any)
	out := make([]string, len(list))
	for i, m := range list {
		switch m := m.(type) {
		case string:
			out[i] = m
		case []any:
			if len(m) == 2 {
				a, okA := m[0].(string)
				b, okB := m[1].(string)
				if okA && okB {
					out[i] = a + " " + b
				}
			}
		}
		if !strings.Contains(out[i], " ") {
			return nil, limits.Refuse("model", "merge %d is no pair of texts", i)
		}
	}
	return out, nil
}

// preTokenizer is llama.cpp's name for how a tokenizer cuts text into words, of which it has those that it knows by name.
func preTokenizer(top *fields) (string, error) {
	var kinds []string
	digits := false
	var walk func(o object)
	walk = func(o object) {
		f := &fields{o: o}
		kind := f.text("type", "")
		if list, ok := o["pretokenizers"].([]any); ok && kind == "Sequence" {
			for _, p := range list {
				if o, ok := p.(object); ok {
					walk(o)
				}
			}
			return
		}
		if kind == "Split" {
			pattern := &fields{o: f.object("pattern")}
			kind += " " + pattern.text("Regex", "")
		}
		digits = digits || kind == "Digits" && f.truth("individual_digits", false)
		kinds = append(kinds, kind)
	}
	walk(top.object("pre_tokenizer"))
	switch {
	case slices.Equal(kinds, []string{"ByteLevel"}):
		return "gpt-2", nil
	case slices.Equal(kinds, []string{"Digits", "ByteLevel"}) && digits:
		return "smollm", nil
	case slices.Equal(kinds, []string{"Split " + llama3Words, "ByteLevel"}):
		return "llama-bpe", nil
	}
	return "", limits.Refuse("pre_tokenizer", "cuts words in a way that has no name here for llama.cpp: there are those of GPT-2, SmolLM and Llama 3")
}

// llama3Words is the expression that Llama 3 cuts text by.
const llama3Words = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// specialTokens are the numbers of those that have a part to play.
func (s *Source) specialTokens(v *vocabulary) map[string]uint32 {
	out := map[string]uint32{}
	at := func(name, text string) {
		if i := slices.Index(v.tokens, text); i >= 0 && text != "" {
			out[name] = uint32(i)
		}
	}
	if slices.Contains(v.tokens, "[CLS]") {
		at("cls_token_id", "[CLS]")
		at("bos_token_id", "[CLS]")
		at("seperator_token_id", "[SEP]") // as llama.cpp spells it
		at("eos_token_id", "[SEP]")
		at("mask_token_id", "[MASK]")
		at("padding_token_id", "[PAD]")
		at("unknown_token_id", "[UNK]")
		return out
	}
	if o, err := parseJSON(s.Files[ConfigName]); err == nil {
		f := &fields{o: o}
		for from, to := range map[string]string{"bos_token_id": "bos_token_id", "eos_token_id": "eos_token_id", "pad_token_id": "padding_token_id"} {
			if n, ok := f.o[from].(json.Number); ok {
				if i, err := n.Int64(); err == nil && i >= 0 && i < s.Config.VocabSize {
					out[to] = uint32(i)
				}
			}
		}
	}
	return out
}
