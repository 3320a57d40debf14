package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/safetensors"
	"graft/training/prosocial"
)

const biblePeople = "../training/prosocial/testdata/kjv_people.txt"

// toyBERT writes a BERT of a text's words in Hugging Face's layout.
func (w *workshop) toyBERT(name string) string {
	w.Helper()
	lines, err := readLines(biblePeople)
	if err != nil {
		w.Fatal(err)
	}
	words, err := prosocial.Gender()
	if err != nil {
		w.Fatal(err)
	}
	world, err := prosocial.NewTextWorld(lines, prosocial.TextConfig{Bias: 0.9, Words: words, Vocabulary: 800, Seed: 1})
	if err != nil {
		w.Fatal(err)
	}
	c := world.Config(1, 16, 2)
	n, err := prosocial.NewNetwork(c, net.FillMask, 1)
	if err != nil {
		w.Fatal(err)
	}
	config, err := json.Marshal(map[string]any{"model_type": "bert", "architectures": []string{"BertForMaskedLM"}, "vocab_size": c.VocabSize, "hidden_size": c.HiddenSize,
		"intermediate_size": c.IntermediateSize, "num_hidden_layers": c.NumHiddenLayers, "num_attention_heads": c.NumAttentionHeads, "max_position_embeddings": c.MaxPositionEmbeddings,
		"type_vocab_size": c.TypeVocabSize, "hidden_act": c.HiddenAct, "layer_norm_eps": c.NormEps, "pad_token_id": c.PadTokenID})
	if err != nil {
		w.Fatal(err)
	}
	if err := os.Mkdir(w.path(name), 0o755); err != nil {
		w.Fatal(err)
	}
	w.write(name+"/config.json", config)
	w.write(name+"/tokenizer.json", world.Tokenizer.JSON())
	var weights []*onnx.Tensor
	for key, t := range n.Weights {
		t.Name = key
		weights = append(weights, t)
	}
	slices.SortFunc(weights, func(a, b *onnx.Tensor) int { return strings.Compare(a.Name, b.Name) })
	var data bytes.Buffer
	if err := safetensors.Write(&data, weights, nil); err != nil {
		w.Fatal(err)
	}
	w.write(name+"/model.safetensors", data.Bytes())
	return w.path(name)
}

// TestDebiasedAnywhere converts small models, measures occupations, trains on counterfactual text, and finds the same answers in both
// layouts that they are written in.
func TestDebiasedAnywhere(t *testing.T) {
	w := newWorkshop(t)
	for _, c := range []struct{ name, model, tokenizer string }{
		{"tale", "testdata/aidreams260K.bin", tok512}, {"bert", w.toyBERT("toy"), w.path("toy") + "/tokenizer.json"},
	} {
		folder, out, other, back := w.path(c.name+"-onnx"), w.path(c.name+"-debiased"), w.path(c.name+"-safetensors"), w.path(c.name+"-back")
		w.must(c.model, "--tokenizer", c.tokenizer, "--out", folder)
		for layout, to := range map[string]string{toONNX: out, toHuggingFace: other} {
			var doc debiased
			w.says(&doc, "debias", folder, "--method", "cda", "--text", biblePeople, "--tokenizer", c.tokenizer, "--tokens", "800", "--batch", "8", "--rank", "0", "--rate", "0.002",
				"--held-out", "0", "--to", layout, "--out", to)
		}
		w.must(other, "--tokenizer", c.tokenizer, "--out", back)
		bias := func(model string) float64 {
			var doc biasDoc
			w.says(&doc, "bias", model, "--benchmark", "templates", "--limit", "6", "--tokenizer", c.tokenizer)
			return doc.Benchmarks[benchTemplates].Score
		}
		before, after, again := bias(folder), bias(out), bias(back)
		if after != again || before == after || !(after > 0) {
			t.Errorf("%s: bias %g, debiased %g, by way of safetensors %g", c.name, before, after, again)
		}
	}
}

