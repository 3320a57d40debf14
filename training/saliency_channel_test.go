package training_test

import (
	"math"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/metric"
)

// TestTaylor holds the score of channels against central differences of the loss where all that reads a channel is scaled.
func TestTaylor(t *testing.T) {
	m, batches := judged(t)
	if problems, _ := op.InferModel(m); len(problems) > 0 {
		t.Fatal(problems)
	}
	mse, err := loss.Lookup("mse")
	if err != nil {
		t.Fatal(err)
	}
	taylor, err := masking.FindChannelScore("taylor")
	if err != nil {
		t.Fatal(err)
	}
	s, err := training.NewSaliency(m, training.SaliencyConfig{Needs: taylor.Needs, Loss: mse, Batches: batches, Session: runtimetest.Options(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.Look(t.Context(), 1)(nil)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]*masking.Evidence{}
	for i := range list {
		by[list[i].Name] = &list[i]
	}
	groups := masking.Groups(m.Graph, "x")
	if len(groups) != 2 {
		t.Fatalf("%d groups", len(groups))
	}
	for _, g := range groups {
		scores := taylor.Of(g, func(m *masking.Member) *masking.Evidence { return by[m.Parameter] })
		for channel, score := range scores {
			scaled := func(by float32) (sum float64) {
				m := m.Clone()
				for i := range g.Members {
					member := &g.Members[i]
					if member.Role != masking.Reader {
						continue
					}
					v := m.Graph.Lookup(member.Parameter)
					w := v.Const.Clone()
					member.Elements(channel, func(e int) { w.Float32s()[e] *= by })
					v.Const = w
				}
				session := runtimetest.Open(t, m, runtimetest.OneThread(t))
				for _, b := range batches {
					out, err := session.Run(t.Context(), map[string]*onnx.Tensor{"x": b["x"]})
					if err != nil {
						t.Fatal(err)
					}
					sum += metric.MSE(out["y"].Float32s(), b[training.InputTarget].Float32s()) / float64(len(batches))
				}
				return sum
			}
			const h = 0.02
			want := math.Abs(scaled(1+h)-scaled(1-h)) / (2 * h)
			if d := math.Abs(float64(score) - want); d > 0.01*want+1e-4 {
				t.Errorf("%s, channel %d: score %g, the loss's slope %g", g.Name, channel, score, want)
			}
		}
	}
}
