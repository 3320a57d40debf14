package op

import (
	"math"
	"testing"

	"graft/onnx"
)

func TestInferReshape(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "Reshape", in: []any{"float [2 3 4]", []int64{0, -1}}, want: "float [2 12]"},
		{op: "Reshape", in: []any{"float [N 3 4]", []int64{-1, 12}}, want: "float [N 12]"},
		{op: "Reshape", in: []any{"float [N 3 4]", []int64{0, -1}}, want: "float [N 12]"},
		{op: "Reshape", in: []any{"float [N 3 4]", []int64{-1}}, want: "float [12*N]"},
		{op: "Reshape", in: []any{"float [...]", []int64{0, 5}}, want: "float [? 5]"},
		{op: "Reshape", in: []any{"float [2 6]", "int64 [2]"}, want: "float [? ?]"},
		{op: "Reshape", in: []any{"float [2 6]", "int64 [?]"}, want: "float [...]"},
		{op: "Reshape", in: []any{"float [0 3]", []int64{0, 7}}, attrs: attrs(onnx.Int("allowzero", 1)), want: "float [0 7]"},
		{op: "Reshape", in: []any{"float [2 3]", []int64{}}, want: "error: Reshape: [2 3] does not reshape to []"},
		{op: "Reshape", in: []any{"float [2 3]", []int64{4, -1}}, want: "error: Reshape: [2 3] does not reshape to [4 ?]"},
		{op: "Reshape", in: []any{"float [2 3]", []int64{-1, -1}}, want: "error: Reshape: shape has more than one -1"},
		{op: "Reshape", in: []any{"float [2 3]", []int64{1, 1, 0}}, want: "error: Reshape: shape copies dimension 2 of [2 3]"},
		{op: "Reshape", in: []any{"float [2 3]", []int64{math.MinInt64}}, want: "error: Reshape: shape: -9223372036854775808 is not a size"},
		{op: "Reshape", in: []any{"float [...]", []int64{1 << 40, 1 << 40}}, want: "error: Reshape: output [1099511627776 1099511627776] is too large"},
		{op: "Reshape", in: []any{"float [2 3]", "int64 [1073741824]"}, want: "error: Reshape: input 1 asks for rank 1073741824, at most 1024 is possible"},
		{op: "Reshape", in: []any{"float [2 3]"}, want: "error: Reshape: shape is missing"},
		{op: "Flatten", in: []any{"float [2 3 4]"}, want: "float [2 12]"},
		{op: "Flatten", in: []any{"float [N 3 4]"}, attrs: attrs(onnx.Int("axis", 3)), want: "float [12*N 1]"},
		{op: "Flatten", in: []any{"float [N 3 4]"}, attrs: attrs(onnx.Int("axis", 4)), want: "error: Flatten: axis 4 is outside rank 3"},
	})
}

