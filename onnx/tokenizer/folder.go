package tokenizer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"graft/onnx/limits"
)

const (
	jsonFile   = "tokenizer.json"
	configFile = "tokenizer_config.json"
	mapFile    = "special_tokens_map.json"
)

// Open reads a folder of Hugging Face's layout, that is tokenizer.json, or vocab.json and merges.txt, or vocab.txt, with what
// tokenizer_config.json and special_tokens_map.json say of special tokens; or one of these files alone. A tokenizer.json is JSON, a
// vocab.txt is not. Refused input is a *limits.InputError.
func Open(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return openFile(path, config{lower: true})
	}
	c, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	var t *Tokenizer
	for _, name := range []string{jsonFile, "vocab.json", "vocab.txt"} {
		if t, err = openFile(filepath.Join(path, name), c); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		e := limits.Refuse("", "holds no tokenizer.json, no vocab.json with merges.txt and no vocab.txt")
		if _, err := os.Stat(filepath.Join(path, "tokenizer.model")); err == nil {
			e = e.WithHint("tokenizer.model alone is not read: AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes a tokenizer.json")
		}
		return nil, limits.InFile(path, e)
	}
	if err != nil {
		return nil, err
	}
	for i, row := range roleNames {
		if text := c.roles[i]; text != "" {
			if id, ok := t.ids[text]; ok {
				*row.of(&t.Roles) = id
			}
		}
	}
	if c.longest > 0 {
		t.Longest = c.longest
	}
	return t, nil
}

func openFile(path string, c config) (*Tokenizer, error) {
	b, err := readFile(path, maxFile)
	if err != nil {
		return nil, err
	}
	var t *Tokenizer
	switch base := filepath.Base(path); {
	case base == "vocab.json":
		merges, e := readFile(filepath.Join(filepath.Dir(path), "merges.txt"), maxFile)
		if e != nil {
			return nil, e
		}
		t, err = FromVocabulary(b, merges, c.prefix)
	case strings.HasSuffix(base, ".txt"):
		t, err = FromWordPiece(b, c.lower)
	default:
		t, err = Parse(b)
	}
	return t, limits.InFile(path, err)
}

func readFile(path string, most int64) ([]byte, error) {
	f, size, err := limits.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > most {
		return nil, limits.InFile(path, limits.Refuse("", "%d bytes, at most %d", size, most))
	}
	b := make([]byte, size)
	return b, limits.InFile(path, limits.ReadAt(f, b, 0, "text"))
}

// config is what the files beside a vocabulary say.
type config struct {
	lower, prefix bool
	longest       int
	roles         [7]string // in the order of roleNames
}

const maxConfig = 16 << 20 // bytes

func readConfig(folder string) (config, error) {
	c := config{lower: true}
	for _, name := range []string{mapFile, configFile} {
		path := filepath.Join(folder, name)
		b, err := readFile(path, maxConfig)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return c, err
		}
		o, err := newJSON(b).object()
		if err != nil {
			return c, limits.InFile(path, err)
		}
		if v, ok := o.get("do_lower_case"); ok {
			c.lower = v == true
		}
		if v, ok := o.get("add_prefix_space"); ok {
			c.prefix = v == true
		}
		if v, _ := o.get("model_max_length"); v != nil {
			if n, ok := v.(float64); ok && n >= 1 && n < 1<<24 { // 10^30 is written where there is no limit
				c.longest = int(n)
			}
		}
		for i, row := range roleNames {
			v, _ := o.get(row.name)
			if inner, ok := v.(*object); ok {
				v, _ = inner.get("content")
			}
			if text, ok := v.(string); ok {
				c.roles[i] = text
			}
		}
	}
	return c, nil
}

// FromWordPiece reads a vocab.txt: a token a line, with BERT's rules around it.
func FromWordPiece(b []byte, lower bool) (*Tokenizer, error) {
	if !utf8.Valid(b) {
		return nil, limits.Refuse("", "is not UTF-8")
	}
	var words []word
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if len(words) == maxTokens {
			return nil, limits.Refuse("", "more than %d lines", maxTokens)
		}
		words = append(words, word{text: line, id: int32(len(words))})
	}
	return bertSource(words, lower).tokenizer()
}

// FromVocabulary reads vocab.json and merges.txt of a byte-level BPE, GPT-2's or RoBERTa's; prefix puts a space in front of a text.
func FromVocabulary(vocabulary, merges []byte, prefix bool) (*Tokenizer, error) {
	j := newJSON(vocabulary)
	var words []word
	ids := map[string]int64{}
	if err := j.members(func(text string) error {
		id, err := j.integer()
		words = append(words, word{text: text, id: id})
		ids[text] = int64(id)
		if len(words) > maxTokens {
			return limits.Refuse("vocabulary", "more than %d tokens", maxTokens)
		}
		return err
	}); err != nil {
		return nil, err
	}
	if j.next(); j.pos < len(vocabulary) {
		return nil, j.fail("more behind the end")
	}
	if !utf8.Valid(merges) {
		return nil, limits.Refuse("merges", "is not UTF-8")
	}
	var pairs [][2]string
	n := 0
	for line := range strings.Lines(string(merges)) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if line == "" || n == 1 && strings.HasPrefix(line, "#version") {
			continue
		}
		m, ok := cutMerge(line)
		if !ok {
			return nil, limits.Refuse("merges", "line %d is not two tokens with a space between them", n)
		}
		if len(pairs) == maxMerges {
			return nil, limits.Refuse("merges", "more than %d", maxMerges)
		}
		pairs = append(pairs, m)
	}
	s := byteLevelSource(words, pairs, byteLevelPart(prefix, true), false)
	special := func(text string, left bool) (a Added, ok bool) {
		id, ok := ids[text]
		if a = (Added{ID: id, Text: text, Special: true, left: left}); ok {
			s.added = append(s.added, a)
		}
		return a, ok
	}
	begin, isRoberta := special("<s>", false)
	end, _ := special("</s>", false)
	for _, text := range []string{"<pad>", "<unk>", "<|endoftext|>"} {
		special(text, false)
	}
	if _, ok := special("<mask>", true); ok && isRoberta {
		s.post = typed("RobertaProcessing", member{"sep", []any{end.Text, end.ID}}, member{"cls", []any{begin.Text, begin.ID}}, member{"trim_offsets", true}, member{"add_prefix_space", prefix})
	}
	return s.tokenizer()
}
