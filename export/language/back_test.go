package language

import (
	"bytes"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/gguf"
	"graft/onnx/tokenizer"
)

// written puts a layout into a folder.
func written(t *testing.T, l *Layout) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range l.Files {
		put(t, dir, name, data)
	}
	var b bytes.Buffer
	if err := l.Write(&b); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != l.Bytes {
		t.Errorf("%d bytes were said, %d are written", l.Bytes, b.Len())
	}
	put(t, dir, l.Name, b.Bytes())
	return dir
}

// sameModel wants two sources to be one model: the numbers of the configuration, and every weight.
func sameModel(t *testing.T, got, want *Source) {
	t.Helper()
	c, w := got.Config.Defaults(), want.Config.Defaults()
	if c.RopeScaling != nil && w.RopeScaling != nil {
		if *c.RopeScaling != *w.RopeScaling {
			t.Errorf("%+v, want %+v", c.RopeScaling, w.RopeScaling)
		}
		c.RopeScaling, w.RopeScaling = nil, nil
	}
	if !reflect.DeepEqual(c, w) {
		t.Errorf("%+v, want %+v", c, w)
	}
	a, b := initializers(t, got), initializers(t, want)
	if !slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
		t.Fatalf("%d tensors, want %d", len(a), len(b))
	}
	for name, x := range b {
		if !bytes.Equal(a[name].Data, x.Data) || !slices.Equal(a[name].Dims, x.Dims) {
			t.Errorf("%s differs", name)
		}
	}
}

func initializers(t *testing.T, s *Source) map[string]*onnx.Tensor {
	t.Helper()
	m, err := s.Model(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Initializers() {
		out[v.Name] = v.Const
	}
	return out
}

// TestBackToHuggingFace goes from a folder to a network on disk and back to a folder.
func TestBackToHuggingFace(t *testing.T) {
	for _, name := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join("testdata", name))
			m, err := s.Model(s.Options)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := m.Save(filepath.Join(dir, ModelName)); err != nil {
				t.Fatal(err)
			}
			put(t, dir, ConfigName, s.Files[ConfigName])
			network := open(t, dir)
			sameModel(t, network, s)
			l, err := network.HuggingFace()
			if err != nil {
				t.Fatal(err)
			}
			back := open(t, written(t, l))
			if s.Config.PrunedHeads == nil {
				sameModel(t, back, s)
				return
			}
			g, m := golden(t, name), model(t, back, back.Options) // heads that do nothing are in the place of those removed
			if d := far(t, run(t, session(t, m), feedsOf(m, g))["logits"], g["logits"], g["attention_mask"]); !(d < tolerance) {
				t.Errorf("%g apart", d)
			}
		})
	}
}

