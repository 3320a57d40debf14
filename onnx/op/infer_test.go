package op

import (
	"strconv"
	"strings"
	"testing"

	"graft/onnx"
)

// inferTest is one node: its inputs are types as text, constants ([]int64, []float32, int64, float32) or nil for absent;
// want is the types of its outputs, or "error: " and the message.
type inferTest struct {
	op    string
	in    []any
	attrs []onnx.Attr
	outs  int
	want  string
}

func runInferTests(t *testing.T, tests []inferTest) {
	t.Helper()
	for _, c := range tests {
		n := testNode(c.op, c.in, max(c.outs, 1), c.attrs)
		types, err := Infer(n)
		parts := make([]string, len(types))
		for i, ty := range types {
			parts[i] = ty.String()
		}
		got := strings.Join(parts, "; ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != c.want {
			t.Errorf("%s%s %v:\n got %s\nwant %s", c.op, inputShapes(n), c.attrs, got, c.want)
		}
	}
}

func testNode(op string, in []any, outs int, attrs []onnx.Attr) *onnx.Node {
	g := onnx.NewGraph("test")
	values := make([]*onnx.Value, len(in))
	for i, x := range in {
		switch x := x.(type) {
		case string:
			values[i] = g.AddInput("", parseType(x))
		case []int64:
			values[i] = g.AddInitializer("", onnx.FromSlice(x))
		case []float32:
			values[i] = g.AddInitializer("", onnx.FromSlice(x))
		case int64:
			values[i] = g.AddInitializer("", onnx.Scalar(x))
		case float32:
			values[i] = g.AddInitializer("", onnx.Scalar(x))
		case onnx.TensorType:
			values[i] = g.AddInput("", x)
		}
	}
	return g.Add(op, values, outs, attrs...)
}

// parseType reads "float [N 3 ? 5]".
func parseType(s string) onnx.TensorType {
	name, dims, _ := strings.Cut(s, " [")
	d, _ := onnx.ParseDataType(name)
	if dims == "...]" {
		return onnx.TensorType{DType: d}
	}
	shape := onnx.NewShape()
	for _, f := range strings.Fields(strings.TrimSuffix(dims, "]")) {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil {
			shape = append(shape, size(n))
		} else if f == "?" {
			shape = append(shape, onnx.UnknownDim)
		} else {
			shape = append(shape, onnx.Dim{Symbol: f})
		}
	}
	return onnx.TensorType{DType: d, Shape: shape}
}

func attrs(a ...onnx.Attr) []onnx.Attr { return a }

func TestInferElementwise(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "Add", in: []any{"float [2 3]", "float [3]"}, want: "float [2 3]"},
		{op: "Add", in: []any{"float [N 1 4]", "float [5 1]"}, want: "float [N 5 4]"},
		{op: "Add", in: []any{"float [N]", "float [N]"}, want: "float [N]"},
		{op: "Add", in: []any{"float [N]", "float [M]"}, want: "float [?]"},
		{op: "Add", in: []any{"float [N]", "float [7]"}, want: "float [7]"},
		{op: "Add", in: []any{"float [...]", "float [7]"}, want: "float [...]"},
		{op: "Add", in: []any{"float [0]", "float [1]"}, want: "float [0]"},
		{op: "Add", in: []any{"float [2 3]", "float [4]"}, want: "error: Add: shapes do not broadcast: [2 3] and [4]"},
		{op: "Add", in: []any{"float [2]", "double [2]"}, want: "error: Add: element types differ: float and double"},
		{op: "Add", in: []any{"float [2]"}, want: "error: Add: 1 inputs, wants 2"},
		{op: "Add", in: []any{"bool [2]", "bool [2]"}, want: "error: Add: does not take bool"},
		{op: "Add", in: []any{nil, "float [2]"}, want: "error: Add: input 0 is absent"},
		{op: "Sum", in: []any{"float [2 1]", "float [3]", "float []"}, want: "float [2 3]"},
		{op: "Max", in: []any{"int8 [2]"}, want: "int8 [2]"},
		{op: "Pow", in: []any{"float [2 1]", "int64 [3]"}, want: "float [2 3]"},
		{op: "Mod", in: []any{"int32 [2]", "int32 []"}, want: "int32 [2]"},
		{op: "Mod", in: []any{"float [2]", "float []"}, want: "error: Mod: float needs fmod = 1"},
		{op: "Sqrt", in: []any{"int64 [2]"}, want: "error: Sqrt: does not take int64"},
		{op: "Where", in: []any{"bool [2 1]", "float [3]", "float []"}, want: "float [2 3]"},
		{op: "Where", in: []any{"int64 [2]", "float [2]", "float [2]"}, want: "error: Where: condition is int64, wants bool"},
		{op: "Clip", in: []any{"float [2]", float32(0), nil}, want: "float [2]"},
		{op: "Clip", in: []any{"float [2]", "float [2]"}, want: "error: Clip: bound has shape [2], wants a scalar"},
		{op: "Cast", in: []any{"float [N 2]"}, attrs: attrs(onnx.Int("to", 7)), want: "int64 [N 2]"},
		{op: "Cast", in: []any{"float [2]"}, attrs: attrs(onnx.Int("to", 99)), want: "error: Cast: to = 99 is not an element type"},
		{op: "Cast", in: []any{"float [2]"}, attrs: attrs(onnx.Int("to", 1<<32+1)), want: "error: Cast: to = 4294967297 is not an element type"},
		{op: "Less", in: []any{"float [2 1]", "float [3]"}, want: "bool [2 3]"},
		{op: "Not", in: []any{"bool [N]"}, want: "bool [N]"},
		{op: "IsNaN", in: []any{"float [N]"}, want: "bool [N]"},
		{op: "NoSuch", in: []any{"float [N]"}, want: "error: NoSuch: no such operator in the table"},
	})
}

