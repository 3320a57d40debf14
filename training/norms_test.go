package training_test

import (
	"math"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
)

// normed scales its input by one weight, norms each of three channels, and scales again.
const normed = `<ir_version: 8, opset_import: ["" : 21]>
g (float[N,3] x) => (float[N,2] y)
<float[3,3] a, float[3] scale = {1, 1, 1}, float[3] bias = {0, 0, 0}, float[3] mean = {7, 7, 7}, float[3] var = {9, 9, 9}, float[3,2] b>
{
  h = MatMul(x, a)
  n = BatchNormalization<momentum = 0.75>(h, scale, bias, mean, var)
  y = MatMul(n, b)
}`

func normedModel(t *testing.T) *onnx.Model {
	t.Helper()
	text := strings.Replace(normed, "float[3,3] a,", "float[3,3] a = {2, 0, 0, 0, 1, 0, 0, 0, 3},", 1)
	text = strings.Replace(text, "float[3,2] b>", "float[3,2] b = {1, 0, 0, 1, 0, 0}>", 1)
	m, err := onnx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func normedData(t *testing.T, n int) (*onnx.Tensor, *dataset.Batches) {
	t.Helper()
	x, labels := onnx.NewTensor(onnx.Float, int64(n), 3), onnx.NewTensor(onnx.Int64, int64(n))
	noise.Normal(x.Float32s(), noise.NewKey(3, "x", 0))
	rows := map[string]dataset.Rows{}
	for i := range n {
		x.Float32s()[3*i+1] += 5
		labels.Int64s()[i] = int64(i % 2)
	}
	var err error
	for name, tensor := range map[string]*onnx.Tensor{"x": x, training.InputLabels: labels} {
		if rows[name], err = dataset.TensorRows(tensor); err != nil {
			t.Fatal(err)
		}
	}
	b, err := dataset.NewBatches(rows, nil, dataset.BatchConfig{Size: 4, Partial: true, Ordered: true})
	if err != nil {
		t.Fatal(err)
	}
	return x, b
}

// TestNorms: the statistics are the means over the batches, the smaller last one weighing less, of the weights that are given,
// and nothing of those in the file is left.
func TestNorms(t *testing.T) {
	m := normedModel(t)
	n, err := training.NewNorms(m, runtimetest.OneThread(t))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	x, data := normedData(t, 10)
	for _, times := range []float32{1, 2} {
		weights := onnx.NewTensor(onnx.Float, 9+3+3+6)
		copy(weights.Float32s(), []float32{2 * times, 0, 0, 0, times, 0, 0, 0, 3 * times, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0})
		got, err := n.Estimate(t.Context(), weights, data)
		if err != nil {
			t.Fatal(err)
		}
		for c, by := range []float64{2, 1, 3} {
			by *= float64(times)
			mean, variance := 0.0, 0.0
			for _, batch := range [][2]int{{0, 4}, {4, 8}, {8, 10}} {
				m, v, count := 0.0, 0.0, float64(batch[1]-batch[0])
				for i := batch[0]; i < batch[1]; i++ {
					m += by * float64(x.Float32s()[3*i+c]) / count
				}
				for i := batch[0]; i < batch[1]; i++ {
					d := by*float64(x.Float32s()[3*i+c]) - m
					v += d * d / count
				}
				mean, variance = mean+m*count/10, variance+v*count/10
			}
			if m, v := float64(got["mean"].Float32s()[c]), float64(got["var"].Float32s()[c]); math.Abs(m-mean) > 1e-5*math.Abs(mean)+1e-6 || math.Abs(v-variance) > 1e-5*variance {
				t.Errorf("channel %d: mean %g and variance %g, want %g and %g", c, m, v, mean, variance)
			}
		}
	}
	if _, err := n.Estimate(t.Context(), onnx.NewTensor(onnx.Float, 3), data); err == nil {
		t.Error("weights of another network")
	}
}

// TestClassifier: losses are those of the softmax in float64, by the statistics given, and labels that are no class are refused.
func TestClassifier(t *testing.T) {
	entropy, err := loss.Lookup("cross-entropy")
	if err != nil {
		t.Fatal(err)
	}
	g, err := training.NewGated(normedModel(t), training.ArtifactConfig{Loss: entropy})
	if err != nil {
		t.Fatal(err)
	}
	c, err := g.NewClassifier(runtimetest.OneThread(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w, err := g.Initial()
	if err != nil {
		t.Fatal(err)
	}
	x, data := normedData(t, 10)
	for name, k := range map[string]struct {
		buffers        map[string]*onnx.Tensor
		mean, variance float64
	}{"file": {nil, 7, 9}, "given": {map[string]*onnx.Tensor{"mean": onnx.FromSlice([]float32{1, 1, 1}), "var": onnx.FromSlice([]float32{4, 4, 4})}, 1, 4}} {
		at, right := 0, 0
		err = c.Each(t.Context(), w, k.buffers, data, func(b training.Classified) error {
			for i, l := range b.Losses {
				var z [2]float64
				for j, by := range []float64{2, 1} {
					z[j] = (by*float64(x.Float32s()[3*at+j]) - k.mean) / math.Sqrt(k.variance+1e-5)
				}
				label := at % 2
				if want := math.Log(math.Exp(z[0])+math.Exp(z[1])) - z[label]; math.Abs(l-want) > 1e-6 || b.Labels[i] != int64(label) {
					t.Errorf("%s: sample %d: loss %g, want %g", name, at, l, want)
				}
				if z[label] > z[1-label] {
					right++
				}
				at++
			}
			right -= b.Right()
			return nil
		})
		if err != nil || at != 10 || right != 0 {
			t.Errorf("%s: %d samples, right %d too many, %v", name, at, right, err)
		}
	}
	given, err := data.At(1)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]dataset.Rows{}
	bad := onnx.FromSlice([]int64{0, 1, 2, 1})
	for name, tensor := range map[string]*onnx.Tensor{"x": given["x"], training.InputLabels: bad} {
		if rows[name], err = dataset.TensorRows(tensor); err != nil {
			t.Fatal(err)
		}
	}
	wrong, err := dataset.NewBatches(rows, nil, dataset.BatchConfig{Size: 4, Ordered: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Score(t.Context(), w, nil, wrong); err == nil || !strings.Contains(err.Error(), "class 2") {
		t.Errorf("a label that is no class: %v", err)
	}
}