// TestGGUF goes to GGUF and back.
func TestGGUF(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "bert", "llama-rotary"} {
		t.Run(name, func(t *testing.T) {
			golden, scaled := strings.CutSuffix(name, "-rotary")
			s := open(t, filepath.Join("testdata", golden))
			if scaled {
				s.Config.RopeScaling = &net.RopeScaling{Type: "llama3", Factor: 8, LowFreq: 1, HighFreq: 4, Original: 8192}
				s.Config.RopeTheta = 1e8
			}
			if name == "bert" {
				s.Files["tokenizer.json"] = []byte(wordPiece)
			}
			l, err := s.GGUF(gguf.F32)
			if err != nil {
				t.Fatal(err)
			}
			dir := written(t, l)
			back, err := OpenGGUF(filepath.Join(dir, GGUFName))
			if err != nil {
				t.Fatal(err)
			}
			defer back.Close()
			if name == "bert" { // a pooler has no place there
				for _, kind := range []string{".weight", ".bias"} {
					delete(s.index, "pooler.dense"+kind)
				}
				s.entries = slices.DeleteFunc(s.entries, func(e entry) bool { return strings.HasPrefix(e.name, "pooler.") })
				s.index = map[string]int{}
				for i, e := range s.entries {
					s.index[e.name] = i
				}
			}
			back.Config.PadTokenID = s.Config.PadTokenID // it goes with a tokenizer
			sameModel(t, back, s)
		})
	}
	s := open(t, "testdata/llama-grouped") // a scaling that the file's factors do not tell, and biases
	l, err := s.GGUF(gguf.F16)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenGGUF(filepath.Join(written(t, l), GGUFName)); err == nil || !strings.Contains(err.Error(), "rope_freqs.weight") {
		t.Error(err)
	}
	for name, want := range map[string]string{"gpt2-classifier": "for text-generation alone", "distilbert": "GGUF has no distilbert", "gpt2-untied": "this one is another"} {
		if _, err := open(t, filepath.Join("testdata", name)).GGUF(gguf.F32); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

const wordPiece = `{"model": {"type": "WordPiece", "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "he": 4, "##llo": 5}},
	"added_tokens": [{"id": 0, "content": "[PAD]", "special": true}, {"id": 2, "content": "[CLS]", "special": true}]}`

const bpe = `{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [%s]}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
	{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel"}]}, "added_tokens": [{"id": 3, "content": "<s>", "special": true}, {"id": 4, "content": "x"}]}`

// TestTokenizer goes from tokenizer.json to GGUF and back.
func TestTokenizer(t *testing.T) {
	s := open(t, "testdata/llama")
	s.Files[tokenizerName] = []byte(strings.Replace(bpe, "%s", `"a b"`, 1))
	l, err := s.GGUF(gguf.F32)
	if err != nil {
		t.Fatal(err)
	}
	back, err := OpenGGUF(filepath.Join(written(t, l), GGUFName))
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	for _, from := range []*Source{s, back} {
		tok, err := tokenizer.Parse(from.Files[tokenizerName])
		if err != nil {
			t.Fatal(err, back.Notes)
		}
		if e, err := tok.Plain("abxba"); err != nil || !slices.Equal(e, []int64{2, 4, 1, 0}) {
			t.Errorf("%v, %v", e, err)
		}
	}
	for _, text := range []string{strings.Replace(bpe, "%s", "", 1), "["} { // more tokens than rows; a file that is not read goes along
		dir := copied(t, "llama")
		put(t, dir, tokenizerName, []byte(strings.Replace(text, `"id": 4`, `"id": 29`, 1)))
		if text != "[" {
			refused(t, dir, "tokenizer: has 30 tokens, the model 29")
		} else if s := open(t, dir); len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "tokenizer.json goes along unread") {
			t.Errorf("%q", s.Notes)
		}
	}
}

// TestVocabulary makes GGUF's metadata of tokenizers.
func TestVocabulary(t *testing.T) {
	s := open(t, "testdata/llama")
	values := func(text string) (map[string]any, error) {
		s.Files["tokenizer.json"] = []byte(text)
		keys, err := s.vocabularyKeys()
		out := map[string]any{}
		for _, k := range keys {
			out[strings.TrimPrefix(k.Name, "tokenizer.ggml.")] = k.Value
		}
		return out, err
	}
	s.Files[tokenizerConfigName] = []byte(`{"chat_template": "{{ x }}", "add_bos_token": true}`)
	for _, merges := range []string{`"a b"`, `["a", "b"]`} {
		got, err := values(strings.Replace(bpe, "%s", merges, 1))
		if err != nil {
			t.Fatal(err)
		}
		if got["model"] != "gpt2" || got["pre"] != "smollm" || !slices.Equal(got["merges"].([]string), []string{"a b"}) ||
			!slices.Equal(got["tokens"].([]string)[:6], []string{"a", "b", "ab", "<s>", "x", "[PAD5]"}) ||
			!slices.Equal(got["token_type"].([]int32)[:6], []int32{1, 1, 1, 3, 4, 5}) || got["bos_token_id"] != uint32(1) ||
			got["tokenizer.chat_template"] != "{{ x }}" || got["add_bos_token"] != true {
			t.Errorf("%v", got)
		}
	}
	got, err := values(wordPiece)
	if err != nil || !slices.Equal(got["tokens"].([]string)[:6], []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581he", "llo"}) ||
		!slices.Equal(got["token_type"].([]int32)[:3], []int32{3, 2, 3}) || got["cls_token_id"] != uint32(2) {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		`{"model": {"type": "Unigram"}}`: "there are BPE and WordPiece", `{"model": {"type": "BPE", "vocab": {"a": 29}}}`: `token "a" has the number "29", the model has 29`,
		`{"model": {"type": "BPE", "vocab": {"a": -1}}}`: "has the number", `{"model": {"type": "BPE"}, "pre_tokenizer": {"type": "Whitespace"}}`: "has no name here",
		strings.Replace(bpe, "%s", `"ab"`, 1): "merge 0 is no pair", `{"model": 7}`: "there are BPE", `{`: "ends too early",
	} {
		if _, err := values(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
