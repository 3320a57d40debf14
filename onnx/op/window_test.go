package op

import (
	"testing"

	"graft/onnx"
)

func TestInferConv(t *testing.T) {
	x, w := "float [N 3 32 24]", "float [8 3 3 3]"
	runInferTests(t, []inferTest{
		{op: "Conv", in: []any{x, w}, want: "float [N 8 30 22]"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Ints("pads", 1, 0, 2, 0), onnx.Ints("strides", 2, 3), onnx.Ints("dilations", 1, 2)), want: "float [N 8 17 7]"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Str("auto_pad", "SAME_UPPER"), onnx.Ints("strides", 5, 1)), want: "float [N 8 7 24]"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Str("auto_pad", "VALID"), onnx.Ints("pads", 9, 9, 9, 9)), want: "float [N 8 30 22]"},
		{op: "Conv", in: []any{"float [N 3 H W]", w, "float [8]"}, attrs: attrs(onnx.Ints("pads", 1, 1, 1, 0)), want: "float [N 8 H (W - 1)]"},
		{op: "Conv", in: []any{"float [N 4 9]", "float [6 2 3]"}, attrs: attrs(onnx.Int("group", 2)), want: "float [N 6 7]"},
		{op: "Conv", in: []any{"float [...]", w}, want: "float [...]"},
		{op: "Conv", in: []any{"float [N 4 9 9]", w}, want: "error: Conv: weight wants 3 input channels, input has 4"},
		{op: "Conv", in: []any{"float [N 4 9]", "float [5 2 3]"}, attrs: attrs(onnx.Int("group", 2)), want: "error: Conv: 5 output channels do not divide into 2 groups"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Int("group", 0)), want: "error: Conv: group 0 is not possible"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Int("group", 1<<62)), want: "error: Conv: group 4611686018427387904 is not possible"},
		{op: "Conv", in: []any{x, w, "float [7]"}, want: "error: Conv: bias has 7 entries, wants 8"},
		{op: "Conv", in: []any{x, "float [8 3 3]"}, want: "error: Conv: weight has rank 3, input has rank 4"},
		{op: "Conv", in: []any{"float [3 4]", "float [3 4]"}, want: "error: Conv: input has rank 2, wants 3 or more"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Ints("strides", 2)), want: "error: Conv: strides has 1 entries, wants 2"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Ints("strides", 0, 1)), want: "error: Conv: strides [0 1]: 0 is not possible"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Ints("pads", 1, 1, 1)), want: "error: Conv: pads has 3 entries, wants 4"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Ints("pads", -1, 1, 1, 1)), want: "error: Conv: pads [-1 1 1 1]: -1 is not possible"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Ints("dilations", 1, 1, 1)), want: "error: Conv: dilations has 3 entries, wants 2"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Ints("kernel_shape", 3, 5)), want: "error: Conv: kernel_shape [3 5] contradicts the weight [8 3 3 3]"},
		{op: "Conv", in: []any{"float [1 3 2 2]", w}, want: "error: Conv: window of 3 does not fit axis 2 of size 2 with pads 0 and 0"},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Str("auto_pad", "SOME")), want: `error: Conv: auto_pad "SOME" is not known`},
		{op: "Conv", in: []any{x, w}, attrs: attrs(onnx.Ints("dilations", 1<<31, 1<<31)), want: "error: Conv: window of 4294967297 does not fit axis 2 of size 32 with pads 0 and 0"},
	})
}

func TestInferConvTranspose(t *testing.T) {
	x, w := "float [N 8 16 12]", "float [8 3 3 3]"
	runInferTests(t, []inferTest{
		{op: "ConvTranspose", in: []any{x, w}, want: "float [N 3 18 14]"},
		{op: "ConvTranspose", in: []any{x, w, "float [3]"}, attrs: attrs(onnx.Ints("strides", 2, 2), onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("output_padding", 1, 0)), want: "float [N 3 32 23]"},
		{op: "ConvTranspose", in: []any{x, w}, attrs: attrs(onnx.Ints("output_shape", 40, 30), onnx.Ints("strides", 2, 2)), want: "float [N 3 40 30]"},
		{op: "ConvTranspose", in: []any{x, w}, attrs: attrs(onnx.Str("auto_pad", "SAME_LOWER"), onnx.Ints("strides", 2, 3)), want: "float [N 3 32 36]"},
		{op: "ConvTranspose", in: []any{x, w}, attrs: attrs(onnx.Int("group", 4)), want: "float [N 12 18 14]"},
		{op: "ConvTranspose", in: []any{"float [N 8 H 12]", w}, want: "float [N 3 (H + 2) 14]"},
		{op: "ConvTranspose", in: []any{"float [N 4 9 9]", w}, want: "error: ConvTranspose: weight wants 8 input channels, input has 4"},
		{op: "ConvTranspose", in: []any{x, w}, attrs: attrs(onnx.Ints("pads", 20, 0, 0, 0)), want: "error: ConvTranspose: axis 2 would have size -2"},
		{op: "ConvTranspose", in: []any{"float [1 8 281474976710656 1]", w}, attrs: attrs(onnx.Ints("strides", 1<<31, 1)), want: "error: ConvTranspose: axis 2 of size 281474976710656 with stride 2147483648 overflows"},
		{op: "ConvTranspose", in: []any{x, w}, attrs: attrs(onnx.Ints("output_shape", 40)), want: "error: ConvTranspose: output_shape has 1 entries, wants 2"},
		{op: "ConvTranspose", in: []any{x, w}, attrs: attrs(onnx.Ints("output_padding", 1, 1, 1)), want: "error: ConvTranspose: output_padding has 3 entries, wants 2"},
	})
}

