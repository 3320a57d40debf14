package training_test

import (
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/onnxtest"
	"graft/training"
	"graft/training/loss"
)

// oldNet is a network as exporters wrote them before opset 10: its initializers are inputs too, weights are nodes, a
// shape is computed, norms have their statistics in nodes, a Softmax flattens.
const oldNet = `<ir_version: 3, opset_import: ["" : 9]>
net (float[batch,2,4,4] x, float[4,32] fc = FC, int64[1] minus = {-1}) => (float[batch,4,1] probabilities) {
  ks = Constant<value = int64[4] {2, 2, 3, 3}>()
  kernel = ConstantOfShape<value = float[1] {0.1}>(ks)
  bs = Constant<value = int64[1] {2}>()
  bias = ConstantOfShape<value = float[1] {0.25}>(bs)
  one = ConstantOfShape<value = float[1] {1}>(bs)
  zero = ConstantOfShape(bs)
  scale = Constant<value = float[2] {0.5, 2}>()
  c = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x, kernel, bias)
  n = BatchNormalization<momentum = 0.75>(c, scale, bias, zero, one)
  r = Clip<min = 0.0, max = 6.0>(n)
  d = Dropout<ratio = 0.25>(r)
  s = Shape(x)
  first = Slice<starts = [0], ends = [1], axes = [0]>(s)
  shape = Concat<axis = 0>(first, minus)
  f = Reshape(d, shape)
  t = Transpose<perm = [1, 0]>(fc)
  m = MatMul(f, t)
  bias2 = Constant<value = float[4] {0.1, 0.2, 0.3, 0.4}>()
  logits = Add(m, bias2)
  u = Unsqueeze<axes = [2]>(logits)
  probabilities = Softmax<axis = 1>(u)
}
`

func oldModel(t *testing.T) *onnx.Model {
	fc := strings.TrimSuffix(strings.Repeat("0.05, -0.1, 0.15, -0.2, ", 32), ", ")
	return onnxtest.Parse(t, strings.Replace(oldNet, "FC", "{"+fc+"}", 1))
}

// TestArtifactsOfOldModel: a model of opset 9 trains by the names that its file gives to weights, and evaluates as the file
// does.
func TestArtifactsOfOldModel(t *testing.T) {
	m := oldModel(t)
	a, err := training.NewArtifacts(m, find(t, "cross-entropy", "adam"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(a.Fused.Packing.Names(), " "); got != "fc kernel bias scale bias2" {
		t.Errorf("parameters %s", got)
	}
	var buffers []string
	for _, v := range a.Fused.Buffers {
		buffers = append(buffers, v.Name)
	}
	if !slices.Equal(buffers, []string{"zero", "one"}) {
		t.Errorf("buffers %v", buffers)
	}
	x := onnx.NewTensor(onnx.Float, 3, 2, 4, 4)
	noise.Normal(x.Float32s(), noise.NewKey(1, "x", 0))
	want := run1(t, open(t, m), map[string]*onnx.Tensor{"x": x})["probabilities"]
	feeds := map[string]*onnx.Tensor{"x": x, "labels": onnx.FromSlice([]int64{0, 3, 1}, 3, 1)}
	for i, p := range a.Fused.Packing.Unpack(a.Start().Trained) {
		feeds[a.Fused.Packing.Names()[i]] = p
	}
	for name, b := range a.Start().Buffers {
		feeds[name] = b
	}
	got := run1(t, open(t, a.Eval), feeds)
	onnxtest.Close(t, got["probabilities"], want, 1e-6, 1e-5)
}

// TestStepOfFunctions: a step is made of a model whose layers are functions, in an older opset.
func TestStepOfFunctions(t *testing.T) {
	m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 12, "layers" : 1]>
net (float[2,3] x) => (float[2,4] y)
<float[3,4] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[4] b = {1, 2, 3, 4}> {
  y = layers.Linear<low = -1.0>(x, w, b)
}
<domain: "layers", opset_import: ["" : 12]>
Linear <low>(x, w, b) => (y) {
  p = MatMul(x, w)
  s = Add(p, b)
  c = Constant<value_float: float = @low>()
  y = Clip(s, c)
}
`)
	step, err := training.NewStep(m, training.StepConfig{Loss: loss.MSE, Optimizer: gradient()})
	if err != nil {
		t.Fatal(err)
	}
	if got := step.Packing.Names(); !slices.Equal(got, []string{"w", "b"}) {
		t.Errorf("parameters %v", got)
	}
	if len(step.Model.Functions()) != 0 || len(m.Functions()) != 1 {
		t.Error("the functions of the wrong model are inlined")
	}
	start, err := step.Packing.Pack(func(name string) *onnx.Tensor { return m.Graph.Lookup(name).Const })
	if err != nil {
		t.Fatal(err)
	}
	x := onnx.FromSlice([]float32{1, -2, 3, -4, 5, -6}, 2, 3)
	out := run1(t, open(t, step.Model), map[string]*onnx.Tensor{"x": x, "target": onnx.NewTensor(onnx.Float, 2, 4), "trained": start,
		"learning_rate": onnx.FromSlice([]float32{1}), "step": onnx.FromSlice([]int64{1})})
	// MatMul + b, below -1 cut: rows [19 22 25 28] and [-32 ... ] cut to -1, where the gradient is 0.
	onnxtest.Close(t, out["y"], onnx.FromSlice([]float32{19, 22, 25, 28, -1, -1, -1, -1}, 2, 4), 1e-6, 1e-6)
	next := step.Packing.Unpack(out["trained.next"])
	onnxtest.Close(t, next[1], onnx.FromSlice([]float32{4.75, 5.5, 6.25, 7}), 1e-5, 1e-5)
}

// TestNarrowWeights: a model in float16 is refused by the name of a weight.
func TestNarrowWeights(t *testing.T) {
	m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 13]>
net (float16[2,3] x) => (float[2,1] y)
<float16[3,1] w = {1, 2, 3}> {
  z = MatMul(x, w)
  y = Cast<to = 1>(z)
}
`)
	_, err := training.NewArtifacts(m, find(t, "mse", "sgd"))
	if err == nil || !strings.Contains(err.Error(), `weights: "w" is float16, and there is none of type float`) {
		t.Errorf("%v", err)
	}
}