func TestInferShape(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "Shape", in: []any{"float [N 3 4]"}, want: "int64 [3]"},
		{op: "Shape", in: []any{"float [N 3 4]"}, attrs: attrs(onnx.Int("start", -2), onnx.Int("end", math.MinInt64)), want: "int64 [0]"},
		{op: "Size", in: []any{"float [N 3 4]"}, want: "int64 []"},
		{op: "Expand", in: []any{"float [3 1]", []int64{2, 1, 6}}, want: "float [2 3 6]"},
		{op: "Expand", in: []any{"float [3]", []int64{2}}, want: "error: Expand: shapes do not broadcast: [3] and [2]"},
		{op: "Expand", in: []any{"float [3]", []int64{-1}}, want: "error: Expand: -1 is not a size"},
		{op: "Expand", in: []any{"float [1 1]", []int64{1 << 45, 1 << 45}}, want: "error: Expand: output [35184372088832 35184372088832] is too large"},
		{op: "Squeeze", in: []any{"float [1 3 1]", []int64{0}}, want: "float [3 1]"},
		{op: "Squeeze", in: []any{"float [1 3 1]"}, want: "float [3]"},
		{op: "Squeeze", in: []any{"float [1 3 N]"}, want: "float [...]"},
		{op: "Squeeze", in: []any{"float [1 3]", []int64{1}}, want: "error: Squeeze: axis 1 of [1 3] is not 1"},
		{op: "Squeeze", in: []any{"float [1 3]", []int64{math.MinInt64}}, want: "error: Squeeze: axis -9223372036854775808 is outside rank 2"},
		{op: "Unsqueeze", in: []any{"float [3 4]", []int64{-1, 0}}, want: "float [1 3 4 1]"},
		{op: "Unsqueeze", in: []any{"float [3]"}, attrs: attrs(onnx.Ints("axes", 1)), want: "float [3 1]"},
		{op: "Unsqueeze", in: []any{"float [3]", []int64{3}}, want: "error: Unsqueeze: axis 3 is outside rank 2"},
		{op: "DepthToSpace", in: []any{"float [N 12 2 3]"}, attrs: attrs(onnx.Int("blocksize", 2)), want: "float [N 3 4 6]"},
		{op: "DepthToSpace", in: []any{"float [N 10 2 3]"}, attrs: attrs(onnx.Int("blocksize", 2)), want: "error: DepthToSpace: channels 10 does not divide by 4"},
		{op: "SpaceToDepth", in: []any{"float [N 3 4 6]"}, attrs: attrs(onnx.Int("blocksize", 2)), want: "float [N 12 2 3]"},
		{op: "SpaceToDepth", in: []any{"float [N 3 4 6]"}, want: "error: SpaceToDepth: blocksize 0 is not possible"},
	})
}

func TestInferConcatSplitTile(t *testing.T) {
	axis := func(a int64) []onnx.Attr { return attrs(onnx.Int("axis", a)) }
	runInferTests(t, []inferTest{
		{op: "Concat", in: []any{"float [N 3 4]", "float [2 5 ?]"}, attrs: axis(1), want: "float [2 8 4]"},
		{op: "Concat", in: []any{"float [N 3]", "float [M 3]"}, attrs: axis(-2), want: "float [(M + N) 3]"},
		{op: "Concat", in: []any{}, attrs: axis(0), want: "error: Concat: 0 inputs, wants 1 or more"},
		{op: "Concat", in: []any{"float [2]"}, want: "error: Concat: axis is missing"},
		{op: "Concat", in: []any{"float [2 3]", "float [2 4]"}, attrs: axis(0), want: "error: Concat: input 1: axis 1 is 4, wants 3 as the others have"},
		{op: "Concat", in: []any{"float [2 3]", "float [2]"}, attrs: axis(0), want: "error: Concat: ranks differ: [2 3] and [2]"},
		{op: "Concat", in: []any{"float [281474976710656]", "float [281474976710656]"}, attrs: axis(0), want: "error: Concat: axis 0: the sum of 2 sizes is too large"},
		{op: "Split", in: []any{"float [N 6]", []int64{2, 4}}, attrs: axis(1), outs: 2, want: "float [N 2]; float [N 4]"},
		{op: "Split", in: []any{"float [N 6]"}, attrs: axis(1), outs: 3, want: "float [N 2]; float [N 2]; float [N 2]"},
		{op: "Split", in: []any{"float [7]"}, attrs: attrs(onnx.Int("num_outputs", 3)), outs: 3, want: "float [3]; float [3]; float [1]"},
		{op: "Split", in: []any{"float [7]"}, outs: 3, want: "error: Split: 7 does not split into 3 parts"},
		{op: "Split", in: []any{"float [6]", []int64{2, 3}}, outs: 2, want: "error: Split: sizes [2 3] add up to 5, the axis has 6"},
		{op: "Split", in: []any{"float [6]", []int64{math.MaxInt64, 3}}, outs: 2, want: "error: Split: size 9223372036854775807 is not possible"},
		{op: "Split", in: []any{"float [6]", []int64{6}}, outs: 2, want: "error: Split: 1 sizes for 2 outputs"},
		{op: "Tile", in: []any{"float [N 3]", []int64{1, 4}}, want: "float [N 12]"},
		{op: "Tile", in: []any{"float [N 3]", []int64{2, 0}}, want: "float [2*N 0]"},
		{op: "Tile", in: []any{"float [2 3]", []int64{math.MaxInt64, 1}}, want: "error: Tile: axis 0 of [2 3] times 9223372036854775807 overflows"},
		{op: "Tile", in: []any{"float [2 3]", []int64{1}}, want: "error: Tile: 1 repeats for rank 2"},
	})
}

