package session_test

import (
	"context"
	"math"
	"testing"

	"graft/graphs/language"
	"graft/onnx"
	"graft/runtime/runtimetest"
	"graft/training/metric/bias"
	"graft/training/metric/bias/session"
)

// TestArchitectures has networks of graphs/language answer as they do one sequence at a time, from few rows of the last layer.
func TestArchitectures(t *testing.T) {
	small := language.Config{VocabSize: 99, HiddenSize: 16, IntermediateSize: 24, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKeyValueHeads: 2,
		MaxPositionEmbeddings: 24, TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-5, PadTokenID: 0, TieWordEmbeddings: true}
	for kind, task := range map[string]string{"bert": language.FillMask, "roberta": language.FillMask, "distilbert": language.FillMask,
		"gpt2": language.TextGeneration, "llama": language.TextGeneration} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := small
			if c.ModelType = kind; kind == "llama" {
				c.HiddenAct = "silu"
			} else {
				c.NumKeyValueHeads = 0
			}
			c = c.Defaults()
			build := func(cache bool) *onnx.Model {
				m, err := c.Build(language.Options{Task: task, Cache: cache}, language.Fresh(3, 0.4))
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			plain := runtimetest.Open(t, build(false), runtimetest.Options(t))
			scores := func(ids []int64) []float32 {
				feeds := map[string]*onnx.Tensor{}
				for _, p := range plain.Inputs() {
					values := make([]int64, len(ids))
					for i := range values {
						values[i] = map[string]int64{"input_ids": ids[i], "attention_mask": 1, "position_ids": int64(i)}[p.Name]
					}
					feeds[p.Name] = onnx.FromSlice(values, 1, int64(len(ids)))
				}
				out, err := plain.Run(context.Background(), feeds, "logits")
				if err != nil {
					t.Fatal(err)
				}
				return out["logits"].Float32s()
			}
			s := open(t, build(language.Decoder(kind)))
			if s.Vocabulary() != 99 {
				t.Errorf("a vocabulary of %d", s.Vocabulary())
			}
			causal, err := s.Causal().LogLikelihoods(context.Background(), sentences, nil)
			if err != nil {
				t.Fatal(err)
			}
			var asked []bias.Hidden
			for _, ids := range sentences {
				asked = append(asked, bias.Hidden{IDs: ids, At: len(ids) / 2, Want: []int64{7}})
			}
			masked, err := s.Masked().LogProbs(context.Background(), asked, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !s.Early() {
				t.Error("logits of all places are computed")
			}
			for i, ids := range sentences {
				rows := scores(ids)
				near := func(what string, got float64, row int, id int64) {
					if want := logSoftmax(rows[row*99:][:99], id); math.Abs(got-want) > 2e-5 {
						t.Errorf("sequence %d, %s: %v, want %v", i, what, got, want)
					}
				}
				near("masked", masked[i][0], len(ids)/2, 7)
				for k, got := range causal[i] {
					near("causal", got, k, ids[k+1])
				}
			}
		})
	}
}

// TestEmbeddingsTable finds the vocabulary of a model without logits, and refuses a classifier.
func TestEmbeddingsTable(t *testing.T) {
	c := language.Config{ModelType: "bert", VocabSize: 31, HiddenSize: 8, IntermediateSize: 8, NumHiddenLayers: 1, NumAttentionHeads: 2,
		MaxPositionEmbeddings: 9, TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-5, NumLabels: 2}.Defaults()
	m, err := c.Build(language.Options{}, language.Fresh(1, 0.1))
	if err != nil {
		t.Fatal(err)
	}
	if s := open(t, m); s.Vocabulary() != 31 || s.Encoder() == nil || s.Masked() != nil {
		t.Errorf("a vocabulary of %d", s.Vocabulary())
	}
	m, err = c.Build(language.Options{Task: language.TextClassification}, language.Fresh(1, 0.1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.New(m, runtimetest.Options(t)); err == nil {
		t.Error("a classifier is taken for a language model")
	}
}
