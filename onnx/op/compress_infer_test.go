package op

import (
	"testing"

	"graft/onnx"
)

func TestInferCompress(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "Compress", in: []any{"float [2 3]", "bool [3]"}, want: "float [?]"},
		{op: "Compress", in: []any{"float [N 3]", "bool [2]"}, attrs: attrs(onnx.Int("axis", -1)), want: "float [N ?]"},
		{op: "Compress", in: []any{"float [...]", "bool [2]"}, attrs: attrs(onnx.Int("axis", 0)), want: "float [...]"},
		{op: "Compress", in: []any{"float [2 3]", "bool [4]"}, attrs: attrs(onnx.Int("axis", 1)),
			want: "error: Compress: condition has 4 entries, axis 1 has 3"},
		{op: "Compress", in: []any{"float [2 3]", "int64 [2]"}, want: "error: Compress: condition is int64, wants bool"},
		{op: "ReverseSequence", in: []any{"float [T N 3]", "int64 [N]"}, want: "float [T N 3]"},
		{op: "ReverseSequence", in: []any{"float [4 2]", "int64 [3]"}, want: "error: ReverseSequence: 3 lengths for a batch of 2"},
		{op: "ReverseSequence", in: []any{"float [4 2]", "int64 [2]"}, attrs: attrs(onnx.Int("batch_axis", 0)),
			want: "error: ReverseSequence: batch_axis 0 and time_axis 0, want 0 and 1"},
		{op: "TensorScatter", in: []any{"float [N 4 L 8]", "float [2 4 S 8]", "int64 [2]"}, want: "float [2 4 L 8]"},
		{op: "TensorScatter", in: []any{"float [2 3 4]", "float [2 5 4]"}, want: "error: TensorScatter: update [2 5 4] is larger than cache [2 3 4]"},
		{op: "TensorScatter", in: []any{"float [2 3 4]", "float [2 1 4]"}, attrs: attrs(onnx.Int("axis", 0)),
			want: "error: TensorScatter: axis 0 is the batch's"},
		{op: "CumProd", in: []any{"float [N 3]", int64(1)}, want: "float [N 3]"},
	})
}
