package tokenizer

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// golden is a line of goldens.jsonl.gz.
type golden struct {
	Name      string
	Tokenizer json.RawMessage
	Cases     []peerCase
	Pairs     []pairCase
}

type pairCase struct {
	a, b       string
	most       int
	ids, types []int64
	special    []int
}

func (c *pairCase) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &[]any{&c.a, &c.b, &c.most, &c.ids, &c.types, &c.special})
}

func goldens(t testing.TB) map[string]golden {
	f, err := os.Open("testdata/goldens.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]golden{}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		all[g.Name] = g
	}
	if len(all) < 13 || lines.Err() != nil {
		t.Fatal(len(all), lines.Err())
	}
	return all
}

func llama2c(t testing.TB) *Tokenizer {
	b, err := os.ReadFile("testdata/tok512.bin")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := FromLlama2C(b, 512)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestGoldens: text as ids and back as Hugging Face tokenizers has it, for every kind of tokenizer.
func TestGoldens(t *testing.T) {
	for name, g := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			tok := llama2c(t)
			if name != "llama2c" {
				var err error
				if tok, err = Parse(g.Tokenizer); err != nil {
					t.Fatal(err)
				}
			}
			compareCases(t, tok, g.Cases)
			for _, c := range g.Pairs {
				e, err := tok.EncodePair(c.a, c.b, c.most)
				if err != nil {
					t.Fatal(err)
				}
				special := make([]int, len(e.Special))
				for i, s := range e.Special {
					if s {
						special[i] = 1
					}
				}
				if !slices.Equal(e.IDs, c.ids) || !slices.Equal(e.TypeIDs, c.types) || !slices.Equal(special, c.special) {
					t.Errorf("%q and %q in %d: %v %v %v, want %v %v %v", c.a, c.b, c.most, e.IDs, e.TypeIDs, special, c.ids, c.types, c.special)
				}
			}
		})
	}
}

// TestJSONAgain: what is written is read as the same tokenizer.
func TestJSONAgain(t *testing.T) {
	tok := llama2c(t)
	again, err := Parse(tok.JSON())
	if err != nil {
		t.Fatal(err)
	}
	compareCases(t, again, goldens(t)["llama2c"].Cases)
	if tok.Roles != again.Roles || tok.Roles.Begin != 1 || tok.Roles.End != 2 || tok.Size() != 512 {
		t.Error(tok.Roles, again.Roles, tok.Size())
	}
}

// parsed reads the vocabulary and merges of a golden.
func parsed(t *testing.T, name string) (*content, []peerCase) {
	g := goldens(t)[name]
	c, err := parse(g.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	return c, g.Cases
}

// TestVocabularies: vocab.txt, vocab.json with merges.txt and GGUF give the tokenizer that a tokenizer.json with the same vocabulary is.
func TestVocabularies(t *testing.T) {
	t.Run("vocab.txt", func(t *testing.T) {
		for _, name := range []string{"cased", "uncased"} {
			c, cases := parsed(t, name)
			var text strings.Builder
			for _, w := range c.sorted() {
				text.WriteString(w.text + "\n")
			}
			tok, err := FromWordPiece([]byte(text.String()), name == "uncased")
			if err != nil {
				t.Fatal(err)
			}
			for i := range cases { // their decoders differ for cased text
				if name == "cased" {
					cases[i].decoded, cases[i].whole = tok.Decode(cases[i].ids, true), tok.Decode(cases[i].ids, false)
				}
			}
			compareCases(t, tok, cases)
			if r := tok.Roles; r.Class != 2 || r.Separator != 3 || r.Mask != 4 || r.Pad != 0 || r.Unknown != 1 || r.Begin != -1 {
				t.Error(r)
			}
		}
	})
	t.Run("vocab.json", func(t *testing.T) {
		c, cases := parsed(t, "roberta")
		words, err := idList(c.sorted()).MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		merges := "#version: 0.2\n"
		for _, m := range c.merges {
			merges += m[0] + " " + m[1] + "\n"
		}
		tok, err := FromVocabulary(words, []byte(merges), true)
		if err != nil {
			t.Fatal(err)
		}
		compareCases(t, tok, cases)
	})
	t.Run("GGUF", func(t *testing.T) {
		for name, pre := range map[string]string{"llama3": "llama-bpe", "qwen2": "qwen2", "o200k": "gpt-4o"} {
			c, cases := parsed(t, name)
			m := metadata{"model": "gpt2", "pre": pre, "add_bos_token": false, "bos_token_id": uint32(0), "eos_token_id": uint32(0)}
			var tokens, merges []string
			var kinds []int32
			for _, w := range c.sorted() {
				tokens = append(tokens, w.text)
				kinds = append(kinds, 1)
			}
			kinds[0] = 3
			for _, w := range c.merges {
				merges = append(merges, w[0]+" "+w[1])
			}
			m["tokens"], m["merges"], m["token_type"] = tokens, merges, kinds
			tok, err := FromGGUF(m)
			if err != nil {
				t.Fatal(err)
			}
			compareCases(t, tok, cases)
			if tok.Roles.Begin != 0 || tok.Roles.Mask != -1 {
				t.Error(tok.Roles)
			}
		}
	})
	t.Run("GGUF llama", func(t *testing.T) {
		tok := llama2c(t)
		c, err := parse(tok.JSON())
		if err != nil {
			t.Fatal(err)
		}
		m := metadata{"model": "llama", "bos_token_id": uint32(1), "eos_token_id": uint32(2), "unknown_token_id": uint32(0), "padding_token_id": uint32(1<<32 - 1)}
		var tokens []string
		var scores []float32
		var kinds []int32
		for i, w := range c.sorted() {
			tokens, scores, kinds = append(tokens, w.text), append(scores, -float32(max(i-259, 0))), append(kinds, 1)
			switch {
			case i == 0:
				kinds[i] = 2
			case i < 3:
				kinds[i] = 3
			case i < 259:
				kinds[i] = 6
			}
		}
		m["tokens"], m["scores"], m["token_type"] = tokens, scores, kinds
		again, err := FromGGUF(m)
		if err != nil {
			t.Fatal(err)
		}
		compareCases(t, again, goldens(t)["llama2c"].Cases)
		if string(again.JSON()) != string(tok.JSON()) {
			t.Error("GGUF and llama2.c make two tokenizers of one vocabulary")
		}
	})
	t.Run("GGUF bert", func(t *testing.T) {
		c, cases := parsed(t, "uncased")
		m := metadata{"model": "bert", "cls_token_id": uint32(2), "seperator_token_id": uint32(3)}
		var tokens []string
		for _, w := range c.sorted() {
			text, inside := strings.CutPrefix(w.text, "##")
			if !inside && w.id > 4 {
				text = "▁" + text
			}
			tokens = append(tokens, text)
		}
		m["tokens"] = tokens
		tok, err := FromGGUF(m)
		if err != nil {
			t.Fatal(err)
		}
		compareCases(t, tok, cases)
	})
}

type metadata map[string]any

func (m metadata) Value(key string) (any, bool) {
	v, ok := m[strings.TrimPrefix(key, ggml)]
	return v, ok
}
