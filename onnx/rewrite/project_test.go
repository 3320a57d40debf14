package rewrite_test

import (
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

const twoReaders = `<ir_version: 8, opset_import: ["" : 17]>
g (float[N,2] x) => (float[N,2] y, float[M,3] z)
<float[2,2] w = {1, 2, 3, 4}, float[3,2] v = {1, 0, 0, 1, 2, 2}, int64[2] s = {-1, 2}>
{
  h = Relu(x)
  y = MatMul(h, w)
  r = Reshape(h, s)
  z = Gemm<transB = 1>(r, v)
}`

// TestProject: P goes into the weights of all readers or, where one of them is something else, into nodes that all read.
func TestProject(t *testing.T) {
	project := func(text string, o rewrite.ProjectOptions, directions ...[]float64) (*onnx.Model, *rewrite.Projected, error) {
		m := parsed(t, text)
		op.InferModel(m)
		h := m.Graph.Lookup("h")
		done, err := rewrite.Project(m.Graph, h, directions, o)
		return m, done, err
	}
	m, done, err := project(twoReaders, rewrite.ProjectOptions{}, []float64{0.6, 0.8})
	if err != nil || strings.Join(done.Merged, " ") != "w v" {
		t.Fatalf("%+v, %v", done, err)
	}
	sound(t, m)
	// I - uu' = {0.64, -0.48, -0.48, 0.36}; in front of w, behind v.
	for name, want := range map[string][]float32{"w": {0.64 - 0.48*3, 1.28 - 0.48*4, -0.48 + 0.36*3, -0.96 + 0.36*4}, "v": {0.64, -0.48, -0.48, 0.36, 0.32, -0.24}} {
		for i, v := range m.Graph.Lookup(name).Const.Float32s() {
			if d := v - want[i]; d > 1e-6 || d < -1e-6 {
				t.Errorf("%s[%d] is %v, want %v", name, i, v, want[i])
			}
		}
	}
	for _, c := range []struct {
		text, kept string
		o          rewrite.ProjectOptions
	}{
		{twoReaders, "not asked for", rewrite.ProjectOptions{Nodes: true}},
		{strings.Replace(twoReaders, "MatMul(h, w)", "MatMul(h, h2)\n  h2 = Transpose(h)", 1), "no constant weight", rewrite.ProjectOptions{}},
		{strings.Replace(twoReaders, "y = MatMul(h, w)", "q = MatMul(h, w)\n  y = MatMul(q, w)", 1), `"w" is read elsewhere`, rewrite.ProjectOptions{}},
		{strings.Replace(twoReaders, "float[N,2] y", "float[N,2] y, float[N,2] h", 1), `"h" is an output`, rewrite.ProjectOptions{}},
		{strings.Replace(twoReaders, "y = MatMul(h, w)", "y = Tanh(h)", 1), "no product with a weight", rewrite.ProjectOptions{}},
	} {
		m, done, err := project(c.text, c.o, []float64{0, 1})
		if err != nil || !strings.Contains(done.Kept, c.kept) || len(done.Merged) > 0 {
			t.Errorf("%q: %+v, %v", c.kept, done, err)
			continue
		}
		sound(t, m)
		if h := m.Graph.Lookup("h"); strings.Contains(c.kept, "output") && (h.Producer().Op != "MatMul" || !m.Graph.IsOutput(h)) {
			t.Errorf("output h is made by %s", h.Producer())
		}
	}
	// Another reader's weight stays what it was, where a copy is allowed.
	shared := strings.Replace(twoReaders, "y = MatMul(h, w)", "q = MatMul(h, w)\n  y = MatMul(q, w)", 1)
	m, done, err = project(shared, rewrite.ProjectOptions{Shared: true}, []float64{0, 1})
	if err != nil || done.Kept != "" || m.Graph.Lookup("w").Const.Float32s()[3] != 4 || m.Graph.Lookup("q").Producer().Input(1).Const.Float32s()[3] != 0 {
		t.Errorf("%+v, %v", done, err)
	}
	for want, directions := range map[string][][]float64{
		"no direction": {}, "have the product 0.25": {{0.5, 0}}, "direction 2 has 1": {{1, 0}, {1}}, "directions have 3": {{1, 0, 0}}, "must be orthonormal": {{1, 0}, {1, 0}},
	} {
		if _, _, err := project(twoReaders, rewrite.ProjectOptions{}, directions...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
