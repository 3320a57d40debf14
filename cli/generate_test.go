package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
	"graft/training/dataset"
)

// says runs a verb and reads its document.
func (w *workshop) says(doc any, args ...string) {
	w.Helper()
	var out, messages bytes.Buffer
	args = append([]string{"graft", args[0], "--json", "--ort-lib", runtimetest.Library(w)}, args[1:]...)
	if code := NewApp(strings.NewReader(""), &out, &messages).Run(w.Context(), args); code != 0 {
		w.Fatalf("%q: exit %d: %s", args, code, messages.String())
	}
	if err := json.Unmarshal(out.Bytes(), doc); err != nil {
		w.Fatal(err)
	}
}

// fails runs a verb that must end with a code and a message.
func (w *workshop) fails(code int, want string, args ...string) {
	w.Helper()
	var out, messages bytes.Buffer
	args = append([]string{"graft", args[0], "--ort-lib", runtimetest.Library(w)}, args[1:]...)
	if got := NewApp(strings.NewReader(""), &out, &messages).Run(w.Context(), args); got != code || !strings.Contains(messages.String(), want) {
		w.Errorf("%q: exit %d, want %d: %s, want %q in it", args[1:], got, code, messages.String(), want)
	}
}

const tok512 = "../onnx/tokenizer/testdata/tok512.bin"

// fairyTale is what transformers writes greedily behind the prompt with aidreams260K's weights: testdata/peers/generate.py.
var fairyTale = []int64{446, 280, 432, 458, 375, 431, 422, 314, 280, 323, 290, 431, 448, 429, 465, 438, 340, 431, 338, 353, 341, 431, 327, 446, 262, 429, 453, 435, 285, 361, 437, 431}

// TestGenerate has aidreams260K go on writing, with a cache and without.
func TestGenerate(t *testing.T) {
	w := newWorkshop(t)
	folder, plain := w.path("tale"), w.path("plain.onnx")
	w.must("testdata/aidreams260K.bin", "--out", folder)
	w.must(folder, "--task", "text-generation", "--out", plain)
	var cached, anew, drawn, again generated
	prompt := []string{"--tokenizer", tok512, "--prompt", "Once upon a time", "--max-tokens", fmt.Sprint(len(fairyTale))}
	w.says(&cached, append([]string{"generate", folder}, prompt...)...)
	w.says(&anew, append([]string{"generate", plain}, prompt...)...)
	if !cached.Cache || anew.Cache {
		t.Errorf("cache: %v, %v", cached.Cache, anew.Cache)
	}
	for _, doc := range []generated{cached, anew} {
		if one := doc.Texts[0]; !slices.Equal(one.Tokens, fairyTale) || len(one.Margin) != len(fairyTale) || one.Stop != "most" {
			t.Errorf("%v, want %v", one, fairyTale)
		}
	}
	if got := cached.Texts[0].Text; !strings.HasPrefix(got, ", pixels unfolding like petals.") {
		t.Errorf("%q", got)
	}
	free := append(slices.Clone(prompt), "--temperature", "1.5", "--seed", "3")
	w.says(&drawn, append([]string{"generate", folder}, free...)...)
	w.says(&again, append([]string{"generate", plain}, free...)...)
	if a, b := drawn.Texts[0].Tokens, again.Texts[0].Tokens; slices.Equal(a, fairyTale) || !slices.Equal(a, b) {
		t.Errorf("drawn: %v and %v", a, b)
	}
	var out, messages bytes.Buffer
	app := NewApp(strings.NewReader(""), &out, &messages)
	if code := app.Run(w.Context(), append([]string{"graft", "generate", "--ort-lib", runtimetest.Library(t), folder}, prompt...)); code != 0 {
		t.Fatal(messages.String())
	}
	if want := "Once upon a time" + cached.Texts[0].Text + "\n"; out.String() != want {
		t.Errorf("streamed %q, want %q", out.String(), want)
	}

	var same, other generated
	w.says(&same, slices.Concat([]string{"generate", folder, "--self-debias", "gender", "--self-debias-decay", "0"}, prompt)...)
	w.says(&other, slices.Concat([]string{"generate", folder, "--self-debias", "The following story has pixels in it:", "--self-debias-decay", "500"}, prompt)...)
	if !slices.Equal(same.Texts[0].Tokens, fairyTale) || slices.Equal(other.Texts[0].Tokens, fairyTale) || len(other.Debias) != 1 {
		t.Errorf("without decay %v, with it %v", same.Texts[0].Tokens, other.Texts[0].Tokens)
	}
	w.fails(2, "which is missing", "generate", folder, "--prompt", "x", "--self-debias-least", "0.1")
	w.fails(2, "--prompt is missing", "generate", folder)
	w.fails(2, "give --temperature", "generate", folder, "--prompt", "x", "--top-k", "3")
	w.fails(3, "--tokenizer names", "generate", folder, "--prompt", "x")
	w.fails(3, "is not UTF-8", "generate", folder, "--tokenizer", tok512, "--prompt", "a\xff")
	w.fails(3, "the model takes 128", "generate", folder, "--tokenizer", tok512, "--prompt", strings.Repeat("word ", 600))
	w.fails(3, "at most 1048576", "generate", folder, "--tokenizer", tok512, "--prompt", strings.Repeat("x", 1<<20+1))
	larger := w.write("vocab.txt", []byte("[UNK]\n"+numbered(512)))
	w.fails(3, "the tokenizer has 513 tokens, the model's embedding 512", "generate", folder, "--tokenizer", larger, "--prompt", "x")
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%d\n", i)
	}
	return b.String()
}