func TestInferActivationAndNorm(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "Relu", in: []any{"float [N C]"}, want: "float [N C]"},
		{op: "PRelu", in: []any{"float [N 4 2 2]", "float [4 1 1]"}, want: "float [N 4 2 2]"},
		{op: "PRelu", in: []any{"float [4]", "float [2 4]"}, want: "error: PRelu: slope: [2 4] does not broadcast to [4]"},
		{op: "Shrink", in: []any{"int32 [N 3]"}, want: "int32 [N 3]"},
		{op: "Swish", in: []any{"float16 [N 3]"}, want: "float16 [N 3]"},
		{op: "Swish", in: []any{"int32 [N 3]"}, want: "error: Swish: does not take int32"},
		{op: "SwiGLU", in: []any{"float [N 3]", "float [4 ?]"}, want: "float [4 3]"},
		{op: "SwiGLU", in: []any{"float [2 3]", "float [1 3]"}, want: "error: SwiGLU: gate [2 3] and value [1 3] have different shapes"},
		{op: "SwiGLU", in: []any{"float [2 3]", "float [3]"}, want: "error: SwiGLU: gate [2 3] and value [3] have different shapes"},
		{op: "SwiGLU", in: []any{"float [...]", "float [3]"}, want: "float [3]"},
		{op: "RMSNormalization", in: []any{"float16 [N S 8]", "float [8]"}, want: "float [N S 8]"},
		{op: "RMSNormalization", in: []any{"float [2 3 4]", "float [3 4]"}, attrs: attrs(onnx.Int("axis", -2)), want: "float [2 3 4]"},
		{op: "RMSNormalization", in: []any{"float [2 3]", "float [2]"}, want: "error: RMSNormalization: input 1: [2] does not broadcast to [2 3]"},
		{op: "RMSNormalization", in: []any{"float [2 3]", "float [3]"}, attrs: attrs(onnx.Int("axis", 2)), want: "error: RMSNormalization: axis 2 is outside rank 2"},
		{op: "Softmax", in: []any{"float [2 3]"}, attrs: attrs(onnx.Int("axis", -3)), want: "error: Softmax: axis -3 is outside rank 2"},
		{op: "Dropout", in: []any{"float [2 3]"}, outs: 2, want: "float [2 3]; bool [2 3]"},
		{op: "InstanceNormalization", in: []any{"float [1 8 4 4]", "float [8]", "float [8]"}, want: "float [1 8 4 4]"},
		{op: "InstanceNormalization", in: []any{"float [1 8 4 4]", "float [8]", "float [7]"},
			want: "error: InstanceNormalization: input 2 has 7 entries, x has 8 channels"},
		{op: "InstanceNormalization", in: []any{"float [8]", "float [8]", "float [8]"},
			want: "error: InstanceNormalization: input has rank 1, wants 2 or more"},
		{op: "BatchNormalization", in: []any{"float [N C 4]", "float [8]", "float [8]", "float [8]", "float [8]"}, outs: 3,
			want: "float [N C 4]; float [8]; float [8]"},
		{op: "LayerNormalization", in: []any{"float [2 3 4]", "float [3 4]"}, attrs: attrs(onnx.Int("axis", 1)), outs: 3,
			want: "float [2 3 4]; float [2 1 1]; float [2 1 1]"},
	})
}