func TestInferSliceAndPad(t *testing.T) {
	const lo, hi = math.MinInt64, math.MaxInt64
	runInferTests(t, []inferTest{
		{op: "Slice", in: []any{"float [N 10]", []int64{2}, []int64{-2}, []int64{1}}, want: "float [N 6]"},
		{op: "Slice", in: []any{"float [10 10]", []int64{1, 0}, []int64{hi, 7}, []int64{0, -1}, []int64{3, 2}}, want: "float [3 4]"},
		{op: "Slice", in: []any{"float [10]", []int64{-1}, []int64{lo}, []int64{0}, []int64{-1}}, want: "float [10]"},
		{op: "Slice", in: []any{"float [10]", []int64{20}, []int64{-20}, []int64{0}, []int64{-4}}, want: "float [3]"},
		{op: "Slice", in: []any{"float [10]", []int64{5}, []int64{2}}, want: "float [0]"},
		{op: "Slice", in: []any{"float [10]", []int64{lo}, []int64{hi}, []int64{0}, []int64{lo}}, want: "float [0]"},
		{op: "Slice", in: []any{"float [10]", []int64{hi}, []int64{lo}, []int64{0}, []int64{lo}}, want: "float [1]"},
		{op: "Slice", in: []any{"float [N 3]", []int64{0}, []int64{hi}}, want: "float [N 3]"},
		{op: "Slice", in: []any{"float [4 3]", "int64 [1]", "int64 [1]", []int64{1}}, want: "float [4 ?]"},
		{op: "Slice", in: []any{"float [10]", []int64{}, []int64{}, []int64{}, []int64{}}, want: "float [10]"},
		{op: "Slice", in: []any{"float [10]", []int64{0}, []int64{1}, []int64{0}, []int64{0}}, want: "error: Slice: step 0 on axis 0"},
		{op: "Slice", in: []any{"float [10]", []int64{0}, []int64{1, 2}}, want: "error: Slice: 1 starts, 2 ends, 1 axes, 0 steps do not match"},
		{op: "Slice", in: []any{"float [10]", []int64{0}, []int64{1}, []int64{1}}, want: "error: Slice: axis 1 is outside rank 1"},
		{op: "Slice", in: []any{"float []", []int64{0}, []int64{1}}, want: "error: Slice: 1 axes for rank 0"},
		{op: "Slice", in: []any{"float [10]"}, want: "error: Slice: starts and ends are both needed"},
		{op: "Slice", in: []any{"float [10 4]"}, attrs: attrs(onnx.Ints("starts", 1), onnx.Ints("ends", 3), onnx.Ints("axes", 1)), want: "float [10 2]"},
		{op: "Pad", in: []any{"float [N 4]", []int64{0, 1, 0, 2}}, want: "float [N 7]"},
		{op: "Pad", in: []any{"float [N 4]", []int64{1, -2}, nil, []int64{-1}}, want: "float [N 3]"},
		{op: "Pad", in: []any{"float [4]", []int64{3, 3}}, attrs: attrs(onnx.Str("mode", "reflect")), want: "float [10]"},
		{op: "Pad", in: []any{"float [4]", []int64{4, 0}}, attrs: attrs(onnx.Str("mode", "reflect")), want: "error: Pad: axis 0: reflect pads 4 and 0 need a size above them, it is 4"},
		{op: "Pad", in: []any{"float [4]", []int64{-3, -3}}, want: "error: Pad: axis 0: pads -3 and -3 cut more than the size 4"},
		{op: "Pad", in: []any{"float [4]", []int64{hi, hi}}, want: "error: Pad: axis 0: pads 9223372036854775807 and 9223372036854775807 are not possible"},
		{op: "Pad", in: []any{"float [4]", []int64{1}}, want: "error: Pad: 1 pads for 1 axes, wants 2"},
		{op: "Pad", in: []any{"float [4]", []int64{1, 1}}, attrs: attrs(onnx.Str("mode", "mirror")), want: `error: Pad: mode "mirror" is not known`},
	})
}

