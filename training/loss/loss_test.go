package loss_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training/autodiff"
	"graft/training/loss"
)

// evaluate runs a loss and gives its value.
func evaluate(t *testing.T, l loss.Func, output, target *onnx.Tensor) float64 {
	t.Helper()
	return float64(session(t, l, output, target, false)["loss"].Float32s()[0])
}

// session runs a loss and, where it is asked for, its gradient. The batch is of free size.
func session(t *testing.T, l loss.Func, output, target *onnx.Tensor, gradient bool) map[string]*onnx.Tensor {
	t.Helper()
	s, feeds := opened(t, l, output, target, gradient)
	out, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func opened(t *testing.T, l loss.Func, output, target *onnx.Tensor, gradient bool) (*runtime.Session, map[string]*onnx.Tensor) {
	t.Helper()
	g := onnx.NewGraph("loss")
	b := op.NewBuilder(g)
	free := func(t onnx.TensorType) onnx.TensorType {
		t.Shape[0] = onnx.Dim{Symbol: "batch"}
		return t
	}
	x := g.AddInput("output", free(output.Type()))
	y := l(b, x, g.AddInput("target", free(target.Type())))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if len(y.Type.Shape) != 0 || y.Type.DType != output.DType {
		t.Fatalf("the loss is %v, want a scalar of %v", y.Type, output.DType)
	}
	g.AddOutput(y, "loss")
	if gradient {
		grads, err := autodiff.Gradients(g, y, []*onnx.Value{x})
		if err != nil {
			t.Fatal(err)
		}
		g.AddOutput(grads[0], "gradient")
	}
	g.RemoveUnused()
	s := runtimetest.Open(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, runtimetest.Options(t))
	return s, map[string]*onnx.Tensor{"output": output, "target": target}
}

func TestLosses(t *testing.T) {
	x := onnx.FromSlice([]float32{1, -2, 0.5, 3, 60, -60}, 2, 3)
	p := onnx.FromSlice([]float32{0, 1, 0.25, 0.5, 1, 0}, 2, 3)
	v, q := x.Float32s(), p.Float32s()
	var mse, l1, bce, soft, hard float64
	classes := []int64{2, 1}
	for n := range 2 {
		sum := 0.0
		for c := range 3 {
			sum += math.Exp(float64(v[3*n+c]))
		}
		for c := range 3 {
			i := 3*n + c
			o, tgt := float64(v[i]), float64(q[i])
			mse += (o - tgt) * (o - tgt) / 6
			l1 += math.Abs(o-tgt) / 6
			bce += (math.Max(o, 0) - o*tgt + math.Log1p(math.Exp(-math.Abs(o)))) / 6
			soft -= tgt * (o - math.Log(sum)) / 2
			if int64(c) == classes[n] {
				hard -= (o - math.Log(sum)) / 2
			}
		}
	}
	for _, c := range []struct {
		name   string
		target *onnx.Tensor
		want   float64
	}{
		{"mse", p, mse}, {"l1", p, l1}, {"bce-with-logits", p, bce}, {"cross-entropy", p, soft},
		{"cross-entropy", onnx.FromSlice(classes), hard},
	} {
		l, err := loss.Lookup(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got := evaluate(t, l.Build, x, c.target); math.Abs(got-c.want) > 2e-6*(1+math.Abs(c.want)) {
			t.Errorf("%s of %v target: %v, want %v", c.name, c.target.DType, got, c.want)
		}
	}
}

func TestCrossEntropyOfImages(t *testing.T) {
	x := onnx.FromSlice([]float32{1, 2, 3, 4, 0, 0, 0, 0}, 1, 2, 2, 2)
	classes := onnx.FromSlice([]int32{0, 1, 0, 1}, 1, 2, 2)
	want := 0.0
	for i, o := range []float64{1, 2, 3, 4} {
		logit := o
		if i%2 == 1 {
			logit = 0
		}
		want -= (logit - math.Log(math.Exp(o)+1)) / 4
	}
	if got := evaluate(t, loss.CrossEntropy, x, classes); math.Abs(got-want) > 1e-6 {
		t.Errorf("cross-entropy %v, want %v", got, want)
	}
	last, err := loss.New("cross-entropy", map[string]float64{loss.ClassAxis: -1})
	if err != nil {
		t.Fatal(err)
	}
	x = onnx.FromSlice([]float32{1, 0, 2, 0, 3, 0, 4, 0}, 1, 2, 2, 2)
	soft := onnx.FromSlice([]float32{1, 0, 0, 1, 1, 0, 0, 1}, 1, 2, 2, 2)
	for _, target := range []*onnx.Tensor{classes, soft} {
		if got := evaluate(t, last.Build, x, target); math.Abs(got-want) > 1e-6 {
			t.Errorf("with the classes last, of %v: %v, want %v", target.DType, got, want)
		}
	}
}

// testdata/goldens.py makes the file with PyTorch, in float64.
func TestPyTorch(t *testing.T) {
	data, err := os.ReadFile("testdata/goldens.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Loss        string
		Settings    map[string]float64
		Shape       []int64
		X, Target   []float64
		TargetShape []int64 `json:"target_shape"`
		Labels      bool
		Weights     []float32
		Value       float64
		Gradient    []float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, c := range cases {
		seen[c.Loss] = true
		l, err := loss.New(c.Loss, c.Settings)
		if err != nil {
			t.Fatal(err)
		}
		build := l.Build
		if c.Weights != nil {
			build = loss.CrossEntropyConfig{LabelSmoothing: l.Values["label-smoothing"], IgnoreIndex: int64(l.Values["ignore-index"]), Weights: c.Weights}.Build
		}
		x, target := onnx.FromSlice(c.X, c.Shape...), onnx.FromSlice(c.Target, c.TargetShape...)
		if c.Labels {
			target = onnx.NewTensor(onnx.Int64, c.TargetShape...)
			for j, v := range c.Target {
				target.Int64s()[j] = int64(v)
			}
		}
		tolerance, view := 1e-12, onnx.View[float64]
		if c.Loss == "bce-with-logits" { // the runtime's Softplus is for float alone
			x, target, tolerance, view = narrow(x), narrow(target), 1e-6, widened
		}
		out := session(t, build, x, target, true)
		if got := view(out["loss"])[0]; math.Abs(got-c.Value) > tolerance {
			t.Errorf("%d: %s %v is %v, PyTorch's %v", i, c.Loss, c.Settings, got, c.Value)
		}
		for j, w := range c.Gradient {
			if got := view(out["gradient"])[j]; math.Abs(got-w) > tolerance {
				t.Errorf("%d: %s %v: gradient[%d] is %v, PyTorch's %v", i, c.Loss, c.Settings, j, got, w)
			}
		}
	}
	for _, row := range loss.Catalog {
		if !seen[row.Loss.Name] {
			t.Errorf("no golden of %s", row.Loss.Name)
		}
	}
}

// narrow is a float64 tensor in float32, widened the elements of a float32 tensor in float64.
func narrow(t *onnx.Tensor) *onnx.Tensor {
	out := onnx.NewTensor(onnx.Float, t.Dims...)
	for i, v := range onnx.View[float64](t) {
		out.Float32s()[i] = float32(v)
	}
	return out
}

func widened(t *onnx.Tensor) []float64 {
	out := make([]float64, t.Len())
	for i, v := range t.Float32s() {
		out[i] = float64(v)
	}
	return out
}

// Where every label is ignored there is no loss and no gradient, and a label that is no class is refused.
func TestLabels(t *testing.T) {
	x := onnx.FromSlice([]float64{1, 2, 3, 4}, 2, 2)
	out := session(t, loss.CrossEntropy, x, onnx.FromSlice([]int64{-100, -100}), true)
	if l, g := onnx.View[float64](out["loss"])[0], onnx.View[float64](out["gradient"]); l != 0 || g[0] != 0 || g[3] != 0 {
		t.Errorf("loss %v, gradient %v", l, g)
	}
	for _, label := range []int64{-1, 2} {
		s, feeds := opened(t, loss.CrossEntropy, x, onnx.FromSlice([]int64{0, label}), false)
		if out, err := s.Run(t.Context(), feeds); err == nil {
			t.Errorf("label %d of 2 classes: loss %v", label, out["loss"])
		}
	}
}

func TestLookup(t *testing.T) {
	if _, err := loss.Lookup("magic"); err == nil || !strings.Contains(err.Error(), "mse, l1, cross-entropy, bce-with-logits") {
		t.Errorf("error %v does not list the names", err)
	}
}
