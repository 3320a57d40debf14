package language

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/gguf"
)

// removed are goldens without some of their heads.
var removed = map[string]map[int64][]int64{
	"bert-mlm": {0: {1, 2}, 1: {0, 1, 2, 3}}, "roberta-mlm": {0: {1}}, "distilbert-mlm": {0: {0, 1}, 1: {0}}, "gpt2": {0: {0, 1}, 1: {1}},
	"llama-grouped": {0: {0, 1}, 1: {2}}, "llama": {0: {0, 1}, 1: {1}},
}

// TestRemovedHeads writes networks without heads as graft has them, reads them, and writes them as Hugging Face and llama.cpp have
// them, where the heads are there and do nothing: all give what closed gates do.
func TestRemovedHeads(t *testing.T) {
	for name, gone := range removed {
		t.Run(name, func(t *testing.T) {
			s := open(t, filepath.Join("testdata", name))
			g := golden(t, name)
			o := s.Options
			o.Gates, o.Closed = net.GatesFixed, gone
			closed := model(t, s, o)
			want := run(t, session(t, closed), feedsOf(closed, g))["logits"]
			same := func(what string, m *onnx.Model) {
				t.Helper()
				if d := far(t, run(t, session(t, m), feedsOf(m, g))["logits"], want, g["attention_mask"]); !(d < tolerance) {
					t.Errorf("%s: %g apart", what, d)
				}
			}
			_, found, err := s.find(s.Options)
			if err != nil {
				t.Fatal(err)
			}
			c := s.Config.Without(gone)
			small, err := c.Build(s.Options, c.Reheaded(s.Config, func(name string) (*onnx.Tensor, error) { return found[name].float32s() }))
			if err != nil {
				t.Fatal(err)
			}
			same("built", small)
			config, err := encodeConfig(c, s.Options.Task, nil)
			if err != nil {
				t.Fatal(err)
			}
			for what, m := range map[string]*onnx.Model{"removed": small, "closed": closed} {
				dir := t.TempDir()
				if err := m.Save(filepath.Join(dir, ModelName)); err != nil {
					t.Fatal(err)
				}
				put(t, dir, ConfigName, s.Files[ConfigName])
				if what == "removed" {
					put(t, dir, ConfigName, config)
				}
				back := open(t, dir)
				if what == "closed" && len(back.Notes) != len(gone) {
					t.Errorf("notes %q", back.Notes)
				}
				same("read again, "+what, model(t, back, back.Options))
				l, err := back.HuggingFace()
				if err != nil {
					t.Fatal(err)
				}
				whole := open(t, written(t, l))
				if whole.Config.PrunedHeads != nil {
					t.Error("Hugging Face's form has lost heads")
				}
				same("Hugging Face's, "+what, model(t, whole, whole.Options))
				if name != "gpt2" && name != "llama" {
					continue
				}
				if l, err = back.GGUF(gguf.F32); err != nil {
					t.Fatal(err)
				}
				file, err := OpenGGUF(filepath.Join(written(t, l), GGUFName))
				if err != nil {
					t.Fatal(err)
				}
				same("GGUF, "+what, model(t, file, file.Options))
				file.Close()
			}
		})
	}
}

func model(t *testing.T, s *Source, o net.Options) *onnx.Model {
	t.Helper()
	m, err := s.Model(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRefusedHeads: heads that are gone and never were are named, and so are gates of another number.
func TestRefusedHeads(t *testing.T) {
	for heads, want := range map[string]string{
		`{"5": [0]}`: "pruned_heads of layer 5: there are 2 layers", `{"0": [4]}`: "head 4 of 4", `{"0": [1, 1]}`: "head 1 of 4, each once", `{"x": [1]}`: "by the numbers of layers, has \"x\"",
		`{"0": 1}`: "wants lists of heads", `{"0": ["a"]}`: "wants a whole number", `[]`: "pruned_heads: wants an object", `{"0": [0, 1, 2, 3, 0]}`: "5 of 4 heads",
	} {
		refused(t, changed(t, "bert-mlm", map[string]string{prunedKey: heads}), want)
	}
	if s := open(t, changed(t, "bert-mlm", map[string]string{prunedKey: `{"0": []}`})); s.Config.PrunedHeads != nil {
		t.Errorf("%v", s.Config.PrunedHeads)
	}
	refused(t, changed(t, "bert-mlm", map[string]string{prunedKey: `{"0": [0]}`}), `attention.self.query.weight" is [8 8], wants [6 8]`)
	s := open(t, "testdata/bert-mlm")
	m := model(t, s, net.Options{Task: net.FillMask, Gates: net.GatesFixed})
	for _, v := range m.Graph.Initializers() {
		if v.Name == "head_gates.1" {
			*v.Const = *onnx.FromSlice([]float32{1, float32(math.NaN())}, 1, 2, 1, 1)
			v.Type = v.Const.Type()
		}
	}
	for _, n := range m.Graph.Nodes() {
		if slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return v != nil && strings.HasPrefix(v.Name, "head_gates.1") }) {
			n.Output(0).Type = onnx.TensorType{}
		}
	}
	dir := t.TempDir()
	if err := m.Save(filepath.Join(dir, ModelName)); err != nil {
		t.Fatal(err)
	}
	put(t, dir, ConfigName, s.Files[ConfigName])
	refused(t, dir, "head_gates: of layer 1 are float [1 2 1 1], it has 4 heads")
}