// smallBERT is the folder of a small BERT with a vocabulary of 29 words.
func (w *workshop) smallBERT(golden string) string {
	w.Helper()
	folder, out := w.languageFolder(golden), w.path(golden)
	w.write(filepath.Join("hf", "vocab.txt"), []byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"+numbered(24)))
	w.must(folder, "--out", out)
	return out
}

// hidden runs a model on one sequence.
func hidden(t *testing.T, folder, output string, ids ...int64) *onnx.Tensor {
	t.Helper()
	m, err := onnx.Load(filepath.Join(folder, "model.onnx"), onnx.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ones, n := make([]int64, len(ids)), int64(len(ids))
	for i := range ones {
		ones[i] = 1
	}
	out, err := runtimetest.Open(t, m, runtimetest.Options(t)).Run(context.Background(), map[string]*onnx.Tensor{
		"input_ids": onnx.FromSlice(ids, 1, n), "attention_mask": onnx.FromSlice(ones, 1, n), "token_type_ids": onnx.NewTensor(onnx.Int64, 1, n)})
	if err != nil {
		t.Fatal(err)
	}
	return out[output]
}

func TestFillMask(t *testing.T) {
	w := newWorkshop(t)
	folder := w.smallBERT("bert-mlm")
	var doc filled
	w.says(&doc, "fill-mask", folder, "w3 [MASK] w5 [MASK]", "[MASK]", "--top-k", "29")
	if len(doc.Texts) != 2 || len(doc.Texts[0].Masks) != 2 || len(doc.Texts[1].Masks) != 1 || doc.Texts[0].Masks[1].At != 4 {
		t.Fatalf("%+v", doc)
	}
	logits := hidden(t, folder, "logits", 2, 8, 4, 10, 4, 3).Float32s()[4*29:][:29]
	sum := 0.
	for _, v := range logits {
		sum += math.Exp(float64(v))
	}
	tokens := doc.Texts[0].Masks[1].Tokens
	for i, token := range tokens {
		if want := math.Exp(float64(logits[token.ID])) / sum; math.Abs(token.Score-want) > 1e-6 {
			t.Errorf("token %d: %v, want %v", token.ID, token.Score, want)
		}
		if i > 0 && token.Score > tokens[i-1].Score {
			t.Error("the tokens are not in order")
		}
		if token.ID >= 5 && (token.Token != fmt.Sprintf("w%d", token.ID-5) || token.Text != "w3 w5 "+token.Token) {
			t.Errorf("%+v", token)
		}
	}
	w.fails(2, "there is no text", "fill-mask", folder)
	w.fails(3, "has no [MASK]", "fill-mask", folder, "w3")
	w.fails(3, "the model takes 16", "fill-mask", folder, strings.Repeat("w3 ", 15)+"[MASK]")
	w.fails(3, "is not UTF-8", "fill-mask", folder, "\xff [MASK]")
}

func TestEmbed(t *testing.T) {
	w := newWorkshop(t)
	folder := w.smallBERT("bert")
	var mean, cls embeddings
	long := strings.Repeat("w7 ", 20)
	w.says(&mean, "embed", folder, "w3 w5 w1", long, "w3 w5 w1 w9")
	w.says(&cls, "embed", folder, "w3 w5 w1", "--pooling", "cls", "--raw")
	state := hidden(t, folder, "last_hidden_state", 2, 8, 10, 6, 3)
	v, width := state.Float32s(), int(state.Dims[2])
	pooled := make([]float64, width)
	for i, x := range v {
		pooled[i%width] += float64(x) / 5
	}
	for k := range width {
		if got := float64(mean.Texts[0].Embedding[k]); math.Abs(got-pooled[k]/length(pooled)) > 1e-6 {
			t.Errorf("mean %d: %v, want %v", k, got, pooled[k]/length(pooled))
		}
		if got := cls.Texts[0].Embedding[k]; math.Abs(float64(got-v[k])) > 1e-6 {
			t.Errorf("first %d: %v, want %v", k, got, v[k])
		}
	}
	if mean.Cut != 1 || mean.Limit != 16 || mean.Texts[1].Tokens != 16 || mean.Texts[1].CutTokens != 6 {
		t.Errorf("%+v", mean)
	}
	var said embeddings
	for _, in := range []string{"hf", "bert"} {
		if err := os.MkdirAll(w.path(filepath.Join(in, "1_Pooling")), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write(filepath.Join("hf", "1_Pooling", "config.json"), []byte(`{"word_embedding_dimension": 8, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}`))
	w.must(w.path("hf"), "--force", "--out", folder)
	if w.says(&said, "embed", folder, "w3 w5 w1", "--raw"); said.Pooling != "cls" || !slices.Equal(said.Texts[0].Embedding, cls.Texts[0].Embedding) {
		t.Errorf("pooled by %s", said.Pooling)
	}
	w.write(filepath.Join("bert", "1_Pooling", "config.json"), []byte(`{"pooling_mode": ["mean", "lasttoken"]}`))
	w.fails(3, "pools by", "embed", folder, "w3")
	w.says(&said, "embed", folder, "w3", "--pooling", "mean")
	var filed embeddings
	npy := w.path("v.npy")
	w.says(&filed, "embed", folder, "--pooling", "mean", "--file", w.write("lines.txt", []byte("w3 w5 w1\n\nw2\n")), "--out", npy)
	data, err := os.ReadFile(npy)
	if err != nil {
		t.Fatal(err)
	}
	x, err := dataset.ReadNpy(bytes.NewReader(data), int64(len(data)), "v.npy")
	if err != nil || !slices.Equal(x.Dims, []int64{2, int64(width)}) || !slices.Equal(x.Float32s()[:width], mean.Texts[0].Embedding) || filed.Texts[0].Embedding != nil {
		t.Errorf("%v, %v", x, err)
	}
	w.fails(2, "there is no text", "embed", folder)
	w.fails(3, "is not UTF-8", "embed", folder, "\xff")
}