func TestInferMatrix(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "MatMul", in: []any{"float [2 3]", "float [3 4]"}, want: "float [2 4]"},
		{op: "MatMul", in: []any{"float [3]", "float [3 4]"}, want: "float [4]"},
		{op: "MatMul", in: []any{"float [2 3]", "float [3]"}, want: "float [2]"},
		{op: "MatMul", in: []any{"float [3]", "float [3]"}, want: "float []"},
		{op: "MatMul", in: []any{"float [N 1 2 3]", "float [5 3 4]"}, want: "float [N 5 2 4]"},
		{op: "MatMul", in: []any{"float [1 3]", "float [4 2]"}, want: "error: MatMul: inner dimensions differ: [1 3] x [4 2]"},
		{op: "MatMul", in: []any{"float []", "float [4 2]"}, want: "error: MatMul: scalar operand: [] x [4 2]"},
		{op: "Gemm", in: []any{"float [3 N]", "float [4 3]", "float [4]"}, attrs: attrs(onnx.Int("transA", 1), onnx.Int("transB", 1)), want: "float [N 4]"},
		{op: "Gemm", in: []any{"float [2 3]", "float [3 4]", "float [5]"}, want: "error: Gemm: third operand: [5] does not broadcast to [2 4]"},
		{op: "Gemm", in: []any{"float [2 3 1]", "float [3 4]"}, want: "error: Gemm: first operand has rank 3, wants 2"},
		{op: "Transpose", in: []any{"float [N 3 4]"}, want: "float [4 3 N]"},
		{op: "Transpose", in: []any{"float [N 3 4]"}, attrs: attrs(onnx.Ints("perm", 1, 0, 2)), want: "float [3 N 4]"},
		{op: "Transpose", in: []any{"float [2 3]"}, attrs: attrs(onnx.Ints("perm", 0, 0)), want: "error: Transpose: perm [0 0] is not a permutation of rank 2"},
		{op: "Transpose", in: []any{"float [2 3]"}, attrs: attrs(onnx.Ints("perm", 0, 1<<62)), want: "error: Transpose: perm [0 4611686018427387904] is not a permutation of rank 2"},
		{op: "Einsum", in: []any{"float [B 2 3]", "float [B 3 4]"}, attrs: attrs(onnx.Str("equation", "bij,bjk->bik")), want: "float [B 2 4]"},
		{op: "Einsum", in: []any{"float [5 2 3]", "float [3 4]"}, attrs: attrs(onnx.Str("equation", "...ij,jk->...ik")), want: "float [5 2 4]"},
		{op: "Einsum", in: []any{"float [3 2]", "float [2 3]"}, attrs: attrs(onnx.Str("equation", "...i,...->")), want: `error: Einsum: equation "...i,...->": ... is 1 axes and 2`},
		{op: "Einsum", in: []any{"float [3 2]"}, attrs: attrs(onnx.Str("equation", "ba")), want: "float [2 3]"},
		{op: "Einsum", in: []any{"float [3 2]"}, attrs: attrs(onnx.Str("equation", "ab->c")), want: `error: Einsum: equation "ab->c": no input has axis c`},
		{op: "Einsum", in: []any{"float [3 2]"}, attrs: attrs(onnx.Str("equation", "a")), want: `error: Einsum: equation "a": term "a" for rank 2`},
	})
}

func TestInferReduce(t *testing.T) {
	runInferTests(t, []inferTest{
		{op: "ReduceSum", in: []any{"float [N 3 4]", []int64{-1}}, want: "float [N 3 1]"},
		{op: "ReduceSum", in: []any{"float [N 3 4]", []int64{0, 2}}, attrs: attrs(onnx.Int("keepdims", 0)), want: "float [3]"},
		{op: "ReduceMean", in: []any{"float [N 3 4]"}, want: "float [1 1 1]"},
		{op: "ReduceMean", in: []any{"float [N 3 4]"}, attrs: attrs(onnx.Int("keepdims", 0)), want: "float []"},
		{op: "ReduceMean", in: []any{"float [N 3 4]"}, attrs: attrs(onnx.Ints("axes", 1)), want: "float [N 1 4]"},
		{op: "ReduceMax", in: []any{"float [N 3]", "int64 [1]"}, want: "float [? ?]"},
		{op: "ReduceMax", in: []any{"float [N 3]", "int64 [1]"}, attrs: attrs(onnx.Int("keepdims", 0)), want: "float [?]"},
		{op: "ReduceMax", in: []any{"float [N 3]", "int64 [?]"}, attrs: attrs(onnx.Int("keepdims", 0)), want: "float [...]"},
		{op: "ReduceSum", in: []any{"float [N 3]"}, attrs: attrs(onnx.Int("noop_with_empty_axes", 1)), want: "float [N 3]"},
		{op: "ReduceSum", in: []any{"float [2 3]", []int64{-9223372036854775808}}, want: "error: ReduceSum: axis -9223372036854775808 is outside rank 2"},
		{op: "ReduceSum", in: []any{"float [2 3]", []int64{1, -1}}, want: "error: ReduceSum: axis -1 is listed twice"},
		{op: "ArgMax", in: []any{"float [2 3]"}, attrs: attrs(onnx.Int("axis", 1), onnx.Int("keepdims", 0)), want: "int64 [2]"},
		{op: "CumSum", in: []any{"float [2 3]", int64(2)}, want: "error: CumSum: axis 2 is outside rank 2"},
	})
}
