package cli

import (
	"bytes"
	"math"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
)

// A small residual network with running statistics, a Softmax at the end and a frozen part is trained; what export gives back
// has the loss and the accuracy that the evaluation said, the Softmax, the frozen weights, and the statistics that moved.
func TestTrainExports(t *testing.T) {
	f := newTrainee(t)
	m, err := graphs.ResNet{Widths: []int64{4, 6}, Blocks: 1, In: 1, Classes: 3, Height: 6, Width: 6}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	f.saveWithSoftmax(m, "net.onnx")
	x, labels := f.pictures("pictures.npz")
	f.must("artifacts net.onnx --loss cross-entropy --optimizer adam --freeze ^stem[.]conv --out a")
	doc := f.run("train a --data pictures.npz --val pictures.npz --epochs 8 --batch 16 --lr 1e-2 --best")
	for from, loss := range map[string]float64{"": *doc.EvalLoss, " --from a/checkpoint.best": *doc.BestEvalLoss} {
		f.must("export a" + from + " --out trained.onnx --force")
		trained, err := onnx.Load(f.path("trained.onnx"), onnx.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for name, moved := range map[string]bool{"stem.conv.weight": false, "head.fc.weight": true, "stem.bn.running_mean": true} {
			v := trained.Graph.Lookup(name)
			if v == nil || v.Const == nil || bytes.Equal(v.Const.Data, m.Graph.Lookup(name).Const.Data) == moved {
				t.Errorf("%s: moved %t", name, !moved)
			}
		}
		got, accuracy := judged(t, trained, x, labels)
		if math.Abs(got-loss) > 1e-4 || from == "" && math.Abs(accuracy-*doc.Accuracy) > 1e-9 {
			t.Errorf("export%s: loss %g, accuracy %g, the evaluation said %+v", from, got, accuracy, doc)
		}
	}
	// The original model takes the weights as well.
	f.must("export net.onnx --from a/checkpoint --out original.onnx")
	again, err := onnx.Load(f.path("original.onnx"), onnx.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := judged(t, again, x, labels); math.Abs(got-*doc.EvalLoss) > 1e-4 {
		t.Errorf("original with the checkpoint: loss %g, the evaluation said %g", got, *doc.EvalLoss)
	}
}

// pictures writes 60 noisy pictures of three classes, a bright band in one of three places.
func (f *trainee) pictures(name string) (x, labels *onnx.Tensor) {
	f.Helper()
	const n = 60
	x, labels = onnx.NewTensor(onnx.Float, n, 1, 6, 6), onnx.NewTensor(onnx.Int64, n)
	noise.Uniform(x.Float32s(), noise.NewKey(3, "x", 0))
	for i := range n {
		labels.Int64s()[i] = int64(i % 3)
		for j := range 12 {
			x.Float32s()[36*i+12*(i%3)+j]++
		}
	}
	x.Name, labels.Name = "x", "labels"
	f.npz(name, x, labels)
	return x, labels
}

// judged is the mean negative logarithm of the labels' probabilities, and the part of samples whose label is the likeliest.
func judged(t *testing.T, m *onnx.Model, x, labels *onnx.Tensor) (loss, accuracy float64) {
	t.Helper()
	s := runtimetest.Open(t, m, runtimetest.Options(t))
	out, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": x}, "probabilities")
	if err != nil {
		t.Fatal(err)
	}
	p := out["probabilities"].Float32s()
	n := len(labels.Int64s())
	for i, l := range labels.Int64s() {
		row := p[3*i : 3*i+3]
		loss -= math.Log(float64(row[l])) / float64(n)
		if row[l] >= max(row[0], row[1], row[2]) {
			accuracy += 1 / float64(n)
		}
	}
	return loss, accuracy
}
