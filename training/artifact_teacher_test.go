package training_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
)

// linear is a classifier of three classes without a hidden layer: x W, and a Softmax behind it where that is wanted.
func linear(t testing.TB, weight *onnx.Tensor, softmax bool) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("linear")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 2}}})
	y := b.MatMul(x, g.AddInitializer("w", weight))
	if softmax {
		y = b.Softmax(y, 1)
	}
	g.AddOutput(y, "y")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}

// softmax64 is the softmax of x/T in float64.
func softmax64(x []float64, temperature float64) []float64 {
	out, sum := make([]float64, len(x)), 0.0
	for i, v := range x {
		out[i] = math.Exp(v / temperature)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// Loss and gradient with a teacher are those of the formula, positions to be ignored left out; evaluation knows no teacher.
// With p and q as in Distillation, the gradient with respect to a student's logit is
// (1-a)(softmax(z) - t)/n + a T (p - q)/n.
func TestTeacher(t *testing.T) {
	const weight, temperature, n = 0.7, 3.0, 3
	ours, theirs := filled("w", 2, 2, 3), filled("v", 2, 2, 3)
	x := filled("x", 1, 4, 2)
	labels := onnx.FromSlice([]int64{2, -100, 0, 1})
	var hard, loss float64
	grad := make([]float64, 6)
	for i, l := range labels.Int64s() {
		if l < 0 {
			continue
		}
		z, v := make([]float64, 3), make([]float64, 3)
		for c := range 3 {
			for k := range 2 {
				z[c] += float64(x.Float32s()[2*i+k]) * float64(ours.Float32s()[3*k+c])
				v[c] += float64(x.Float32s()[2*i+k]) * float64(theirs.Float32s()[3*k+c])
			}
		}
		right, p, q := softmax64(z, 1), softmax64(z, temperature), softmax64(v, temperature)
		hard -= math.Log(right[l]) / n
		for c := range 3 {
			loss += weight * temperature * temperature * q[c] * math.Log(q[c]/p[c]) / n
			dz := (1-weight)*right[c]/n + weight*temperature*(p[c]-q[c])/n
			if int64(c) == l {
				dz -= (1 - weight) / n
			}
			for k := range 2 {
				grad[3*k+c] += dz * float64(x.Float32s()[2*i+k])
			}
		}
	}
	loss += (1 - weight) * hard
	for _, softmax := range []bool{false, true} {
		c := find(t, "cross-entropy", "sgd")
		c.Teacher = &training.Teacher{Model: linear(t, theirs, softmax), Weight: weight, Temperature: temperature}
		a := artifacts(t, linear(t, ours, softmax), c)
		if len(a.Contract.Parameters) != 1 || a.Contract.Teacher == nil || a.Contract.Teacher.Weight != weight {
			t.Errorf("parameters %v, teacher %v", a.Contract.Parameters, a.Contract.Teacher)
		}
		data := map[string]*onnx.Tensor{"x": x, training.InputLabels: labels}
		out := run1(t, open(t, a.Training), feedsOf(a, data))
		if got := float64(out["loss"].Float32s()[0]); math.Abs(got-loss) > 1e-6 {
			t.Errorf("loss %v, want %v", got, loss)
		}
		for i, got := range out["w_grad.accumulation.out"].Float32s() {
			if math.Abs(float64(got)-grad[i]) > 1e-6 {
				t.Errorf("gradient %d is %v, want %v", i, got, grad[i])
			}
		}
		if softmax {
			continue // there the eval model reads probabilities, as it does without a teacher
		}
		if got := float64(run1(t, open(t, a.Eval), only(a.Eval, feedsOf(a, data)))["loss"].Float32s()[0]); math.Abs(got-hard) > 1e-6 {
			t.Errorf("loss %v in evaluation, want %v", got, hard)
		}
	}
}

// A student whose batch is counted only in ignored labels learns nothing from its teacher, and no NaN.
func TestTeacherIgnoresAll(t *testing.T) {
	c := find(t, "cross-entropy", "sgd")
	c.Teacher = &training.Teacher{Model: linear(t, filled("v", 2, 2, 3), false), Weight: 0.5, Temperature: 2}
	a := artifacts(t, linear(t, filled("w", 2, 2, 3), false), c)
	out := run1(t, open(t, a.Training), feedsOf(a, map[string]*onnx.Tensor{"x": filled("x", 1, 2, 2), training.InputLabels: onnx.FromSlice([]int64{-100, -100})}))
	if g := out["w_grad.accumulation.out"].Float32s(); out["loss"].Float32s()[0] != 0 || slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
		t.Errorf("loss %v, gradient %v", out["loss"].Float32s(), g)
	}
}

func TestTeacherRefusals(t *testing.T) {
	whole := training.Teacher{Model: linear(t, filled("v", 2, 2, 3), false), Weight: 0.5, Temperature: 2}
	renamed := linear(t, filled("v", 2, 2, 3), false)
	renamed.Graph.Inputs()[0].Name = "z"
	for want, change := range map[string]func(*training.ArtifactConfig, *training.Teacher){
		"is for cross-entropy": func(c *training.ArtifactConfig, _ *training.Teacher) { c.Loss = find(t, "mse", "sgd").Loss },
		"has no graph":         func(_ *training.ArtifactConfig, l *training.Teacher) { l.Model = nil },
		"a weight of 0":        func(_ *training.ArtifactConfig, l *training.Teacher) { l.Weight = 0 },
		"a temperature of NaN": func(_ *training.ArtifactConfig, l *training.Teacher) { l.Temperature = math.NaN() },
		"its output \"y\" is": func(_ *training.ArtifactConfig, l *training.Teacher) {
			l.Model = linear(t, filled("v", 2, 2, 4), false)
		},
		"none of its outputs":             func(_ *training.ArtifactConfig, l *training.Teacher) { l.Model = twoHeads(t) },
		"its input \"z\" float [batch 2]": func(_ *training.ArtifactConfig, l *training.Teacher) { l.Model = renamed },
	} {
		c, l := find(t, "cross-entropy", "sgd"), whole
		c.Teacher = &l
		change(&c, &l)
		if _, err := training.NewArtifacts(linear(t, filled("w", 2, 2, 3), false), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
