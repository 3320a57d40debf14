package kernels_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/kernels"
)

const cuda = "CUDAExecutionProvider"

// TestTable holds the table to the versions of operators that there are: a kernel is listed for one of them, and ends where the
// operator changes next.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range op.StandardNames("") {
		first, newest, behind, listed := kernels.Opsets(cuda, name)
		if !listed {
			continue
		}
		seen[name] = true
		var next int64
		exact := false
		for _, f := range op.Forms("", name) {
			exact = exact || f.Since == newest
			if f.Since > newest && next == 0 {
				next = f.Since
			}
		}
		if !exact || next != behind || first > newest {
			t.Errorf("%s: kernels for %d to %d, none from %d on; the standard changes at %d", name, first, newest, behind, next)
		}
	}
	for _, name := range kernels.Operators(cuda) {
		if !seen[name] {
			t.Errorf("%s: a row for no operator", name)
		}
	}
}

// TestFallbacks looks at nodes one by one.
func TestFallbacks(t *testing.T) {
	input := func(b *op.Builder, d onnx.DataType, dims ...int64) *onnx.Value {
		return b.Graph().AddInput("", onnx.TypeOf(d, dims...))
	}
	for _, c := range []struct {
		name  string
		opset int64
		build func(b *op.Builder) *onnx.Value
		want  string // the reason; empty: none falls back
	}{
		{"a convolution", 17, func(b *op.Builder) *onnx.Value {
			return b.Conv(input(b, onnx.Float, 1, 2, 4, 4), input(b, onnx.Float, 3, 2, 3, 3), nil, op.ConvAttrs{})
		}, ""},
		{"no kernel", 17, func(b *op.Builder) *onnx.Value { return b.Node("Celu", []*onnx.Value{input(b, onnx.Float, 2)}, 1)[0] }, "no kernel"},
		{"a younger form", 22, func(b *op.Builder) *onnx.Value { return b.Node("Elu", []*onnx.Value{input(b, onnx.Float, 2)}, 1)[0] }, "no kernel from opset 22 on"},
		{"the form before", 21, func(b *op.Builder) *onnx.Value { return b.Node("Elu", []*onnx.Value{input(b, onnx.Float, 2)}, 1)[0] }, ""},
		{"another type", 17, func(b *op.Builder) *onnx.Value { return b.Pad(input(b, onnx.Int64, 2), "constant", 1, 1) }, "no kernel for int64"},
		{"uneven padding", 17, func(b *op.Builder) *onnx.Value {
			return b.ConvTranspose(input(b, onnx.Float, 1, 2, 4, 4), input(b, onnx.Float, 2, 3, 3, 3), nil, op.ConvAttrs{Pads: []int64{1, 1, 1, 0}})
		}, "padding [1 1 1 0] is not the same on both sides"},
		{"sizes", 17, func(b *op.Builder) *onnx.Value {
			shape := b.Shape(input(b, onnx.Float, 2, 3))
			return b.ConstantOfShape(b.Node("ReduceProd", []*onnx.Value{shape}, 1)[0], onnx.NewTensor(onnx.Float, 1))
		}, ""},
	} {
		b := op.NewBuilder(onnx.NewGraph("one"))
		y := c.build(b)
		if b.Err() != nil {
			t.Fatal(b.Err())
		}
		b.Graph().AddOutput(y, "y")
		got := kernels.Fallbacks(&onnx.Model{Opsets: []onnx.Opset{{Version: c.opset}}, Graph: b.Graph()}, cuda)
		switch {
		case c.want == "" && len(got) > 0, c.want != "" && (len(got) != 1 || got[0].Why != c.want):
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
	if kernels.Known("CPUExecutionProvider") || !kernels.Known(cuda) {
		t.Error("tables of other providers than there are")
	}
}
