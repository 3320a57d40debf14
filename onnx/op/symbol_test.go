package op

import (
	"testing"

	"graft/onnx"
)

func TestSymbolArithmetic(t *testing.T) {
	d := func(s string) onnx.Dim { return onnx.Dim{Symbol: s} }
	for _, c := range []struct {
		got  onnx.Dim
		want string
	}{
		{sumDim(d("N"), d("N")), "2*N"},
		{sumDim(d("N"), d("M")), "M + N"},
		{sumDim(d("M + N"), d("N - 3")), "M + 2*N - 3"},
		{sumDim(d("N - 3"), size(3)), "N"},
		{productDim(d("N"), size(12)), "12*N"},
		{productDim(d("S"), d("12*N")), "12*N*S"},
		{productDim(d("N + 1"), d("N - 1")), "N*N - 1"},
		{productDim(d("N"), size(0)), "0"},
		{productDim(d("N"), onnx.UnknownDim), "?"},
		{quotientDim(d("12*N*S"), d("N")), "12*S"},
		{quotientDim(d("12*N*S"), size(5)), "?"},
		{quotientDim(d("N"), d("M")), "?"},
		{quotientDim(d("N"), d("N")), "1"},
		{quotientDim(d("N + 1"), d("N + 1")), "1"},
		{quotientDim(d("N*N - 1"), d("N + 1")), "?"}, // division is by one term
		{quotientDim(d("N"), size(0)), "?"},
		{floorDim(d("4*H + 3"), 2), "2*H + 1"},
		{floorDim(d("4*H - 3"), 2), "2*H - 2"},
		{floorDim(d("H"), 2), "floor(H/2)"},
		{floorDim(d("H - 1"), 2), "floor((H + 1)/2) - 1"},
		{floorDim(d("2*N + H - 1"), 2), "N + floor((H + 1)/2) - 1"},
		{floorDim(d("floor((H + 1)/2) + 1"), 2), "floor((H + 3)/4)"},
		{sumDim(d("floor(H/2)"), d("floor(H/2)")), "2*floor(H/2)"},
		{productDim(d("min(3, S)"), d("N")), "N*min(3, S)"},
		{sumDim(d("ceil(H/2)"), size(1)), "?"},
		{shiftedDim(d("H"), -3), "H - 3"},
		{shiftedDim(size(2), -3), "?"},
		{sumDim(d("a file's own"), size(1)), "?"},
		{aboveZero(d("N + 1")), "N + 1"},
		{aboveZero(d("N - 1")), "max(0, N - 1)"},
		{atMost(d("S"), 512), "min(512, S)"},
		{atMost(d("min(512, S)"), 9999), "min(512, S)"},
		{atMost(d("S + 4"), 3), "3"},
	} {
		if got := c.got.String(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// TestSymbolsStay: a symbolic batch stays one through what networks do to it.
func TestSymbolsStay(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "Reshape", in: []any{"float [N S 768]", []int64{0, -1, 12, 64}}, want: "float [N S 12 64]"},
		{op: "Reshape", in: []any{"float [N S 12 64]", []int64{0, 0, -1}}, want: "float [N S 768]"},
		{op: "Reshape", in: []any{"float [N S 768]", []int64{-1, 768}}, want: "float [N*S 768]"},
		{op: "Flatten", in: []any{"float [N 8 2 2]"}, want: "float [N 32]"},
		{op: "Conv", in: []any{"float [N 3 32 32]", "float [8 3 3 3]"}, attrs: attrs(onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("strides", 2, 2)), want: "float [N 8 16 16]"},
		{op: "Conv", in: []any{"float [N 3 4*H W]", "float [8 3 2 1]"}, attrs: attrs(onnx.Ints("strides", 2, 1)), want: "float [N 8 2*H W]"},
		{op: "ConvTranspose", in: []any{"float [N 3 H 4]", "float [3 8 2 2]"}, attrs: attrs(onnx.Ints("strides", 2, 2)), want: "float [N 8 2*H 8]"},
		{op: "MaxPool", in: []any{"float [N 3 2*H 4]"}, attrs: attrs(onnx.Ints("kernel_shape", 2, 2), onnx.Ints("strides", 2, 2)), want: "float [N 3 H 2]"},
		{op: "Conv", in: []any{"float [N 3 H W]", "float [8 3 3 3]"}, attrs: attrs(onnx.Ints("pads", 1, 1, 1, 1), onnx.Ints("strides", 2, 2)),
			want: "float [N 8 (floor((H + 1)/2)) (floor((W + 1)/2))]"},
		{op: "Conv", in: []any{"float [N 3 H W]", "float [8 3 1 1]"}, attrs: attrs(onnx.Ints("strides", 2, 2)),
			want: "float [N 8 (floor((H + 1)/2)) (floor((W + 1)/2))]"},
		{op: "Resize", in: []any{"float [N 3 H 4]", nil, []float32{1, 1, 2, 2}}, want: "float [N 3 2*H 8]"},
		{op: "SpaceToDepth", in: []any{"float [N 3 2*H 4]"}, attrs: attrs(onnx.Int("blocksize", 2)), want: "float [N 12 H 2]"},
		{op: "DepthToSpace", in: []any{"float [N 12 H 2]"}, attrs: attrs(onnx.Int("blocksize", 2)), want: "float [N 3 2*H 4]"},
		{op: "Pad", in: []any{"float [N H]", []int64{0, 1, 0, 1}}, want: "float [N (H + 2)]"},
		{op: "Concat", in: []any{"float [N P 4]", "float [N S 4]"}, attrs: attrs(onnx.Int("axis", 1)), want: "float [N (P + S) 4]"},
		{op: "Split", in: []any{"float [3*N 4]"}, outs: 3, want: "float [N 4]; float [N 4]; float [N 4]"},
		{op: "Slice", in: []any{"float [N S]", []int64{1}, []int64{1 << 62}, []int64{1}}, want: "float [N (max(0, S - 1))]"},
		{op: "Slice", in: []any{"float [N S]", []int64{0}, []int64{-1}, []int64{1}}, want: "float [N (max(0, S - 1))]"},
		{op: "Slice", in: []any{"float [N S]", []int64{0}, []int64{1}, []int64{1}}, want: "float [N (min(1, S))]"},
		{op: "Add", in: []any{"float [N S 4]", "float [1 min(512,S) 4]"}, want: "float [N ? 4]"}, // not as atMost writes it
		{op: "Tile", in: []any{"float [N 3]", []int64{2, 2}}, want: "float [2*N 6]"},
	})
	cut := onnx.Shape{size(1), atMost(onnx.Dim{Symbol: "S"}, 512), size(4)}
	if s, err := broadcastShapes(parseType("float [N S 4]").Shape, cut); err != nil || s.String() != "[N S 4]" {
		t.Errorf("%v, %v", s, err)
	}
}