func TestInferIndex(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "Gather", in: []any{"float [N 5 4]", "int64 [2 3]"}, attrs: attrs(onnx.Int("axis", 1)), want: "float [N 2 3 4]"},
		{op: "Gather", in: []any{"float [5]", int64(-5)}, want: "float []"},
		{op: "Gather", in: []any{"float [5]", int64(-6)}, want: "error: Gather: index -6 is outside axis 0 of size 5"},
		{op: "Gather", in: []any{"float [5]", "float [1]"}, want: "error: Gather: indices are float, want int64 or int32"},
		{op: "Gather", in: []any{"float []", "int64 [1]"}, want: "error: Gather: axis 0 is outside rank 0"},
		{op: "GatherElements", in: []any{"float [3 4]", "int64 [3 2]"}, want: "float [3 2]"},
		{op: "GatherND", in: []any{"float [2 3 4]", "int64 [N 2]"}, want: "float [N 4]"},
		{op: "GatherND", in: []any{"float [2 3 4]", "int64 [2 1]"}, attrs: attrs(onnx.Int("batch_dims", 1)), want: "float [2 4]"},
		{op: "GatherND", in: []any{"float [2 3]", "int64 [2 9]"}, want: "error: GatherND: indices of length 9 for rank 2"},
		{op: "ScatterElements", in: []any{"float [3 4]", "int64 [1 2]", "float [1 2]"}, want: "float [3 4]"},
		{op: "ScatterElements", in: []any{"float [3 4]", "int64 [1 2]", "float [2 2]"}, want: "error: ScatterElements: indices [1 2] and updates [2 2] differ in shape"},
		{op: "ScatterND", in: []any{"float [3 4]", "int64 [5 1]", "float [5 4]"}, want: "float [3 4]"},
		{op: "ScatterND", in: []any{"float [3 4]", "int64 [5 1]", "float [5 3]"}, want: "error: ScatterND: updates have shape [5 3], want [5 4]"},
		{op: "Range", in: []any{int64(0), int64(10), int64(3)}, want: "int64 [4]"},
		{op: "Range", in: []any{float32(0), float32(1), float32(-1)}, want: "float [0]"},
		{op: "Range", in: []any{int64(0), int64(10), int64(0)}, want: "error: Range: delta is 0"},
		{op: "Range", in: []any{int64(0), int64(math.MaxInt64), int64(1)}, want: "error: Range: 0 to 9.223372036854776e+18 by 1 is not possible"},
		{op: "ConstantOfShape", in: []any{[]int64{2, 3}}, want: "float [2 3]"},
		{op: "ConstantOfShape", in: []any{"int64 [3]"}, attrs: attrs(onnx.TensorAttr("value", onnx.FromSlice([]int64{7}))), want: "int64 [? ? ?]"},
		{op: "ConstantOfShape", in: []any{[]int64{1 << 48, 1 << 48}}, want: "error: ConstantOfShape: output [281474976710656 281474976710656] is too large"},
		{op: "ConstantOfShape", in: []any{[]int64{-1}}, want: "error: ConstantOfShape: -1 is not a size"},
		{op: "TopK", in: []any{"float [N 9]", []int64{3}}, outs: 2, want: "float [N 3]; int64 [N 3]"},
		{op: "TopK", in: []any{"float [N 9]", []int64{10}}, outs: 2, want: "error: TopK: k = 10 is not possible on axis 1 of [N 9]"},
		{op: "NonZero", in: []any{"float [2 3]"}, want: "int64 [2 ?]"},
		{op: "OneHot", in: []any{"int64 [2 3]", int64(5), "float [2]"}, want: "float [2 3 5]"},
		{op: "OneHot", in: []any{"int64 [2 3]", int64(5), "float [2]"}, attrs: attrs(onnx.Int("axis", 0)), want: "float [5 2 3]"},
	})
}
