package autodiff_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/safetensors"
	"graft/training/autodiff"
)

// TestPyTorchGradients holds output and gradients of activations, norms and losses to PyTorch's in float64, made by
// testdata/peers/goldens_pointwise.py. The data are multiples of 1/8.
func TestPyTorchGradients(t *testing.T) {
	list, meta, err := safetensors.ReadFile("../../testdata/goldens/pointwise.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string]*onnx.Tensor{}
	for _, v := range list {
		golden[v.Name] = v
	}
	var cases []struct {
		Name, Op   string
		Inputs     int
		Attributes map[string]any
	}
	if err := json.Unmarshal([]byte(meta["cases"]), &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			var attrs []onnx.Attr
			for name, v := range c.Attributes {
				switch v := v.(type) {
				case string:
					attrs = append(attrs, onnx.Str(name, v))
				case float64:
					whole := slices.Contains([]string{"axis", "num_groups", "training_mode", "ignore_index", "size", "p"}, name)
					if attrs = append(attrs, onnx.Float32(name, float32(v))); whole {
						attrs[len(attrs)-1] = onnx.Int(name, int64(v))
					}
				}
			}
			var args tensors
			for i := range c.Inputs {
				args = append(args, golden[fmt.Sprintf("%s/x%d", c.Name, i)])
			}
			outs := 1
			if c.Attributes["training_mode"] != nil {
				outs = 3
			}
			var wanted []int
			p := compile(t, onnx.Float, args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
				var xs []*onnx.Value
				for i, a := range args {
					if !a.DType.IsFloat() {
						x[i].Type.DType = a.DType
					}
					if golden[fmt.Sprintf("%s/d%d", c.Name, i)] != nil {
						xs, wanted = append(xs, x[i]), append(wanted, i)
					}
				}
				in := x
				if outs == 3 { // see all
					in = append(append(values{}, x[:3]...), b.Abs(x[3]), b.Abs(x[4]))
				}
				y := b.Node(c.Op, in, outs, attrs...)[0]
				if b.Err() != nil {
					return nil, b.Err()
				}
				ds, err := autodiff.GradientsFrom(b.Graph(), values{y}, values{b.Const(convert(golden[c.Name+"/dy"], onnx.Float))}, xs)
				if err != nil || c.Op == "Swish" { // an operator younger than the engines' opset
					return ds, err
				}
				return append(ds, y), nil
			})
			for i, got := range p.run(t, args) {
				name := c.Name + "/y"
				if i < len(wanted) {
					name = fmt.Sprintf("%s/d%d", c.Name, wanted[i])
				}
				want := onnx.View[float64](golden[name])
				largest := 1.0
				for _, w := range want {
					largest = max(largest, math.Abs(w))
				}
				for j, g := range onnx.View[float64](got) {
					if !(math.Abs(g-want[j]) <= 1e-5*largest) {
						t.Fatalf("%s: element %d is %v, want %v", name, j, g, want[j])
					}
				}
			}
		})
	}
}
