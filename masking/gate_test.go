package masking_test

import (
	"math"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
)

// TestGates: gates of zero and one multiply the network into what the masks of the same choice make of it, and every weight has its own gate's
// number.
func TestGates(t *testing.T) {
	for _, name := range []string{"hourglass", "skip", "mobile", "transformer"} {
		t.Run(name, func(t *testing.T) {
			m, err := channelNetworks[name].Build(1)
			if err != nil {
				t.Fatal(err)
			}
			parameters := masking.Parameters(m.Graph)
			for _, v := range m.Graph.Initializers() {
				nonZero(v, 1)
			}
			for kind, build := range map[string]func() (*masking.Gates, error){
				"channel": func() (*masking.Gates, error) { return masking.ChannelGates(parameters, masking.Groups(m.Graph)) },
				"kernel":  func() (*masking.Gates, error) { return masking.KernelGates(parameters) },
			} {
				gates, err := build()
				if kind == "kernel" && name == "transformer" {
					if err == nil {
						t.Error("kernels without a convolution")
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				scores := make([]float32, gates.Len())
				noise.Uniform(scores, noise.NewKey(2, name, 0))
				for _, scope := range []masking.Scope{masking.Global, masking.Layer} {
					c := masking.ChannelChoice{Sparsity: 0.4, Multiple: 1, Scope: scope}
					set, err := gates.Choose(scores, c)
					if err != nil {
						t.Fatal(err)
					}
					masked := m.Clone()
					if err := masking.Apply(masked.Graph, set); err != nil {
						t.Fatal(err)
					}
					gated := m.Clone()
					multiply(t, gated, gates, marks(t, gates, scores, c, kind))
					want, got := outputs(t, masked), outputs(t, gated)
					for i, a := range want {
						for k, x := range a.Float32s() {
							if d := math.Abs(float64(x - got[i].Float32s()[k])); !(d <= 1e-5) {
								t.Fatalf("%s, %s: masked gives %g, gated %g", kind, scope, x, got[i].Float32s()[k])
							}
						}
					}
				}
			}
		})
	}
	if _, err := masking.ChannelGates(nil, nil); err == nil {
		t.Error("gates of no channels")
	}
}

// marks are zero and one for the gates that a choice leaves out and keeps.
func marks(t *testing.T, gates *masking.Gates, scores []float32, c masking.ChannelChoice, kind string) *onnx.Tensor {
	t.Helper()
	by, err := gates.Scores(scores)
	if err != nil {
		t.Fatal(err)
	}
	out := onnx.NewTensor(onnx.Float, int64(gates.Len()))
	at := 0
	keep := masking.KeepCount(int64(len(scores)), c.Sparsity)
	all, err := masking.TopK(scores, keep, 0)
	if err != nil {
		t.Fatal(err)
	}
	groups := make([]*masking.Group, len(by))
	for i, s := range by {
		groups[i] = &masking.Group{Count: len(s)}
	}
	chosen, err := c.Select(groups, by)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range by {
		if kind == "kernel" && c.Scope != masking.Global {
			if chosen[i], err = masking.TopK(s, masking.KeepCount(int64(len(s)), c.Sparsity), 0); err != nil {
				t.Fatal(err)
			}
		}
		for k := range s {
			if kind == "kernel" && c.Scope == masking.Global && all[at] || !(kind == "kernel" && c.Scope == masking.Global) && chosen[i][k] {
				out.Float32s()[at] = 1
			}
			at++
		}
	}
	return out
}

// multiply makes every parameter itself times its gate.
func multiply(t *testing.T, m *onnx.Model, gates *masking.Gates, values *onnx.Tensor) {
	t.Helper()
	g := onnx.NewGraph("gates")
	b := op.NewBuilder(g)
	g.AddOutput(b.Identity(gates.Expand(b, g.AddInput("gates", onnx.TypeOf(onnx.Float, values.Len())))), "weights")
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.AssignNames()
	s := runtimetest.Open(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, runtimetest.OneThread(t))
	got, err := s.Run(t.Context(), map[string]*onnx.Tensor{"gates": values})
	if err != nil {
		t.Fatal(err)
	}
	rest := got["weights"].Float32s()
	for _, v := range masking.Parameters(m.Graph) {
		w := v.Const.Clone()
		for i := range w.Float32s() {
			w.Float32s()[i] *= rest[i]
		}
		rest = rest[w.Len():]
		v.Const = w
	}
	if len(rest) != 0 {
		t.Errorf("%d gates of no weight", len(rest))
	}
}
