package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHeads scores the heads of a small BERT, and takes the highest out: masked, by gates and removed the model fills masks alike.
func TestHeads(t *testing.T) {
	w := newWorkshop(t)
	bert, heads := w.path("bert"), w.path("heads")
	if err := os.CopyFS(bert, os.DirFS("../export/language/testdata/bert-mlm")); err != nil {
		t.Fatal(err)
	}
	vocabulary := "[PAD] [UNK] [CLS] [SEP] [MASK] the said that he she was tired . driver nurse cashier janitor teacher cook went home because"
	if err := os.WriteFile(filepath.Join(bert, "vocab.txt"), []byte(strings.ReplaceAll(vocabulary, " ", "\n")+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	var doc, kept headsDoc
	w.says(&doc, "heads", bert, "--occupations", "8", "--templates", "2", "--out", heads)
	if len(doc.Heads) != 8 || len(doc.Scores) != 5 || doc.Prompts != 2*doc.Words || doc.Words < 3 || doc.Gradients.Gap > 0.05 || doc.TotalLog == nil || doc.Bias == nil {
		t.Errorf("%+v", doc)
	}
	for _, h := range doc.Heads {
		if len(h.Scores) != 5 {
			t.Errorf("%v has %v", h.Head, h.Scores)
		}
	}
	data, err := os.ReadFile(filepath.Join(heads, "heads.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &kept); err != nil {
		t.Fatal(err)
	}
	if len(kept.Heads) != len(doc.Heads) || kept.Heads[0].Scores["ig"] != doc.Heads[0].Scores["ig"] {
		t.Errorf("heads.json has %+v", kept)
	}
	for _, name := range []string{"log_nie.svg", "ig.svg", "report.html"} {
		if data, err := os.ReadFile(filepath.Join(heads, name)); err != nil || !strings.Contains(string(data), "<svg") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var texts []filledText
	var left []int64
	for i, args := range [][]string{{"head-mask"}, {"head-mask", "--gates"}, {"head-removal"}} {
		out := w.path("out" + args[0] + string(rune('0'+i)))
		var did struct {
			Report   headsReport       `json:"report"`
			Language convertedLanguage `json:"language"`
		}
		w.says(&did, append([]string{"debias", bert, "--method", args[0], "--heads-from", filepath.Join(heads, "heads.json"), "--top", "2", "--by", "ablation", "--out", out}, args[1:]...)...)
		if n := len(did.Report.Heads); n < 1 || did.Report.Left != 8-n || did.Report.After >= did.Report.Before {
			t.Errorf("%v: %+v", args, did.Report)
		}
		left = append(left, did.Language.Parameters)
		var told filled
		w.says(&told, "fill-mask", out, "the nurse said that [MASK] was tired .")
		texts = append(texts, told.Texts[0])
	}
	if left[2] >= left[0] {
		t.Errorf("parameters %v", left)
	}
	for _, other := range texts[1:] {
		for i, token := range texts[0].Masks[0].Tokens {
			if got := other.Masks[0].Tokens[i]; got.ID != token.ID || got.Score-token.Score > 1e-5 || token.Score-got.Score > 1e-5 {
				t.Errorf("%+v, masked %+v", got, token)
			}
		}
	}
	for want, args := range map[string][]string{
		"did you mean ablation":   {"heads", bert, "--scores", "ablaton"},
		"goes with --text":        {"heads", bert, "--scores", "widths"},
		"--heads or --heads-from": {"debias", bert, "--method", "head-mask", "--out", w.path("x")},
		"wants LAYER.HEAD":        {"debias", bert, "--method", "head-mask", "--heads", "3", "--out", w.path("x")},
		"are of --heads-from":     {"debias", bert, "--method", "head-mask", "--heads", "0.1", "--top", "2", "--out", w.path("x")},
		"has weights alone":       {"debias", bert, "--method", "head-mask", "--heads", "0.1", "--gates", "--to", "huggingface", "--out", w.path("x")},
		"no head 7.0 in 2 layers": {"debias", bert, "--method", "head-removal", "--heads", "7.0", "--out", w.path("x")},
		"no JSON with scores":     {"debias", bert, "--method", "head-removal", "--heads-from", filepath.Join(bert, "vocab.txt"), "--out", w.path("x")},
		"there are ablation":      {"debias", bert, "--method", "head-removal", "--heads-from", filepath.Join(heads, "heads.json"), "--by", "sigma", "--out", w.path("x")},
	} {
		code := exitUsage
		if slices.Contains([]string{"no head 7.0 in 2 layers", "no JSON with scores", "there are ablation"}, want) {
			code = exitInput
		}
		w.fails(code, want, args...)
	}
}
