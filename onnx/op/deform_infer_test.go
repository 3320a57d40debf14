package op

import (
	"testing"

	"graft/onnx"
)

func TestInferDeformConv(t *testing.T) {
	pads, groups := onnx.Ints("pads", 1, 1, 1, 1), onnx.Int("offset_group", 2)
	runInferTests(t, []inferTest{
		{op: "DeformConv", in: []any{"float [N 4 H W]", "float [6 4 3 3]", "float [N 18 H W]", "float [6]", "float [N 9 H W]"}, attrs: attrs(pads), want: "float [N 6 H W]"},
		{op: "DeformConv", in: []any{"double [2 4 7]", "double [6 2 3]", "double [2 6 3]"}, attrs: attrs(groups, onnx.Int("group", 2), onnx.Ints("strides", 2)), want: "double [2 6 3]"},
		{op: "DeformConv", in: []any{"float [? 4 ? ?]", "float [6 4 3 3]", "float [2 18 5 7]"}, want: "float [2 6 5 7]"},
		{op: "DeformConv", in: []any{"float [...]", "float [...]", "float [2 18 5 7]"}, want: "float [2 ? 5 7]"},
		{op: "DeformConv", in: []any{"float [2 4 5 5]", "float [6 4 3 3]", "float [2 17 3 3]"}, want: "error: DeformConv: offset has 17 channels, wants 18"},
		{op: "DeformConv", in: []any{"float [2 4 5 5]", "float [6 4 3 3]", "float [2 18 3 4]"}, want: "error: DeformConv: offset [2 18 3 4] does not fit the output [2 6 3 3]"},
		{op: "DeformConv", in: []any{"float [2 4 5 5]", "float [6 4 3 3]", "float [2 18 3 3]", nil, "float [2 8 3 3]"}, want: "error: DeformConv: mask has 8 channels, wants 9"},
		{op: "DeformConv", in: []any{"float [2 3 5 5]", "float [6 3 3 3]", "float [2 36 3 3]"}, attrs: attrs(groups), want: "error: DeformConv: 3 input channels do not divide into 2 groups of offsets"},
		{op: "DeformConv", in: []any{"float [2 3 5 5]", "float [6 3 3 3]", "float [2 6]"}, want: "error: DeformConv: offset has rank 2, wants 4"},
		{op: "DeformConv", in: []any{"float [...]", "float [6 3 3 3]", "float [2 18 5 7]"}, want: "float [2 6 5 7]"},
		{op: "DeformConv", in: []any{"float [...]", "float [6 3 3 3]", "float [2 18 5]"}, want: "error: DeformConv: offset has rank 3, wants 4"},
		{op: "DeformConv", in: []any{"float [...]", "float [6]", "float [2 18 5]"}, want: "error: DeformConv: weight has rank 1, wants 3 or more"},
	})
}
