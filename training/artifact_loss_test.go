package training_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
)

// parsed is a model in ONNX's textual syntax.
func parsed(t testing.TB, text string) *onnx.Model {
	t.Helper()
	m, err := onnx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// twoHeads gives two outputs of one input.
func twoHeads(t testing.TB) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("heads")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 3}}})
	h := b.Named(b.Tanh(b.MatMul(x, g.AddInitializer("w", filled("w", 0.5, 3, 4)))), "difference")
	g.AddOutput(b.MatMul(h, g.AddInitializer("a", filled("a", 0.5, 4, 3))), "mean")
	g.AddOutput(b.MatMul(h, g.AddInitializer("b", filled("b", 0.5, 4, 3))), "spread")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}

// A loss given as a model is the loss of the table that computes the same, gradients included. Names inside it are also in
// the network.
func TestLossModel(t *testing.T) {
	own := parsed(t, `<ir_version: 8, opset_import: ["" : 17]>
squares (float[N, 3] y, float[N, 3] target) => (float loss) <float[1] w = {1.0}> {
   difference = Sub (y, target)
   mean = Mul (difference, difference)
   scaled = Mul (mean, w)
   loss = ReduceMean <keepdims = 0> (scaled)
}`)
	usual, config := find(t, "mse", "sgd"), find(t, "mse", "sgd")
	config.Loss = loss.OfModel("squares.onnx", own)
	data := map[string]*onnx.Tensor{"x": filled("x", 1, 5, 3), training.InputTarget: filled("t", 1, 5, 3)}
	var gradients [][]byte
	for _, c := range []training.ArtifactConfig{usual, config} {
		a := artifacts(t, twoHeads(t), c)
		if a.Contract.Output != "mean" || a.Contract.Target.Name != "target" {
			t.Errorf("output %s, target %v", a.Contract.Output, a.Contract.Target)
		}
		out := run1(t, open(t, a.Training), feedsOf(a, data))
		gradients = append(gradients, out["w_grad.accumulation.out"].Data)
		if l := run1(t, open(t, a.Eval), only(a.Eval, feedsOf(a, data)))["loss"]; !bytes.Equal(l.Data, out["loss"].Data) {
			t.Errorf("loss %v in training, %v in evaluation", out["loss"].Float32s(), l.Float32s())
		}
	}
	if !bytes.Equal(gradients[0], gradients[1]) {
		t.Error("the gradients differ")
	}
}

// only keeps the feeds that a model takes.
func only(m *onnx.Model, feeds map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	out := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Inputs() {
		out[v.Name] = feeds[v.Name]
	}
	return out
}

// A loss may read several outputs by name, an input of the network, and bring inputs along.
func TestLossModelReadsByName(t *testing.T) {
	config := find(t, "mse", "adam")
	config.Loss = loss.OfModel("likelihood", parsed(t, `<ir_version: 8, opset_import: ["" : 17]>
likelihood (float[n, 3] spread, float[n, 3] mean, float[n, 3] x, float[n, 1] weight) => (float[1] value) {
   d = Sub (x, mean)
   dd = Mul (d, d)
   e = Exp (spread)
   q = Div (dd, e)
   s = Add (q, spread)
   weighted = Mul (s, weight)
   value = ReduceSum (weighted)
   }`))
	config.Loss.Model.Graph.Outputs()[0].Producer().SetAttr(onnx.Int("keepdims", 1))
	config.Loss.Model.Graph.Outputs()[0].Type.Shape = onnx.NewShape(1, 1)
	a := artifacts(t, twoHeads(t), config)
	if got := names(a.Training.Graph.Inputs())[:5]; strings.Join(got, " ") != "x weight w a b" {
		t.Errorf("inputs %v", got)
	}
	if len(a.Contract.Inputs) != 2 || a.Contract.Inputs[1].Name != "weight" || a.Contract.Target.Name != "" || a.Contract.Output != "mean" {
		t.Errorf("contract: inputs %v, target %v", a.Contract.Inputs, a.Contract.Target)
	}
	data := map[string]*onnx.Tensor{"x": filled("x", 1, 2, 3), "weight": filled("weight", 1, 2, 1)}
	out := run1(t, open(t, a.Training), feedsOf(a, data))
	want := 0.0
	for i, x := range data["x"].Float32s() {
		m, s := float64(out["mean"].Float32s()[i]), float64(out["spread"].Float32s()[i])
		want += (math.Pow(float64(x)-m, 2)/math.Exp(s) + s) * float64(data["weight"].Float32s()[i/3])
	}
	if got := float64(out["loss"].Float32s()[0]); math.Abs(got-want) > 1e-5 || len(out["loss"].Dims) != 0 {
		t.Errorf("loss %v, want %v", out["loss"], want)
	}
}

func TestLossModelRefusals(t *testing.T) {
	for want, text := range map[string]string{
		`none of its inputs "p", "q" is named like an output of the model: those are "mean", "spread"`: `(float[n, 3] p, float[n, 3] q) => (float l) {
   d = Sub (p, q)
   l = ReduceMean <keepdims = 0> (d)
}`,
		"its output is float [unk_1 3], a loss is a float scalar": `(float[n, 3] p, float[n, 3] target) => (float[n, 3] l) {
   l = Sub (p, target)
}`,
		"it has both target and labels": `(float[n, 3] p, float[n, 3] target, int64[n] labels) => (float l) {
   l = ReduceMean <keepdims = 0> (p)
}`,
		"no such operators in the table: own:Magic": `(float[n, 3] p) => (float l) {
   d = own.Magic (p)
   l = ReduceMean <keepdims = 0> (d)
}`,
		"shapes differ": `(float[n, 4] p) => (float l) {
   l = ReduceMean <keepdims = 0> (p)
}`,
		`its input "step" has the name of an input or output of the training artifacts`: `(float[n, 3] mean, float[n, 3] step) => (float l) {
   d = Sub (mean, step)
   l = ReduceMean <keepdims = 0> (d)
}`,
	} {
		config := find(t, "mse", "sgd")
		config.Loss = loss.OfModel("own.onnx", parsed(t, `<ir_version: 8, opset_import: ["" : 17, "own" : 1]> own `+text))
		if _, err := training.NewArtifacts(twoHeads(t), config); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "own.onnx") {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
