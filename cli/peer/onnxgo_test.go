package peer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
)

func model(t *testing.T, text string) *onnx.Model {
	t.Helper()
	m, err := onnx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	op.InferModel(m)
	return m
}

func TestOpset9Differences(t *testing.T) {
	for _, c := range []struct {
		opset, node, want string
	}{
		{"9", "y = Softmax <axis = 1> (x)", ""},
		{"13", "y = Softmax (x)", "Softmax"},
		{"13", "y = Softmax <axis = 2> (x)", ""},
		{"13", "y = Softmax <axis = 1> (x)", "Softmax"},
		{"11", "y = Softmax <axis = -1> (x)", "Softmax"},
		{"13", "y = Concat <axis = -1> (x, x)", "Concat"},
		{"13", "y = Concat <axis = 1> (x, x)", ""},
		{"13", "y = Flatten (x)", ""},
		{"13", "y = Relu (x)", ""},
	} {
		m := model(t, `<ir_version: 8, opset_import: ["" : `+c.opset+`]> g (float[2, 3, 4] x) => (float[N, M, K] y) { `+c.node+` }`)
		got := strings.Join(Opset9Differences(m), ";")
		if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("opset %s, %s: marked %q, want %q", c.opset, c.node, got, c.want)
		}
	}
}

func TestLackingInOnnxGo(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{"y = Relu (x)", ""},
		{"a = Erf (x)\n b = com.example.Odd (a)\n c = Erf (b)\n y = Relu (c)", `has no "Erf", "com.example::Odd"`},
		{"y = Add (x, x)", `reads no value twice in one node: "x"`},
		{"y = Identity (x)\n z = Relu (y)", ""},
	} {
		m := model(t, `<ir_version: 8, opset_import: ["" : 9, "com.example" : 1]> g (float[2] x) => (float[2] y) { `+c.body+` }`)
		if got := LackingInOnnxGo(m); !strings.HasPrefix(got, c.want) || c.want == "" && strings.HasPrefix(got, "has no") {
			t.Errorf("%s: %q, want %q", c.body, got, c.want)
		}
	}
}

// TestOnnxGoJobs holds onnx-go's answers to small graphs against numbers; what it cannot do is an error, or the end of a
// process that is not this one.
func TestOnnxGoJobs(t *testing.T) {
	for _, c := range []struct {
		body string
		want []float32
	}{
		{"y = Relu (x)", []float32{0, 2, 0, 4}},
		{"a = Neg (x)\n y = Mul (x, a)", []float32{-1, -4, -9, -16}},
		{"a = Transpose <perm = [1, 0]> (x)\n y = Neg (a)", []float32{1, 3, -2, -4}},
		{"a = Relu (x)\n y = MatMul (x, a)", []float32{0, 6, 0, 10}},
	} {
		m := model(t, `<ir_version: 8, opset_import: ["" : 9]> g (float[n, 2] x) => (float[n, 2] y) { `+c.body+` }`)
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		feeds := map[string]*onnx.Tensor{"x": onnx.FromSlice([]float32{-1, 2, -3, 4}, 2, 2)}
		job, err := NewJob(t.TempDir(), data, feeds, []string{"x"}, []string{"y"})
		if err != nil {
			t.Fatal(err)
		}
		if err := RunOnnxGo(job.Dir); err != nil {
			t.Fatal(err)
		}
		got, version, err := job.Result()
		if err != nil || version != OnnxGoVersion || !slices.Equal(got["y"].Float32s(), c.want) {
			t.Errorf("%s: %v, %q, %v, want %v", c.body, got["y"], version, err, c.want)
		}
	}
}

// What onnx-go says that it has not implemented, an operator or a value of an attribute, is lacking, and no failure.
func TestOnnxGoLacks(t *testing.T) {
	for _, body := range []string{
		"y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x)",
		`y = Conv <kernel_shape = [2, 2], auto_pad = "SAME_UPPER"> (x, w)`,
	} {
		m := model(t, `<ir_version: 8, opset_import: ["" : 12]> g (float[1, 1, 4, 4] x, float[1, 1, 2, 2] w) => (float[a, b, c, d] y) { `+body+" }")
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		feeds := map[string]*onnx.Tensor{"x": onnx.NewTensor(onnx.Float, 1, 1, 4, 4), "w": onnx.NewTensor(onnx.Float, 1, 1, 2, 2)}
		job, err := NewJob(t.TempDir(), data, feeds, []string{"x", "w"}, []string{"y"})
		if err != nil {
			t.Fatal(err)
		}
		if err := RunOnnxGo(job.Dir); err != nil {
			t.Fatal(err)
		}
		var lacking *UnsupportedError
		if _, _, err := job.Result(); !errors.As(err, &lacking) {
			t.Errorf("%s: %v", body, err)
		}
	}
}
