package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/safetensors"
	"graft/runtime/runtimetest"
)

// languageFolder is a small model of a folder's layout, and what goes along.
func (w *workshop) languageFolder(golden string) string {
	w.Helper()
	folder := w.path("hf")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		w.Fatal(err)
	}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join("..", "export", "language", "testdata", golden, name))
		if err != nil {
			w.Fatal(err)
		}
		w.write(filepath.Join("hf", name), data)
	}
	w.write(filepath.Join("hf", "vocab.txt"), []byte("[PAD]\n"))
	return folder
}

// document is what graft convert --json says.
func (w *workshop) document(args ...string) (doc convertedFile) {
	w.Helper()
	var out, messages bytes.Buffer
	if code := NewApp(strings.NewReader(""), &out, &messages).Run(w.Context(), append([]string{"graft", "convert", "--json"}, args...)); code != 0 {
		w.Fatalf("convert %q: exit %d: %s", args, code, messages.String())
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		w.Fatal(err)
	}
	return doc
}

func (w *workshop) list(folder string) string {
	w.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		w.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestConvertLanguage goes through all forms of a language model.
func TestConvertLanguage(t *testing.T) {
	w := newWorkshop(t)
	hf, optimum, back := w.languageFolder("llama"), w.path("optimum"), w.path("back")
	doc := w.document(hf, "--out", optimum, "--dry-run")
	if _, err := os.Stat(optimum); err == nil {
		t.Error("--dry-run wrote a folder")
	}
	done := w.document(hf, "--out", optimum)
	if l := done.Language; l.ModelType != "llama" || l.Task != "text-generation-with-past" || l.Parameters != 1360 || doc.Bytes != done.Bytes {
		t.Errorf("%+v, %d bytes, %d by --dry-run", l, done.Bytes, doc.Bytes)
	}
	if got := w.list(optimum); got != "config.json manifest.json model.onnx vocab.txt" {
		t.Error(got)
	}
	w.must(optimum, "--to", "huggingface", "--out", back)
	if got := w.list(back); got != "config.json manifest.json model.safetensors vocab.txt" {
		t.Error(got)
	}
	a, b := w.path("a.gguf"), w.path("b.gguf")
	w.must(hf, "--out", a)
	w.must(back, "--out", b)
	if !bytes.Equal(w.read(a), w.read(b)) {
		t.Error("the GGUF files of a folder and of what came of it by way of ONNX differ")
	}
	w.must(a, "--out", w.path("again"))
	w.must(hf, "--task", "text-generation", "--out", w.path("plain.onnx"))
	m, err := onnx.Load(w.path("plain.onnx"), onnx.LoadOptions{})
	if err != nil || len(m.Graph.Inputs()) != 3 {
		t.Fatalf("%v, wants inputs without a cache", err)
	}
	w.must(a, "--out", w.path("file.onnx"))
	w.must("testdata/aidreams260K.bin", "--task", "text-generation", "--out", w.path("tale.onnx"))
	for file, inputs := range map[string]int{"file.onnx": 7, "tale.onnx": 3} {
		if m, err := onnx.Load(w.path(file), onnx.LoadOptions{}); err != nil || len(m.Graph.Inputs()) != inputs {
			t.Errorf("%s: %v, wants %d inputs", file, err, inputs)
		}
	}
	w.must(hf, "--out", optimum) // graft's own folder is replaced
	w.must(w.path("again"), "--to", "huggingface", "--out", back)
	want, got := w.named(filepath.Join(hf, "model.safetensors")), w.named(filepath.Join(back, "model.safetensors"))
	if len(got) != len(want) {
		t.Fatalf("%d tensors, want %d", len(got), len(want))
	}
	for name, x := range want {
		values, _ := x.Reals()
		for i, v := range got[name].Float32s() {
			if float64(v) != values[i] {
				t.Fatalf("%s differs", name)
			}
		}
	}
}

// TestConvertVariants writes smaller networks beside a model, each of which ONNX Runtime runs.
func TestConvertVariants(t *testing.T) {
	w := newWorkshop(t)
	out := w.path("out")
	doc := w.document(w.languageFolder("distilbert-mlm"), "--variants", "int8,fp16,int8", "--out", out)
	if got := w.list(filepath.Join(out, "onnx")); got != "model_fp16.onnx model_int8.onnx" {
		t.Error(got)
	}
	if n := len(doc.Language.Files); n != 6 {
		t.Errorf("%q", doc.Language.Files)
	}
	for _, name := range []string{"fp16", "int8"} {
		m, err := onnx.Load(filepath.Join(out, "onnx", "model_"+name+".onnx"), onnx.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		s := runtimetest.Open(t, m, runtimetest.Options(t))
		ids := onnx.FromSlice([]int64{2, 5, 7, 3}, 1, 4)
		y, err := s.Run(t.Context(), map[string]*onnx.Tensor{"input_ids": ids, "attention_mask": onnx.FromSlice([]int64{1, 1, 1, 1}, 1, 4)})
		if err != nil || !slices.Equal(y["logits"].Dims, []int64{1, 4, 29}) {
			t.Errorf("%s: %v, %v", name, y, err)
		}
		s.Close()
	}
	for _, name := range []string{"q8", "q4"} {
		w.refuses(3, "less than a block", w.path("hf"), "--variants", name, "--out="+w.path("none"))
	}
	w.refuses(2, "there are fp16, int8, q4, q8", w.path("hf"), "--variants", "int3", "--out="+w.path("none"))
}

func (w *workshop) read(path string) []byte {
	w.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	return data
}

func (w *workshop) named(path string) map[string]*onnx.Tensor {
	w.Helper()
	list, _, err := safetensors.ReadFile(path)
	if err != nil {
		w.Fatal(err)
	}
	out := map[string]*onnx.Tensor{}
	for _, t := range list {
		out[t.Name] = t
	}
	return out
}

func TestConvertLanguageRefuses(t *testing.T) {
	w := newWorkshop(t)
	hf, out := w.languageFolder("bert"), w.path("out")
	refuses := func(code int, want string, args ...string) {
		t.Helper()
		w.refuses(code, want, append(args, "--out="+out)...)
	}
	refuses(2, "bert has no task text-generation: there are feature-extraction, fill-mask, text-classification", hf, "--task", "text-generation")
	refuses(3, `tensors: 5 missing: "cls.predictions.transform.dense.weight"`, hf, "--task", "fill-mask")
	refuses(2, "--opset", hf, "--opset", "17", "--to", "huggingface")
	w.refuses(3, "this one has gelu_new", w.languageFolder("bert-mlm"), "--task", "feature-extraction", "--out="+w.path("x.gguf"))
	refuses(2, "--task wants a language model", w.write("m.npz", nil), "--task", "fill-mask")
	w.write(filepath.Join("hf", "config.json"), []byte(`{"model_type": "mamba"}`))
	refuses(3, `unknown model_type "mamba": there are bert, distilbert, gpt2, llama, roberta`, hf)
	empty := w.path("empty")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	refuses(3, "has no config.json", empty)
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(filepath.Join("out", "mine"), nil)
	if code, messages := w.convert(w.languageFolder("bert"), "--out", out); code != 4 || !strings.Contains(messages, "--force") {
		t.Errorf("another's folder is replaced: exit %d: %s", code, messages)
	}
}
