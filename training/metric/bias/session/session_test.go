package session_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
	"graft/training/metric/bias"
	"graft/training/metric/bias/session"
)

// toy is a BERT of two heads, MLM and next sentences, with 99 words and random weights, from ONNX Runtime's tests (MIT).
func toy(t *testing.T) *onnx.Model {
	t.Helper()
	m, err := onnx.Load("testdata/bert_toy.onnx", onnx.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t *testing.T, m *onnx.Model) *session.Model {
	t.Helper()
	s, err := session.New(m, runtimetest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// alone runs the model itself on one sequence.
func alone(t *testing.T, m *onnx.Model, ids, types []int64) map[string]*onnx.Tensor {
	t.Helper()
	s := runtimetest.Open(t, m, runtimetest.Options(t))
	ones := make([]int64, len(ids))
	for i := range ones {
		ones[i] = 1
	}
	if types == nil {
		types = make([]int64, len(ids))
	}
	dims := []int64{1, int64(len(ids))}
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{
		"input_ids": onnx.FromSlice(ids, dims...), "token_type_ids": onnx.FromSlice(types, dims...), "input_mask": onnx.FromSlice(ones, dims...),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func logSoftmax(row []float32, want int64) float64 {
	sum := 0.
	for _, v := range row {
		sum += math.Exp(float64(v))
	}
	return float64(row[want]) - math.Log(sum)
}

var sentences = [][]int64{
	{2, 17, 30, 4, 3}, {2, 55, 3}, {2, 9, 8, 7, 6, 5, 4, 3}, {2, 98, 0, 1, 3}, {2, 11, 3}, {2, 40, 41, 42, 43, 3}, {2, 12, 13, 14, 3},
}

// TestMasked holds answers of batches to the model run on one sequence at a time.
func TestMasked(t *testing.T) {
	m := toy(t)
	s := open(t, m)
	s.Tokens = 11 // several batches of one length, and one that is longer than that
	var asked []bias.Hidden
	for i, ids := range sentences {
		q := bias.Hidden{IDs: ids, At: 1 + i%(len(ids)-2), Want: []int64{int64(3 * i), 98}[:1+i%2]}
		if i == 2 {
			q.Types = []int64{0, 0, 0, 0, 1, 1, 1, 1}
		}
		asked = append(asked, q)
	}
	var told []int
	got, err := s.Masked().LogProbs(context.Background(), asked, func(n int) { told = append(told, n) })
	if err != nil {
		t.Fatal(err)
	}
	if !s.Early() {
		t.Error("logits of all places are computed")
	}
	if !slices.IsSorted(told) || told[len(told)-1] != len(asked) {
		t.Errorf("progress is %v", told)
	}
	for i, q := range asked {
		scores := alone(t, m, q.IDs, q.Types)["prediction_scores"].Float32s()
		if len(got[i]) != len(q.Want) {
			t.Fatalf("question %d: %v", i, got[i])
		}
		for k, id := range q.Want {
			if want := logSoftmax(scores[q.At*99:][:99], id); math.Abs(got[i][k]-want) > 1e-5 {
				t.Errorf("question %d, token %d: %v, want %v", i, id, got[i][k], want)
			}
		}
	}
}

// TestCausal reads the same logits as a causal model's.
func TestCausal(t *testing.T) {
	m := toy(t)
	s := open(t, m)
	s.Tokens = 9
	got, err := s.Causal().LogLikelihoods(context.Background(), sentences, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, ids := range sentences {
		scores := alone(t, m, ids, nil)["prediction_scores"].Float32s()
		if len(got[i]) != len(ids)-1 {
			t.Fatalf("sequence %d: %d numbers", i, len(got[i]))
		}
		for k := range got[i] {
			if want := logSoftmax(scores[k*99:][:99], ids[k+1]); math.Abs(got[i][k]-want) > 1e-5 {
				t.Errorf("sequence %d, token %d: %v, want %v", i, k+1, got[i][k], want)
			}
		}
	}
}

// TestNextSentence holds the head for next sentences to the model's.
func TestNextSentence(t *testing.T) {
	m := toy(t)
	s := open(t, m)
	pairs := []bias.Pair{{IDs: sentences[0], Types: []int64{0, 0, 0, 1, 1}}, {IDs: sentences[1]}, {IDs: sentences[3]}}
	got, err := s.Next().Follows(context.Background(), pairs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range pairs {
		v := alone(t, m, p.IDs, p.Types)["seq_relationship_score"].Float32s()
		a, b := math.Exp(float64(v[0])), math.Exp(float64(v[1]))
		if want := a / (a + b); math.Abs(got[i]-want) > 1e-5 {
			t.Errorf("pair %d: %v, want %v", i, got[i], want)
		}
	}
	if s.Encoder() != nil {
		t.Error("the model gives no hidden states, and has an encoder")
	}
}

// TestLate answers where nodes behind the product look at more than a row: here Abs, which is not known to be one of a row.
func TestLate(t *testing.T) {
	m := toy(t)
	g := m.Graph
	scores := g.Lookup("prediction_scores")
	outs := g.Outputs()
	scaled := g.Add("Abs", []*onnx.Value{scores}, 1).Output(0)
	scaled.Type = scores.Type
	scores.Name = "inner"
	outs[slices.Index(outs, scores)] = scaled
	g.SetOutputs(outs...)
	scaled.Name = "logits"
	s := open(t, m)
	q := bias.Hidden{IDs: sentences[0], At: 2, Want: []int64{5}}
	got, err := s.Masked().LogProbs(context.Background(), []bias.Hidden{q}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.Early() {
		t.Error("a product with an unknown operator behind it was taken for one of rows")
	}
	want := logSoftmax(alone(t, m, q.IDs, nil)["logits"].Float32s()[2*99:][:99], 5)
	if math.Abs(got[0][0]-want) > 1e-5 {
		t.Errorf("%v, want %v", got[0][0], want)
	}
}

// TestRefused says all that is wrong with a model, and which token is none of its vocabulary.
func TestRefused(t *testing.T) {
	g := onnx.NewGraph("g")
	x := g.AddInput("pixels", onnx.TypeOf(onnx.Float, 1))
	g.AddOutput(g.Add("Relu", []*onnx.Value{x}, 1).Output(0), "y")
	_, err := session.New(&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, runtimetest.Options(t))
	for _, want := range []string{"no input input_ids", `"pixels"`, "no output logits", `"y"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	s := open(t, toy(t))
	if _, err := s.Masked().LogProbs(context.Background(), []bias.Hidden{{IDs: []int64{2, 99, 3}, At: 1, Want: []int64{1}}}, nil); err == nil || !strings.Contains(err.Error(), "token 99") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Causal().LogLikelihoods(ctx, sentences, nil); err == nil {
		t.Error("a cancelled run gives an answer")
	}
}