// TestStudyOwn goes through the chain with a model, a text and a task of one's own.
func TestStudyOwn(t *testing.T) {
	w := newWorkshop(t)
	const sts, sst2 = "../training/dataset/text/testdata/sts-dev.csv", "../training/dataset/text/testdata/sst2.tsv"
	list := w.write("occupations.json", []byte(`[["doctor", 0, 0.5], ["nurse", 0, -0.9], ["baker", 0, 0.2], ["maid", 0, -0.3], ["king", 1, 1]]`))
	short := []string{"--counterfactual", "8", "--debias-steps", "2", "--tune-steps", "4", "--posterior-steps", "2", "--batch", "4", "--methods", "prosocial", "--top", "1", "--seeds", "1"}
	for _, c := range []struct {
		args   []string
		metric string
	}{
		{[]string{"--model", w.toyBERT("toy"), "--task", "sst2", "--data", sst2, "--test", sst2, "--occupations", list, "--samples", "5"}, "swap gap"},
		{[]string{"--model", "testdata/aidreams260K.bin", "--tokenizer", tok512, "--task", "sts", "--data", sts, "--test", sts, "--text", biblePeople, "--occupations", list, "--rank", "2"}, "bias-STS"},
		{[]string{"--text", biblePeople, "--layers", "1", "--width", "16", "--heads", "2", "--vocabulary", "500", "--pretrain-steps", "4"}, ""},
	} {
		var doc struct {
			Cells []struct {
				Tuned []prosocial.Tuned `json:"tuned"`
			} `json:"cells"`
			Summary prosocialSummary `json:"summary"`
		}
		out := w.path("study-" + c.metric)
		w.says(&doc, append(append([]string{"study", "prosocial", "--out", out}, c.args...), short...)...)
		if len(doc.Cells) != 1 || len(doc.Cells[0].Tuned) != 1 || doc.Summary.Bias["prosocial"] == nil {
			t.Fatalf("%v: %+v", c.args, doc)
		}
		found := c.metric == ""
		for _, n := range doc.Cells[0].Tuned[0].Numbers {
			found = found || n.Name == c.metric && n.Bias && n.Value == doc.Cells[0].Tuned[0].Gap
		}
		if !found {
			t.Errorf("%v: %+v", c.args, doc.Cells[0].Tuned[0])
		}
		if _, err := os.Stat(out + "/bound.svg"); (err == nil) != (c.metric == "swap gap") || err == nil && len(doc.Summary.Bounds) != 2 {
			t.Errorf("%v: %v, %+v", c.args, err, doc.Summary.Bounds)
		}
	}
	pickle := w.write("bios.pkl", []byte("\x80\x04\x95"))
	for want, args := range map[string][]string{
		"wants --task":            {"--model", "testdata/aidreams260K.bin"},
		"--task wants --data":     {"--model", "testdata/aidreams260K.bin", "--task", "sts"},
		"world has a task":        {"--task", "sts", "--data", sts, "--test", sts},
		"--model has one":         {"--model", "testdata/aidreams260K.bin", "--task", "sts", "--data", sts, "--test", sts, "--layers", "2"},
		"goes with --task nli":    {"--model", "testdata/aidreams260K.bin", "--task", "sts", "--data", sts, "--test", sts, "--pairs", sts},
		"of 10 samples":           {"--model", "testdata/aidreams260K.bin", "--tokenizer", tok512, "--task", "sts", "--data", sts, "--test", sts, "--samples", "11"},
		"--same-steps goes with":  {"--same-steps"},
		"goes with --model":       {"--words", list},
		"wants a number":          {"--text", biblePeople, "--test", sts},
		"is no number of samples": {"--samples", "many"},
	} {
		w.fails(exitUsage, want, append([]string{"study", "prosocial", "--out", w.path("none")}, args...)...)
	}
	for want, args := range map[string][]string{
		"JSON Lines":             {"--task", "biasbios", "--data", pickle, "--test", pickle},
		"wants sentence1":        {"--task", "nli", "--data", sst2, "--test", sst2},
		"no language model that": {"--model", sst2, "--task", "sts", "--data", sts, "--test", sts},
	} {
		if args[0] != "--model" {
			args = append(args, "--text", biblePeople)
		}
		w.fails(exitInput, want, append([]string{"study", "prosocial", "--out", w.path("none")}, args...)...)
	}
	if _, err := os.Stat(w.path("none")); err == nil {
		t.Error("a refused study has made its folder")
	}
}
