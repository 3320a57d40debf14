package language

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	net "graft/graphs/language"
	"graft/onnx"
)

// build is a golden model with other options.
func build(t testing.TB, name string, change func(*net.Options)) *onnx.Model {
	t.Helper()
	s := open(t, filepath.Join("testdata", name))
	o := s.Options
	change(&o)
	m, err := s.Model(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// columns cuts [N,S] or [N,heads,S,width] or [N,S,width] along S.
func columns(t testing.TB, x *onnx.Tensor, axis, from, to int64) *onnx.Tensor {
	t.Helper()
	outer, inner := int64(1), int64(x.DType.Bits()/8)
	for i, d := range x.Dims {
		if int64(i) < axis {
			outer *= d
		} else if int64(i) > axis {
			inner *= d
		}
	}
	dims := slices.Clone(x.Dims)
	dims[axis] = to - from
	y := onnx.NewTensor(x.DType, dims...)
	for i := range outer {
		row := x.Data[i*x.Dims[axis]*inner:]
		copy(y.Data[i*(to-from)*inner:(i+1)*(to-from)*inner], row[from*inner:to*inner])
	}
	return y
}

// TestCache goes through a text in three parts, the keys and values of the former ones at hand.
func TestCache(t *testing.T) {
	for _, name := range []string{"gpt2", "gpt2-untied", "gpt2-features", "llama", "llama-grouped", "llama-linear"} {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s own=%v", name, own), func(t *testing.T) {
				m := build(t, name, func(o *net.Options) { o.Cache, o.OwnPositions = true, own })
				g := golden(t, name)
				s, feeds := session(t, m), feedsOf(m, g)
				out := m.Graph.Outputs()[0].Name
				from := int64(0)
				for _, to := range []int64{3, 4, 7} {
					feeds["input_ids"] = columns(t, g["input_ids"], 1, from, to)
					feeds["attention_mask"] = columns(t, g["attention_mask"], 1, 0, to)
					if !own {
						feeds["position_ids"] = columns(t, g["position_ids"], 1, from, to)
					}
					got := run(t, s, feeds)
					if d := far(t, got[out], columns(t, g[out], 1, from, to), columns(t, g["attention_mask"], 1, from, to)); !(d < tolerance) {
						t.Errorf("tokens %d to %d: %s differs by %g", from, to, out, d)
					}
					for key, v := range got {
						if past, ok := strings.CutPrefix(key, "present."); ok {
							if v.Dims[2] != to {
								t.Fatalf("%s is %v after %d tokens", key, v.Dims, to)
							}
							feeds["past_key_values."+past] = v
						}
					}
					from = to
				}
			})
		}
	}
}

// TestGates holds models with gates against plain ones: ones change nothing, what a closed head makes is gone, and what it is
// patched with has its place.
func TestGates(t *testing.T) {
	for _, name := range []string{"bert-mlm", "distilbert", "roberta", "gpt2", "llama-grouped"} {
		t.Run(name, func(t *testing.T) {
			g := golden(t, name)
			m := build(t, name, func(o *net.Options) {
				o.Cache, o.Gates, o.Patches, o.HeadOutputs = false, net.GatesInputs, true, true
			})
			plain := build(t, name, func(o *net.Options) { o.Cache, o.HeadOutputs = false, true })
			out := m.Graph.Outputs()[0].Name
			want := run(t, session(t, plain), feedsOf(plain, g))
			s := session(t, m)
			feeds := map[string]*onnx.Tensor{}
			for _, v := range m.Graph.Inputs() {
				switch {
				case g[v.Name] != nil:
					feeds[v.Name] = g[v.Name]
				case strings.HasPrefix(v.Name, "head_gates."):
					feeds[v.Name] = filled(1, 1, v.Type.Shape[1].Size, 1, 1)
				default:
					feeds[v.Name] = filled(0.7, want["head_outputs.0"].Dims...)
				}
			}
			same := func(what string, differs bool) {
				t.Helper()
				got := run(t, s, feeds)
				if d := far(t, got[out], want[out], g["attention_mask"]); (d > 1e-6) != differs {
					t.Errorf("%s: %s differs by %g", what, out, d)
				}
			}
			same("open gates", false)
			feeds["head_gates.1"].Float32s()[1] = 0
			same("a closed head, and another's values", true)
			feeds["head_patches.1"] = want["head_outputs.1"]
			same("a closed head, patched with what it makes", false)

			fixed := build(t, name, func(o *net.Options) { o.Cache, o.Gates = false, net.GatesFixed })
			fixed.Graph.Lookup("head_gates.1").Const.Float32s()[1] = 0
			feeds["head_patches.1"] = filled(0, want["head_outputs.1"].Dims...)
			got, closed := run(t, s, feeds), run(t, session(t, fixed), feedsOf(fixed, g))
			if d := far(t, closed[out], got[out], g["attention_mask"]); d > 1e-6 {
				t.Errorf("a gate in the file differs from one that is an input by %g", d)
			}
		})
	}
}

func filled(v float32, dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, dims...)
	for i := range t.Float32s() {
		t.Float32s()[i] = v
	}
	return t
}
