package training_test

import (
	"math"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/onnxtest"
	"graft/onnx/rewrite"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
)

// judged is a small network with a grouped convolution, a norm and a product, and two batches for it.
func judged(t *testing.T) (*onnx.Model, []map[string]*onnx.Tensor) {
	m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 17]>
net (float[N,4,5,5] x, float[6,2,3,3] kernel, float[6] bias, float[6] scale, float[6] shift, float[3,6] matrix, float[3] last) => (float[N,3] y) {
	c = Conv<group = 2, pads = [1,1,1,1]>(x, kernel, bias)
	n = InstanceNormalization(c, scale, shift)
	r = Tanh(n)
	p = GlobalAveragePool(r)
	f = Flatten(p)
	y = Gemm<transB = 1>(f, matrix, last)
}`)
	draw := func(name string, scale float32, dims ...int64) *onnx.Tensor {
		x := onnx.NewTensor(onnx.Float, dims...)
		noise.Normal(x.Float32s(), noise.NewKey(1, name, 0))
		for i := range x.Float32s() {
			x.Float32s()[i] *= scale
		}
		return x
	}
	for _, v := range m.Graph.Inputs()[1:] {
		dims, _ := v.Type.Shape.Sizes()
		if _, err := rewrite.Bind(m.Graph, v, draw(v.Name, 0.4, dims...)); err != nil {
			t.Fatal(err)
		}
	}
	var batches []map[string]*onnx.Tensor
	for _, name := range []string{"one", "two"} {
		batches = append(batches, map[string]*onnx.Tensor{"x": draw(name, 1, 3, 4, 5, 5), training.InputTarget: draw(name+"y", 1, 3, 3)})
	}
	return m, batches
}

// TestSaliency holds every kind of evidence against what it is by its definition.
func TestSaliency(t *testing.T) {
	m, batches := judged(t)
	mse, err := loss.Lookup("mse")
	if err != nil {
		t.Fatal(err)
	}
	look := func(m *onnx.Model, needs masking.Need, kept *masking.Set) map[string]masking.Evidence {
		t.Helper()
		s, err := training.NewSaliency(m, training.SaliencyConfig{Needs: needs, Loss: mse, Batches: batches, Session: runtimetest.Options(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		list, err := s.Look(t.Context(), 1)(kept)
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]masking.Evidence{}
		for _, e := range list {
			by[e.Name] = e
		}
		return by
	}
	// moved is the network a step along a direction, given for each parameter.
	moved := func(step float64, along func(e masking.Evidence) []float32, by map[string]masking.Evidence) *onnx.Model {
		c := m.Clone()
		for _, v := range c.Graph.Initializers() {
			x := v.Const.Clone()
			for i, d := range along(by[v.Name]) {
				x.Float32s()[i] += float32(step * float64(d))
			}
			v.Const = x
		}
		return c
	}
	all := masking.NeedGradient | masking.NeedHessianGradient | masking.NeedFlow | masking.NeedInputNorm | masking.NeedHessianWeight | masking.NeedOutputGradient
	by := look(m, all, nil)
	if len(by) != 6 {
		t.Fatalf("%d parameters", len(by))
	}

	// H g is how the gradient changes along itself.
	const step = 1e-2
	gradient := func(e masking.Evidence) []float32 { return e.Gradient }
	ahead, behind := look(moved(step, gradient, by), masking.NeedGradient, nil), look(moved(-step, gradient, by), masking.NeedGradient, nil)
	for name, e := range by {
		for i, h := range e.HessianGradient {
			want := (float64(ahead[name].Gradient[i]) - float64(behind[name].Gradient[i])) / (2 * step)
			if math.Abs(float64(h)-want) > 1e-3*(1+math.Abs(want)) {
				t.Fatalf("%s: H g is %g at %d, differences give %g", name, h, i, want)
			}
		}
	}

	// H w is how it changes along the weights.
	weight := func(e masking.Evidence) []float32 { return e.Weight }
	ahead, behind = look(moved(step, weight, by), masking.NeedGradient, nil), look(moved(-step, weight, by), masking.NeedGradient, nil)
	for name, e := range by {
		for i, h := range e.HessianWeight {
			want := (float64(ahead[name].Gradient[i]) - float64(behind[name].Gradient[i])) / (2 * step)
			if math.Abs(float64(h)-want) > 1e-3*(1+math.Abs(want)) {
				t.Fatalf("%s: H w is %g at %d, differences give %g", name, h, i, want)
			}
		}
	}

	// The sum of the outputs changes by the square of its gradient along it.
	output := func(e masking.Evidence) []float32 { return e.OutputGradient }
	rise, length := (meanOutput(t, moved(1e-3, output, by), batches)-meanOutput(t, moved(-1e-3, output, by), batches))/2e-3, 0.0
	for _, e := range by {
		for _, g := range e.OutputGradient {
			length += float64(g) * float64(g)
		}
	}
	if math.Abs(rise-length) > 1e-2*length {
		t.Errorf("the outputs rise by %g along their gradient, whose square is %g", rise, length)
	}

	// The loss changes by the square of the gradient along it.
	want := 0.0
	for _, e := range by {
		for _, g := range e.Gradient {
			want += float64(g) * float64(g)
		}
	}
	if got := (meanLoss(t, moved(step, gradient, by), batches) - meanLoss(t, moved(-step, gradient, by), batches)) / (2 * step); math.Abs(got-want) > 1e-3*want {
		t.Errorf("the loss rises by %g along its gradient, whose square is %g", got, want)
	}

	// Of the last bias the flow is the number of samples that reach it.
	for i, f := range by["last"].Flow {
		if f != 3 {
			t.Errorf("flow into output %d is %g, want 3", i, f)
		}
	}
	for i, f := range by["matrix"].Flow {
		if f < 0 {
			t.Errorf("flow %d is %g", i, f)
		}
	}

	// Input 1 of the second group is channel 3.
	squares := 0.0
	for _, b := range batches {
		x := b["x"].Float32s()
		for n := range 3 {
			for _, v := range x[(n*4+3)*25 : (n*4+4)*25] {
				squares += float64(v) * float64(v)
			}
		}
	}
	if got := float64(by["kernel"].InputNorm[(4*2+1)*9+5]); math.Abs(got-math.Sqrt(squares)) > 1e-4*got {
		t.Errorf("norm %g, want %g", got, math.Sqrt(squares))
	}
	if got := by["bias"].InputNorm[0]; math.Abs(float64(got)-math.Sqrt(6)) > 1e-6 {
		t.Errorf("norm of what a bias is multiplied with is %g, for 6 samples", got)
	}

	// Weights that are gone are zero in what is seen, and are not what the rest is seen by.
	set := &masking.Set{}
	for _, v := range masking.Parameters(m.Graph) {
		keep := make([]bool, v.Const.Len())
		for i := range keep {
			keep[i] = v.Name != "matrix"
		}
		if err := set.Add(&masking.Mask{Name: v.Name, Dims: v.Const.Dims, Keep: keep}); err != nil {
			t.Fatal(err)
		}
	}
	cut := look(m, masking.NeedGradient, set)
	for i, w := range cut["matrix"].Weight {
		if w != 0 {
			t.Fatalf("weight %d that is gone is %g", i, w)
		}
	}
	for i, g := range cut["kernel"].Gradient {
		if g != 0 {
			t.Fatalf("gradient %d behind a matrix of zeros is %g", i, g)
		}
	}
	for _, s := range masking.Scores {
		if _, err := masking.Choose(func(kept *masking.Set) ([]masking.Evidence, error) {
			var list []masking.Evidence
			for _, name := range set.Names() {
				list = append(list, by[name])
			}
			return list, nil
		}, s, masking.Choice{Sparsity: 0.5}); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

// meanOutput is the sum of the outputs, the mean over the batches.
func meanOutput(t *testing.T, m *onnx.Model, batches []map[string]*onnx.Tensor) float64 {
	t.Helper()
	sum := 0.0
	for _, y := range outputsOf(t, m, batches) {
		for _, v := range y {
			sum += float64(v) / float64(len(batches))
		}
	}
	return sum
}

// meanLoss runs the network and takes the mean squared error.
func meanLoss(t *testing.T, m *onnx.Model, batches []map[string]*onnx.Tensor) float64 {
	t.Helper()
	sum := 0.0
	for k, out := range outputsOf(t, m, batches) {
		target := batches[k][training.InputTarget].Float32s()
		for i, y := range out {
			d := float64(y) - float64(target[i])
			sum += d * d / float64(len(target)*len(batches))
		}
	}
	return sum
}

// outputsOf runs the network on every batch.
func outputsOf(t *testing.T, m *onnx.Model, batches []map[string]*onnx.Tensor) (list [][]float32) {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	session, err := runtime.Open(data, runtimetest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, b := range batches {
		out, err := session.Run(t.Context(), map[string]*onnx.Tensor{"x": b["x"]})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, out["y"].Float32s())
	}
	return list
}