func TestInferPool(t *testing.T) {
	x := "float [N 3 7 8]"
	k := onnx.Ints("kernel_shape", 2, 2)
	s := onnx.Ints("strides", 2, 2)
	runInferTests(t, []inferTest{
		{op: "MaxPool", in: []any{x}, attrs: attrs(k, s), want: "float [N 3 3 4]"},
		{op: "MaxPool", in: []any{x}, attrs: attrs(k, s, onnx.Int("ceil_mode", 1)), want: "float [N 3 4 4]"},
		{op: "MaxPool", in: []any{x}, attrs: attrs(k, s), outs: 2, want: "float [N 3 3 4]; int64 [N 3 3 4]"},
		{op: "AveragePool", in: []any{x}, attrs: attrs(k, s, onnx.Str("auto_pad", "SAME_UPPER")), want: "float [N 3 4 4]"},
		// The window that would begin in the end padding is dropped.
		{op: "AveragePool", in: []any{"float [1 1 2 2]"}, attrs: attrs(onnx.Ints("kernel_shape", 1, 1), s, onnx.Ints("pads", 0, 0, 1, 0), onnx.Int("ceil_mode", 1)), want: "float [1 1 2 1]"},
		{op: "AveragePool", in: []any{"float [1 1 2 2]"}, attrs: attrs(onnx.Ints("kernel_shape", 1, 1), onnx.Ints("strides", 3, 3), onnx.Ints("pads", 0, 0, 1, 1), onnx.Int("ceil_mode", 1)), want: "float [1 1 1 1]"},
		{op: "MaxPool", in: []any{x}, want: "error: MaxPool: kernel_shape is missing"},
		{op: "MaxPool", in: []any{x}, attrs: attrs(onnx.Ints("kernel_shape", 2)), want: "error: MaxPool: strides has 1 entries, wants 2"},
		{op: "MaxPool", in: []any{x}, attrs: attrs(onnx.Ints("kernel_shape", 0, 2)), want: "error: MaxPool: kernel size 0 is not possible"},
		{op: "MaxPool", in: []any{x}, attrs: attrs(onnx.Ints("kernel_shape", 1<<62, 2)), want: "error: MaxPool: kernel size 4611686018427387904 is not possible"},
		{op: "GlobalAveragePool", in: []any{x}, want: "float [N 3 1 1]"},
		{op: "GlobalMaxPool", in: []any{"float [3]"}, want: "error: GlobalMaxPool: input has rank 1, wants 2 or more"},
	})
}

func TestInferResize(t *testing.T) {
	x := "float [N 3 7 8]"
	runInferTests(t, []inferTest{
		{op: "Resize", in: []any{x, nil, []float32{1, 1, 2, 2.5}}, want: "float [N 3 14 20]"},
		{op: "Resize", in: []any{x, nil, nil, []int64{1, 3, 9, 9}}, want: "float [1 3 9 9]"},
		{op: "Resize", in: []any{x, "float [0]", "float [0]", []int64{1, 3, 9, 9}}, want: "float [1 3 9 9]"},
		{op: "Resize", in: []any{x, nil, []float32{3, 2}}, attrs: attrs(onnx.Ints("axes", -1, 2)), want: "float [N 3 14 24]"},
		{op: "Resize", in: []any{x, nil, "float [4]"}, want: "float [? ? ? ?]"},
		{op: "Resize", in: []any{x}, want: "error: Resize: wants either scales or sizes"},
		{op: "Resize", in: []any{x, nil, []float32{1, 1, 2}}, want: "error: Resize: 3 scales for 4 axes"},
		{op: "Resize", in: []any{x, nil, []float32{1, 1, 2, -2}}, want: "error: Resize: scale -2 is not possible"},
		{op: "Resize", in: []any{x, nil, []float32{1, 1, 2, 1e30}}, want: "error: Resize: size 8 times 1e+30 is too large"},
		{op: "Resize", in: []any{x, nil, nil, []int64{1, 3, 9, -1}}, want: "error: Resize: size -1 is not possible"},
		{op: "Upsample", in: []any{x, []float32{1, 1, 2, 2}}, want: "float [N 3 14 16]"},
	})
}

func TestUnpoolAndRegions(t *testing.T) {
	kernel, strides := onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2)
	runInferTests(t, []inferTest{
		{op: "MaxUnpool", in: []any{"float [N 3 2 ?]", "int64 [N 3 2 ?]"}, attrs: []onnx.Attr{kernel, strides}, want: "float [N 3 4 ?]"},
		{op: "MaxUnpool", in: []any{"float [N 3 2 2]", "int64 [N 3 2 2]", []int64{1, 3, 5, 5}}, attrs: []onnx.Attr{kernel, strides}, want: "float [1 3 5 5]"},
		{op: "MaxUnpool", in: []any{"float [N 3 2]", "int64 [N 3 2]"}, attrs: []onnx.Attr{kernel}, want: "error: MaxUnpool: input has rank 3, wants 4"},
		{op: "MaxRoiPool", in: []any{"float [N 3 8 8]", "float [R 5]"}, attrs: []onnx.Attr{onnx.Ints("pooled_shape", 2, 3)}, want: "float [R 3 2 3]"},
		{op: "MaxRoiPool", in: []any{"float [N 3 8 8]", "float [R 4]"}, attrs: []onnx.Attr{onnx.Ints("pooled_shape", 2, 3)}, want: "error: MaxRoiPool: regions [R 4], wants 5 numbers each"},
	})
}
