package precision_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/precision"
)

// TestRound holds the rounding against ScalarTensor's, which goes by powers of two: every pattern's number, its neighbours
// and the numbers half-way between.
func TestRound(t *testing.T) {
	for _, to := range []onnx.DataType{onnx.Float16, onnx.BFloat16} {
		patterns := onnx.NewTensor(to, 1<<16)
		for i := range onnx.View[uint16](patterns) {
			onnx.View[uint16](patterns)[i] = uint16(i)
		}
		exact, _ := patterns.Reals()
		var values []float32
		for i, v := range exact {
			next := exact[(i+1)%len(exact)]
			values = append(values, float32(v), float32((v+next)/2), float32(v*(1+1e-4)), float32(v*(1-1e-4)))
		}
		got := onnx.View[uint16](precision.Round(onnx.FromSlice(values), to))
		for i, v := range values {
			want, err := op.ScalarTensor(to, float64(v))
			if err != nil {
				t.Fatal(err)
			}
			if w := onnx.View[uint16](want)[0]; got[i] != w && !math.IsNaN(float64(v)) {
				t.Fatalf("%v to %v: %#x, want %#x", v, to, got[i], w)
			}
		}
	}
}

func convert(t *testing.T, opset int, body string, p precision.Plan) (*onnx.Model, *precision.Report) {
	t.Helper()
	m := onnxtest.Parse(t, fmt.Sprintf("<ir_version: 8, opset_import: [\"\" : %d]>\ng %s", opset, body))
	op.InferModel(m)
	m.Graph.AssignNames()
	report, err := precision.Convert(m, p)
	if err != nil {
		t.Fatal(err)
	}
	m.Graph.AssignNames()
	for _, f := range onnx.Check(m) {
		if f.Severity == onnx.Error {
			t.Errorf("%v", f)
		}
	}
	if err := op.InferGraph(m.Clone().Graph); err != nil {
		t.Errorf("%v\n%s", err, m.Text())
	}
	return m, report
}

// TestConvert says what becomes of each kind of node and value.
func TestConvert(t *testing.T) {
	half := precision.Plan{To: onnx.Float16}
	for _, c := range []struct {
		name, body string
		plan       precision.Plan
		casts      int
		kept       string // operators that stay
		has, lacks string // of the text
	}{
		{"all of it", "(float[2,2] x) => (float[2,2] y) <float[2,2] w = {1, 2, 3, 4}> { y = MatMul(x, w) }", half, 0, "", "float16[2,2] w", ""},
		{"inputs and outputs stay", "(float[2] x) => (float[2] y) { y = Relu(x) }", precision.Plan{To: onnx.Float16, KeepIO: true}, 2, "", "float[2] x", ""},
		{"scales stay", "(float[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] s = {1, 1, 2, 2}> { y = Resize(x, , s) }", half, 0, "", "float[4] s", "float16[4]"},
		{"range stays", "(float a) => (float[N] y) <float b = {3}, float c = {1}> { r = Range(a, b, c)\n y = Relu(r) }", half, 2, "Range", "", ""},
		{"what overflows stays", "(float[2] x) => (float[2] y) <float c = {-1e9}> { z = Relu(x)\n y = Add(z, c) }", half, 2, "Add", "float c", ""},
		{"what underflows stays", "(float[2] x) => (float[2] y) <float c = {1e-12}> { z = Relu(x)\n y = Add(z, c) }", half, 2, "Add", "float c", ""},
		{"infinite constants do not", "(float[2] x) => (float[2] y) { c = Constant<value = float {-inf}>()\n y = Max(x, c) }", half, 0, "", "", ""},
		{"a weight of both", "(float[2] x) => (float[2] y, float[2] z) <float[2] w = {1, 2}> { y = Add(x, w)\n z = Mul(x, w) }",
			precision.Plan{To: onnx.Float16, Keep: map[string]string{"z": "asked for"}}, 2, "Mul", "float[2] w", ""},
		{"weights of what stays", "(float[2,16] x) => (float[2,16] y) <float[16,16] w = {" + strings.Repeat("1, ", 255) + "1}> { y = MatMul(x, w) }",
			precision.Plan{To: onnx.Float16, KeepIO: true, Thin: true, Keep: map[string]string{"y": "asked for"}}, 1, "MatMul", "float16[16,16] w", ""},
		{"graphs inside", "(bool b, float[2] x) => (float[2] y) { h = Relu(x)\n y = If(b) <then_branch = t () => (float[2] u) { u = Neg(h) }, else_branch = e () => (float[2] v) { v = Abs(h) }> }", half, 3, "If", "", ""},
		{"casts", "(int64[2] x) => (float[2] y) { z = Cast<to = 1>(x)\n y = Relu(z) }", half, 0, "", "to: int = 10", ""},
		{"made by shape", "(int64[1] s) => (float[N] y) { y = ConstantOfShape(s) }", half, 0, "", "float16[1]", ""},
		{"back", "(float16[2] x) => (float16[2] y) <float16[2] w = {1, 2}> { y = Add(x, w) }", precision.Plan{To: onnx.Float}, 0, "", "float[2] w", "float16"},
		{"an overflowing output stays", "(float[2] x) => (float[2] y) { z = Relu(x)\n y = Exp(z) }",
			precision.Plan{To: onnx.Float16, Wide: map[string]bool{"y": true}}, 1, "Exp", "float[2] y", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, report := convert(t, 13, c.body, c.plan)
			var kept []string
			for _, k := range report.Kept {
				kept = append(kept, k.Op)
			}
			text := m.Text()
			if got := strings.Join(kept, " "); got != c.kept || report.Casts != c.casts {
				t.Errorf("stays: %q, want %q; %d casts, want %d\n%s", got, c.kept, report.Casts, c.casts, text)
			}
			squeezed := strings.ReplaceAll(text, ", ", ",")
			if !strings.Contains(squeezed, c.has) || c.lacks != "" && strings.Contains(squeezed, c.lacks) {
				t.Errorf("wants %q and not %q:\n%s", c.has, c.lacks, text)
			}
		})
	}
}
