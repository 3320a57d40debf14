package autodiff_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/onnx/safetensors"
	"graft/training/autodiff"
)

// goldenCase is what PyTorch gave for one function: operands, results, seeds and gradients by name.
type goldenCase map[string]*onnx.Tensor

func readGolden(t *testing.T, path string) map[string]goldenCase {
	t.Helper()
	list, _, err := safetensors.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]goldenCase{}
	for _, x := range list {
		name, what, _ := strings.Cut(x.Name, "/")
		if cases[name] == nil {
			cases[name] = goldenCase{}
		}
		cases[name][what] = x
	}
	return cases
}

// check compares the results of f, in the order of names, and the gradients of the operands with what is recorded.
func (c goldenCase) check(t *testing.T, results []string, f func(b *op.Builder, x map[string]*onnx.Value) []*onnx.Value) {
	var operands []string
	for name := range c {
		if c["grad/"+name] != nil {
			operands = append(operands, name)
		}
	}
	slices.Sort(operands)
	var args tensors
	for _, name := range operands {
		args = append(args, c[name])
	}
	p := compile(t, onnx.Double, args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		byName := map[string]*onnx.Value{}
		for i, name := range operands {
			byName[name] = x[i]
		}
		ys := f(b, byName)
		var seeds []*onnx.Value
		for _, name := range results {
			seeds = append(seeds, b.Const(c["seed/"+name]))
		}
		if b.Err() != nil {
			return nil, b.Err()
		}
		var kept []*onnx.Value // of an operator that has no float64 kernel its expression has to be run
		for _, y := range ys {
			kept = append(kept, b.Identity(y))
		}
		ds, err := autodiff.GradientsFrom(b.Graph(), kept, seeds, x)
		return append(kept, ds...), err
	})
	got := p.run(t, args)
	want := map[string]*onnx.Tensor{}
	for i, name := range results {
		want[fmt.Sprint(i, " ", name)] = c[name]
	}
	for i, name := range operands {
		want[fmt.Sprint(len(results)+i, " gradient of ", name)] = c["grad/"+name]
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		var i int
		if _, err := fmt.Sscan(key, &i); err != nil {
			t.Fatal(err)
		}
		if d := distance(got[i], want[key]); !(d <= 1e-12) {
			t.Errorf("%s: %g from PyTorch's", key, d)
		}
	}
}

// Outputs and gradients of bidirectional layers, and of an attention block with rotary embedding, are PyTorch's in float64.
func TestRecurrentGoldens(t *testing.T) {
	cases := readGolden(t, "../../testdata/goldens/recurrent.safetensors")
	for _, o := range []string{"LSTM", "GRU", "RNN"} {
		t.Run(o, func(t *testing.T) {
			results := []string{"Y", "Y_h", "Y_c"}
			if o != "LSTM" {
				results = results[:2]
			}
			cases[strings.ToLower(o)].check(t, results, func(b *op.Builder, x map[string]*onnx.Value) []*onnx.Value {
				attrs := []onnx.Attr{onnx.Int("hidden_size", 6), onnx.Str("direction", "bidirectional")}
				if o == "GRU" {
					attrs = append(attrs, onnx.Int("linear_before_reset", 1))
				}
				return b.Node(o, values{x["X"], x["W"], x["R"], x["B"], nil, x["initial_h"], x["initial_c"]}, len(results), attrs...)
			})
		})
	}
	t.Run("attention", func(t *testing.T) {
		c := cases["attention"]
		c.check(t, []string{"y"}, func(b *op.Builder, x map[string]*onnx.Value) []*onnx.Value {
			rope := func(v *onnx.Value, heads int64) *onnx.Value { // the operator has no float64 form, the expression has
				n := b.Graph().Add("RotaryEmbedding", values{v, b.Const(c["cos"]), b.Const(c["sin"])}, 1, onnx.Int("num_heads", heads))
				y := rewrite.RotaryEmbedding(b, n)
				if err := b.Graph().Remove(n); err != nil || y == nil {
					t.Fatal(err, b.Err())
				}
				return y[0]
			}
			q, k := rope(b.MatMul(x["x"], x["Wq"]), 4), rope(b.MatMul(x["x"], x["Wk"]), 2)
			y := b.Node("Attention", values{q, k, b.MatMul(x["x"], x["Wv"])}, 1,
				onnx.Int("q_num_heads", 4), onnx.Int("kv_num_heads", 2), onnx.Int("is_causal", 1))[0]
			return values{b.MatMul(y, x["Wo"])}
		})
	})
}
