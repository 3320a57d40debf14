package cli

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

// TestDebiasProjection: the vectors of a written model are those of the one before without the direction that is in its file; a masked
// model has it in a weight, which Hugging Face's layout holds as well.
func TestDebiasProjection(t *testing.T) {
	w := newWorkshop(t)
	vocabulary := "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + strings.ReplaceAll("he she man woman boy girl a is the this that was here there tall old glad late tree river door book away often", " ", "\n") + "\n"
	folders := map[string]string{}
	for _, golden := range []string{"bert", "bert-mlm"} {
		hf := w.languageFolder(golden)
		w.write(filepath.Join("hf", "vocab.txt"), []byte(vocabulary))
		folders[golden] = w.path(golden)
		w.must(hf, "--out", folders[golden])
	}
	var lines strings.Builder
	for _, noun := range strings.Fields("he she man woman boy girl tree river door book") {
		for _, said := range []string{"is tall", "was old", "is glad here", "was late often", "is away", "was there"} {
			fmt.Fprintf(&lines, "the %s %s\nthat %s %s\n", noun, said, noun, said)
		}
	}
	text, words, out := w.write("text.txt", []byte(lines.String())), w.write("words.txt", []byte("he she\nman woman\nboy girl\n")), w.path("out")
	type document struct {
		Report projectionReport `json:"report"`
	}
	var doc, masked document
	w.says(&doc, "debias", folders["bert"], "--method", "sentence-debias", "--text", text, "--words", words, "--out", out)
	if r := doc.Report; r.Pairs != 72 || r.Neutral != 48 || r.Directions != 1 || r.Kept == "" || !(r.Share > 0.1 && r.Share < 1) || r.Before == 0 {
		t.Errorf("%+v", r)
	}
	m, err := onnx.Load(filepath.Join(out, "model.onnx"), onnx.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	u := m.Graph.Lookup("projection.directions").Const.Float32s()
	var before, after embeddings
	embed := []string{"the man is tall", "that tree was old", "he", "--raw"}
	w.says(&before, append([]string{"embed", folders["bert"]}, embed...)...)
	w.says(&after, append([]string{"embed", out}, embed...)...)
	for i := range before.Texts {
		x, y := before.Texts[i].Embedding, after.Texts[i].Embedding
		dot, left, size := 0., 0., 0.
		for k := range x {
			dot += float64(x[k]) * float64(u[k])
			left += float64(y[k]) * float64(u[k])
			size += float64(y[k]) * float64(y[k])
		}
		if math.Abs(left)/math.Sqrt(size) > 1e-6 {
			t.Errorf("text %d: %g is left of the direction", i, left/math.Sqrt(size))
		}
		for k := range x {
			if want := float64(x[k]) - dot*float64(u[k]); math.Abs(float64(y[k])-want) > 1e-6 {
				t.Errorf("text %d, number %d: %v, want %v", i, k, y[k], want)
			}
		}
	}
	w.fails(exitInput, "has a projection behind its last hidden state", "convert", out, "--out", w.path("x"))
	w.fails(exitUsage, "which weights alone do not hold", "debias", folders["bert"], "--method", "sentence-debias", "--text", text, "--words", words, "--to", "huggingface", "--out", w.path("x"))

	back := w.path("back")
	w.says(&masked, "debias", folders["bert-mlm"], "--method", "inlp", "--rounds", "2", "--text", text, "--words", words, "--to", "huggingface", "--out", back)
	if r := masked.Report; r.Kept != "" || !slices.Equal(r.Weights, []string{"cls.predictions.transform.dense.weight"}) || r.Directions < 1 || len(r.Rounds) > 2 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(filepath.Join(back, "model.safetensors")); err != nil {
		t.Error(err)
	}
	w.fails(exitInput, "has words of one group alone", "debias", folders["bert"], "--method", "inlp", "--text", w.write("none.txt", []byte("a tree\n")), "--out", w.path("x"))
}
