package session_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"graft/graphs/language"
	"graft/onnx"
	"graft/training/metric/bias"
	"graft/training/metric/bias/session"
)

// decoder is a small causal model with random weights.
func decoder(t *testing.T, kind string, o language.Options) *onnx.Model {
	t.Helper()
	c := language.Config{ModelType: kind, VocabSize: 31, HiddenSize: 16, IntermediateSize: 24, NumHiddenLayers: 2, NumAttentionHeads: 4,
		MaxPositionEmbeddings: 128, HiddenAct: "gelu", NormEps: 1e-5, TieWordEmbeddings: true}
	if kind == "llama" {
		c.HiddenAct, c.NumKeyValueHeads = "silu", 2
	}
	o.Task = language.TextGeneration
	m, err := c.Defaults().Build(o, language.Fresh(5, 0.4))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// alike are texts of which many begin alike, some are the same, one begins another, and one is longer than a row.
func alike() (texts [][]int64) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) (out []int64) {
		for range n {
			out = append(out, random.Int64N(31))
		}
		return out
	}
	for range 25 {
		stem := draw(1 + random.IntN(9))
		for range 1 + random.IntN(4) {
			texts = append(texts, slices.Concat(stem, draw(random.IntN(8))))
		}
		texts = append(texts, stem)
	}
	long := draw(100)
	return append(texts, long, slices.Concat(long[:90], draw(5)), long[:1], texts[0])
}

// TestTrees holds texts scored together to the same scored one in a row.
func TestTrees(t *testing.T) {
	for name, m := range map[string]*onnx.Model{
		"llama": decoder(t, "llama", language.Options{Cache: true}), "gpt2": decoder(t, "gpt2", language.Options{Cache: true}),
		"no cache": decoder(t, "llama", language.Options{}), "gates": decoder(t, "gpt2", language.Options{Gates: language.GatesFixed}),
	} {
		t.Run(name, func(t *testing.T) {
			texts, together, alone := alike(), open(t, m), open(t, m)
			together.Tokens = 200
			alone.Alone()
			got, err := together.Causal().LogLikelihoods(context.Background(), texts, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := alone.Causal().LogLikelihoods(context.Background(), texts, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !together.Trees() || alone.Trees() {
				t.Errorf("trees: %v, %v", together.Trees(), alone.Trees())
			}
			for i := range texts {
				if len(got[i]) != len(texts[i])-1 || len(want[i]) != len(got[i]) {
					t.Fatalf("text %d of %d tokens has %d and %d answers", i, len(texts[i]), len(got[i]), len(want[i]))
				}
				for k := range got[i] {
					if math.Abs(got[i][k]-want[i][k]) > 2e-5 {
						t.Errorf("text %d, token %d: %v, alone %v", i, k, got[i][k], want[i][k])
					}
				}
			}
		})
	}
}

// TestNoTrees scores one text a row where positions are no input, or where the order of tokens counts in another way.
func TestNoTrees(t *testing.T) {
	shifted := decoder(t, "gpt2", language.Options{})
	g := shifted.Graph
	// Embeddings are added up along the text.
	for _, n := range g.Nodes() {
		if !n.Is("Gather") || n.Input(0).Name != "transformer.wte.weight" {
			continue
		}
		axis := g.AddInitializer("axis", onnx.Scalar(int64(1)))
		v := n.Output(0)
		sum := g.Add("CumSum", []*onnx.Value{v, axis}, 1)
		for _, u := range v.Uses() {
			if u.Node != sum {
				u.Node.SetInput(u.Index, sum.Output(0))
			}
		}
	}
	texts := alike()[:20]
	for name, m := range map[string]*onnx.Model{"own positions": decoder(t, "llama", language.Options{OwnPositions: true}), "sums": shifted} {
		s := open(t, m)
		if err := s.Open(context.Background(), true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Causal().LogLikelihoods(context.Background(), texts, nil); err != nil {
			t.Error(err)
		}
		if s.Trees() {
			t.Errorf("%s: texts are scored together", name)
		}
	}
}

// TestAnswers goes on where a run was cut off, without asking again what was answered.
func TestAnswers(t *testing.T) {
	texts := alike()
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	path := filepath.Join(t.TempDir(), "answers")
	run := func(ctx context.Context, told func(int)) (*session.Model, [][]float64, error) {
		a, err := bias.OpenAnswers(path, "m")
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		s := open(t, decoder(t, "llama", language.Options{}))
		s.Tokens, s.Answers = 150, a
		got, err := s.Causal().LogLikelihoods(ctx, texts, told)
		return s, got, err
	}
	done := 0
	if _, _, err := run(ctx, func(n int) {
		if done = n; n > len(texts)/3 {
			cancel(stop)
		}
	}); err == nil || done >= len(texts) {
		t.Fatalf("%v, %d of %d", err, done, len(texts))
	}
	var told []int
	_, got, err := run(context.Background(), func(n int) { told = append(told, n) })
	if err != nil {
		t.Fatal(err)
	}
	if told[0] != done || told[len(told)-1] != len(texts) {
		t.Errorf("progress is %v behind %d", told, done)
	}
	// Of a third run nothing is left to be asked: no session is opened.
	s, again, err := run(context.Background(), nil)
	if err != nil || s.Trees() {
		t.Errorf("%v, trees: %v", err, s.Trees())
	}
	for i := range texts {
		if !slices.Equal(got[i], again[i]) || len(got[i]) != len(texts[i])-1 {
			t.Errorf("text %d: %v, %v", i, got[i], again[i])
		}
	}
}
