package cli

import (
	"os"
	"strings"
	"testing"
)

// TestDebias has aidreams260K trained on counterfactual text: the folder holds a model that generates, perplexity is told, and a
// dry run foresees the steps.
func TestDebias(t *testing.T) {
	w := newWorkshop(t)
	folder, out, text := w.path("tale"), w.path("out"), w.path("text.txt")
	w.must("testdata/aidreams260K.bin", "--tokenizer", tok512, "--out", folder)
	line := "Once upon a time the king said that he was tired.\nThe girl saw a dog and a tree.\nA cloud went by.\n"
	var all strings.Builder
	for i := range 12 {
		all.WriteString(strings.ReplaceAll(line, "tree", strings.Repeat("tree ", i+1)))
		all.WriteString(strings.Repeat("very ", i+1) + line)
	}
	if err := os.WriteFile(text, []byte(all.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	args := []string{"debias", folder, "--method", "cda", "--text", text, "--tokenizer", tok512, "--tokens", "1500", "--batch", "4", "--rank", "2", "--rate", "0.01", "--held-out", "0.2", "--out", out}
	var foreseen, doc struct {
		Report tuningReport `json:"report"`
		Bytes  int64        `json:"bytes"`
		Method string       `json:"method"`
	}
	w.says(&foreseen, append(args, "--dry-run")...)
	w.says(&doc, args...)
	r := doc.Report
	if doc.Method != "cda" || r.Steps < 3 || r.Steps != foreseen.Report.Steps || r.Tokens != foreseen.Report.Tokens || r.Trained != foreseen.Report.Trained || r.Swapped.Swapped == 0 ||
		!(r.Last < r.First) || r.Before == nil || r.After == nil || r.After.Value == r.Before.Value || r.Rank != 2 {
		t.Errorf("%+v, foreseen %+v", doc, foreseen.Report)
	}
	var told generated
	w.says(&told, "generate", out, "--tokenizer", tok512, "--prompt", "Once upon a time", "--max-tokens", "4")
	if len(told.Texts[0].Tokens) != 4 {
		t.Errorf("%+v", told)
	}
	if _, err := os.Stat(out + "/checkpoint-tune"); err == nil {
		t.Error("the checkpoint is still there")
	}
	none := w.path("none.txt")
	if err := os.WriteFile(none, []byte("A cloud went by.\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--method is missing":       {"debias", folder, "--out", w.path("x")},
		"--text is missing":         {"debias", folder, "--method", "cda", "--out", w.path("x")},
		"has no use for it, cda":    {"debias", folder, "--method", "ear", "--text", text, "--words", text, "--out", w.path("x")},
		"--rank 0 trains without":   {"debias", folder, "--method", "cda", "--text", text, "--rank", "0", "--alpha", "3", "--out", w.path("x")},
		"--targets":                 {"debias", folder, "--method", "cda", "--text", text, "--targets", "(", "--out", w.path("x")},
		"--out is missing":          {"debias", folder, "--method", "cda", "--text", text},
		"unknown flag":              {"debias", folder, "--method", "cda", "--gguf-type", "f16"},
		"has a word to swap":        {"debias", folder, "--method", "cda", "--text", none, "--tokenizer", tok512, "--held-out", "0", "--out", w.path("x")},
		"is among its targets":      {"debias", folder, "--method", "cda", "--text", text, "--tokenizer", tok512, "--targets", "nothing", "--out", w.path("x")},
		"is no language model that": {"debias", text, "--method", "cda", "--text", text, "--out", w.path("x")},
	} {
		code := exitUsage
		switch want {
		case "has a word to swap", "is among its targets", "is no language model that":
			code = exitInput
		}
		w.fails(code, want, args...)
	}
}
