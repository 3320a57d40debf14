package training_test

import (
	"math"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training"
)

// feedsOf are the feeds of a training model's first step.
func feedsOf(a *training.Artifacts, data map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	feeds := map[string]*onnx.Tensor{training.InputLazyReset: onnx.FromSlice([]bool{true})}
	for name, t := range data {
		feeds[name] = t
	}
	for _, p := range a.Fused.Packing.Unpack(a.Start().Trained) {
		feeds[p.Name], feeds[p.Name+"_grad.accumulation.buffer"] = p, onnx.NewTensor(onnx.Float, p.Dims...)
	}
	for name, b := range a.Start().Buffers {
		feeds[name] = b
	}
	return feeds
}

// The norm that trains is what ONNX Runtime's own BatchNormalization does in training mode, for a batch of free and of fixed
// size.
func TestBatchNormTrains(t *testing.T) {
	for _, batch := range []onnx.Dim{{Symbol: "n"}, {Size: 3}} {
		build := func(training bool) *onnx.Model {
			g := onnx.NewGraph("norm")
			x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{batch, {Size: 2}, {Size: 5}}})
			in := []*onnx.Value{x, g.AddInitializer("scale", onnx.FromSlice([]float32{1.5, -0.5})), g.AddInitializer("bias", onnx.FromSlice([]float32{0.1, 0.2})),
				g.AddInitializer("mean", onnx.FromSlice([]float32{0.3, -0.3})), g.AddInitializer("var", onnx.FromSlice([]float32{2, 0.5}))}
			outs, attrs := 1, []onnx.Attr{onnx.Float32("epsilon", 1e-3), onnx.Float32("momentum", 0.75)}
			if training {
				outs, attrs = 3, append(attrs, onnx.Int("training_mode", 1))
			}
			b := op.NewBuilder(g)
			for i, v := range b.Node("BatchNormalization", in, outs, attrs...) {
				g.AddOutput(v, []string{"y", "mean_after", "var_after"}[i])
			}
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 15}}, Graph: g}
		}
		x := filled("x", 2, 3, 2, 5)
		want := run1(t, open(t, build(true)), map[string]*onnx.Tensor{"x": x})
		a := artifacts(t, build(false), find(t, "mse", "adam"))
		got := run1(t, open(t, a.Training), feedsOf(a, map[string]*onnx.Tensor{"x": x, training.InputTarget: onnx.NewTensor(onnx.Float, 3, 2, 5)}))
		for ours, theirs := range map[string]string{"y": "y", "mean.next": "mean_after", "var.next": "var_after"} {
			for i, w := range want[theirs].Float32s() {
				if g := got[ours].Float32s()[i]; math.Abs(float64(g-w)) > 2e-6*(1+math.Abs(float64(w))) {
					t.Errorf("batch %v: %s[%d] is %g, in ONNX Runtime %g", batch, ours, i, g, w)
				}
			}
		}
		// A model in training mode gives the same, with its own outputs of the statistics.
		a = artifacts(t, build(true), find(t, "mse", "adam"))
		got = run1(t, open(t, a.Training), feedsOf(a, map[string]*onnx.Tensor{"x": x, training.InputTarget: onnx.NewTensor(onnx.Float, 3, 2, 5)}))
		for name, w := range want {
			for i, v := range w.Float32s() {
				if g := got[name].Float32s()[i]; math.Abs(float64(g-v)) > 2e-6*(1+math.Abs(float64(v))) {
					t.Errorf("training mode: %s[%d] is %g, in ONNX Runtime %g", name, i, g, v)
				}
			}
		}
	}
}

// The running variance follows the variance of the batch as ONNX says, the sum of squares divided by their number. PyTorch
// divides by one less.
func TestRunningVarianceIsBiased(t *testing.T) {
	g := onnx.NewGraph("norm")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 1))
	of := func(name string, v float32) *onnx.Value { return g.AddInitializer(name, onnx.FromSlice([]float32{v})) }
	y := b.Node("BatchNormalization", []*onnx.Value{x, of("scale", 1), of("bias", 0), of("mean", 0.5), of("var", 0.5)}, 1, onnx.Float32("momentum", 0.75))
	g.AddOutput(y[0], "y")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	a := artifacts(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, find(t, "mse", "sgd"))
	out := run1(t, open(t, a.Training), feedsOf(a, map[string]*onnx.Tensor{"x": onnx.FromSlice([]float32{0, 4}, 2, 1), training.InputTarget: onnx.NewTensor(onnx.Float, 2, 1)}))
	if mean, variance := out["mean.next"].Float32s()[0], out["var.next"].Float32s()[0]; mean != 0.75*0.5+0.25*2 || variance != 0.75*0.5+0.25*4 {
		t.Errorf("mean %v, variance %v", mean, variance)
	}
}

// Weights that nodes make, and initializers that are inputs as well, are parameters; settings of operators are not.
func TestWhatIsAParameter(t *testing.T) {
	g := onnx.NewGraph("old")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 2, 4, 4))
	w := g.AddInput("w", onnx.TypeOf(onnx.Float, 2, 2, 1, 1))
	old, err := onnx.Decode(threeMessage(t))
	if err != nil {
		t.Fatal(err)
	}
	a := artifacts(t, old, find(t, "mse", "sgd"))
	if got := names(a.Training.Graph.Inputs())[:3]; !slices.Equal(got, []string{"x", "target", "w"}) {
		t.Errorf("inputs %v", got)
	}
	y := b.Conv(x, w, nil, op.ConvAttrs{Kernel: []int64{1, 1}})
	y = b.UpsampleNearest(y, 2)
	zeros := b.Named(b.ConstantOfShape(b.Ints(2, 2, 3, 3), onnx.FromSlice([]float32{0.25})), "made")
	y = b.Conv(y, zeros, nil, op.ConvAttrs{Kernel: []int64{3, 3}})
	y = b.Clip(y, g.AddInitializer("low", onnx.Scalar(float32(-9))), g.AddInitializer("high", onnx.Scalar(float32(9))))
	y = b.Mul(y, g.AddInitializer("half", onnx.Scalar(float32(0.5))))
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	g.AddOutput(y, "y")
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	a = artifacts(t, m, find(t, "mse", "sgd"))
	if got := a.Fused.Packing.Names(); !slices.Equal(got, []string{"made"}) {
		t.Errorf("parameters %v", got)
	}
	if v := a.Start().Trained.Float32s(); len(v) != 36 || v[35] != 0.25 {
		t.Errorf("made of %v", v)
	}
}

// threeMessage is a model of version 3 of the file format: its weight is an initializer and an input.
func threeMessage(t *testing.T) []byte {
	t.Helper()
	m, err := onnx.Parse(`<ir_version: 3, opset_import: ["" : 9]>
old (float[1,2] x, float[2,2] w) => (float[1,2] y) <float[2,2] w = {1, 2, 3, 4}> { y = MatMul(x, w) }`)
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Clipped, a gradient step of rate 1 without momentum is as long as the bound.
func TestClipNorm(t *testing.T) {
	c := find(t, "cross-entropy", "sgd")
	c.ClipNorm = 1e-2
	a := artifacts(t, classifier(t), c)
	l := &training.Loop{Step: a.Fused, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 1 }, Feed: batch}
	end, err := l.Run(t.Context(), a.Start(), 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, v := range end.Trained.Float32s() {
		d := float64(v - a.Start().Trained.Float32s()[i])
		sum += d * d
	}
	if got := math.Sqrt(sum); math.Abs(got-1e-2) > 1e-5 {
		t.Errorf("the step is %g long, want 0.01", got)
	}
}
