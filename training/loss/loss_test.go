package loss_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training/loss"
)

// evaluate runs a loss and gives its value. The file declares opset 17.
func evaluate(t *testing.T, l loss.Func, output, target *onnx.Tensor) float64 {
	t.Helper()
	g := onnx.NewGraph("loss")
	b := op.NewBuilder(g)
	y := l(b, g.AddInput("output", output.Type()), g.AddInput("target", target.Type()))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if len(y.Type.Shape) != 0 || y.Type.DType != onnx.Float {
		t.Fatalf("the loss is %v, want a float scalar", y.Type)
	}
	g.AddOutput(y, "loss")
	data, err := (&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	s, err := runtime.Open(data, runtimetest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(context.Background(), map[string]*onnx.Tensor{"output": output, "target": target})
	if err != nil {
		t.Fatal(err)
	}
	return float64(out["loss"].Float32s()[0])
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
}

func TestLookup(t *testing.T) {
	if _, err := loss.Lookup("magic"); err == nil || !strings.Contains(err.Error(), "mse, l1, bce-with-logits, cross-entropy") {
		t.Errorf("error %v does not list the names", err)
	}
}
