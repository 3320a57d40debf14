package training_test

import (
	"testing"

	"graft/runtime/runtimetest"
	"graft/training"
)

// Segments that are computed anew for the gradient give the same training: with batch norm, a batch of any size, and
// activations that the runtime merges into what is before them.
func TestRecompute(t *testing.T) {
	end := func(segments int) []float32 {
		c := find(t, "cross-entropy", "adam")
		c.Recompute = segments
		a := artifacts(t, classifier(t), c)
		nodes := 0
		for _, n := range a.Fused.Model.Graph.Nodes() {
			if n.Is("Conv") {
				nodes++
			}
		}
		if segments > 1 && nodes < 2 {
			t.Errorf("%d segments: %d convolutions: nothing is computed anew", segments, nodes)
		}
		l := &training.Loop{Step: a.Fused, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 1e-2 }, Feed: batch}
		snap, err := l.Run(t.Context(), a.Start(), 5, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return snap.Trained.Float32s()
	}
	want := end(1)
	for _, segments := range []int{2, 3} {
		for i, v := range end(segments) {
			if d := v - want[i]; d > 1e-6 || d < -1e-6 {
				t.Fatalf("%d segments: parameter %d is %g after 5 steps, %g when everything is kept", segments, i, v, want[i])
			}
		}
	}
}
