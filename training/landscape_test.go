package training_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/onnxtest"
	"graft/onnx/rewrite"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/curvature"
	"graft/training/dataset"
	"graft/training/loss"
)

// drawn are normal numbers times scale.
func drawn(stream string, scale float32, dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, dims...)
	noise.Normal(t.Float32s(), noise.NewKey(4, stream, 0))
	for i := range t.Float32s() {
		t.Float32s()[i] *= scale
	}
	return t
}

func batchesOf(t *testing.T, x, labels *onnx.Tensor, size int64) *dataset.Batches {
	t.Helper()
	rows := map[string]dataset.Rows{}
	for name, v := range map[string]*onnx.Tensor{"x": x, training.InputLabels: labels} {
		r, err := dataset.TensorRows(v)
		if err != nil {
			t.Fatal(err)
		}
		rows[name] = r
	}
	b, err := dataset.NewBatches(rows, nil, dataset.BatchConfig{Size: size, Partial: true, Ordered: true})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func labelsOf(n, classes int64) *onnx.Tensor {
	labels := onnx.NewTensor(onnx.Int64, n)
	for i := range labels.Int64s() {
		labels.Int64s()[i] = int64(i*i+i/3) % classes
	}
	return labels
}

func crossEntropy(t *testing.T) loss.Loss {
	t.Helper()
	l, err := loss.Lookup("cross-entropy")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dense is the mean cross-entropy of two layers with tanh between, written in float64, as a function of the weights in the order
// w1 [4,3], b1 [4], w2 [3,4], b2 [3].
func dense(x, labels *onnx.Tensor) func(w []float64) float64 {
	return func(w []float64) float64 {
		w1, b1, w2, b2 := w[:12], w[12:16], w[16:28], w[28:31]
		total := 0.0
		for s, label := range labels.Int64s() {
			var h [4]float64
			for i := range h {
				h[i] = b1[i]
				for j := range 3 {
					h[i] += w1[i*3+j] * float64(x.Float32s()[s*3+j])
				}
				h[i] = math.Tanh(h[i])
			}
			var y [3]float64
			sum := 0.0
			for i := range y {
				y[i] = b2[i]
				for j := range h {
					y[i] += w2[i*4+j] * h[j]
				}
				sum += math.Exp(y[i])
			}
			total += math.Log(sum) - y[label]
		}
		return total / float64(labels.Len())
	}
}

// hessian is that of f at w by central differences.
func hessian(f func(w []float64) float64, w []float64) *mat.SymDense {
	const h = 1e-3
	n := len(w)
	at := func(i, j int, a, b float64) float64 {
		v := append([]float64(nil), w...)
		v[i] += a
		v[j] += b
		return f(v)
	}
	m := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			m.SetSym(i, j, (at(i, j, h, h)-at(i, j, h, -h)-at(i, j, -h, h)+at(i, j, -h, -h))/(4*h*h))
		}
	}
	return m
}

// Loss, gradient and Hessian are those of the network written in float64, whatever the batches; and so are the ends of the
// spectrum, the trace and the Frobenius norm.
func TestLandscape(t *testing.T) {
	m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 17]>
net (float[N,3] x, float[4,3] w1, float[4] b1, float[3,4] w2, float[3] b2) => (float[N,3] y) {
	a = Gemm<transB = 1>(x, w1, b1)
	h = Tanh(a)
	y = Gemm<transB = 1>(h, w2, b2)
}`)
	var w []float64
	for _, v := range m.Graph.Inputs()[1:] {
		dims, _ := v.Type.Shape.Sizes()
		values := drawn(v.Name, 0.7, dims...)
		for _, x := range values.Float32s() {
			w = append(w, float64(x))
		}
		if _, err := rewrite.Bind(m.Graph, v, values); err != nil {
			t.Fatal(err)
		}
	}
	x, labels := drawn("x", 1, 25, 3), labelsOf(25, 3)
	l, err := training.NewLandscape(m, training.LandscapeConfig{Loss: crossEntropy(t), Data: batchesOf(t, x, labels, 7), Session: runtimetest.Options(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := dense(x, labels)
	value, gradient, err := l.Slopes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(value-f(w)) > 1e-5 || len(gradient) != len(w) {
		t.Errorf("loss %g, want %g; %d derivatives", value, f(w), len(gradient))
	}
	for i := range w {
		v := append([]float64(nil), w...)
		v[i] += 1e-5
		up := f(v)
		v[i] -= 2e-5
		if want := (up - f(v)) / 2e-5; math.Abs(gradient[i]-want) > 1e-5 {
			t.Errorf("derivative %d: %g, want %g", i, gradient[i], want)
		}
	}
	h := hessian(f, w)
	product := func(v []float64) ([]float64, error) { return l.Product(t.Context(), v) }
	squares, trace := 0.0, 0.0
	for i := range w {
		unit := make([]float64, len(w))
		unit[i] = 1
		column, err := product(unit)
		if err != nil {
			t.Fatal(err)
		}
		for j, got := range column {
			if math.Abs(got-h.At(j, i)) > 1e-5 {
				t.Errorf("H[%d,%d] is %g, want %g", j, i, got, h.At(j, i))
			}
			squares += h.At(j, i) * h.At(j, i)
		}
		trace += h.At(i, i)
	}
	var e mat.EigenSym
	e.Factorize(h, false)
	values := e.Values(nil)
	ends, err := curvature.Lanczos(len(w), product, curvature.LanczosConfig{Tolerance: 1e-4})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v of %g to %g", *ends, values[0], values[len(values)-1])
	if top := values[len(values)-1]; !ends.Converged || math.Abs(ends.Largest-top) > ends.LargestError+1e-5 {
		t.Errorf("the largest eigenvalue is %+v, want %g", *ends, top)
	}
	sums, err := curvature.Hutchinson(len(w), product, 100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(sums.Trace.Mean-trace) > 4*sums.Trace.SE || math.Abs(sums.Frobenius.Mean-math.Sqrt(squares)) > 4*sums.Frobenius.SE {
		t.Errorf("%+v, want trace %g and norm %g", *sums, trace, math.Sqrt(squares))
	}
}

// smooth is a small classifier with a convolution, a norm, pooling and no kink.
func smooth(t *testing.T) *onnx.Model {
	t.Helper()
	m := onnxtest.Parse(t, `<ir_version: 8, opset_import: ["" : 17]>
net (float[N,3,8,8] x, float[4,3,3,3] kernel, float[4] scale, float[4] shift, float[4] mean, float[4] variance, float[5,4,3,3] second, float[10,20] matrix, float[10] last) => (float[N,10] y) {
	c = Conv<pads = [1,1,1,1], strides = [2,2]>(x, kernel)
	n = BatchNormalization(c, scale, shift, mean, variance)
	a = Tanh(n)
	d = Conv<pads = [1,1,1,1]>(a, second)
	s = Sigmoid(d)
	p = AveragePool<kernel_shape = [2,2], strides = [2,2]>(s)
	f = Flatten(p)
	y = Gemm<transB = 1>(f, matrix, last)
}`)
	for _, v := range m.Graph.Inputs()[1:] {
		dims, _ := v.Type.Shape.Sizes()
		values := drawn(v.Name, 0.4, dims...)
		if v.Name == "variance" || v.Name == "scale" {
			for i := range values.Float32s() {
				values.Float32s()[i] = 1 + 0.1*float32(i)
			}
		}
		if _, err := rewrite.Bind(m.Graph, v, values); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// Through convolutions, norms by the batch and by running statistics, and pooling, products with the Hessian are what the gradient
// changes by.
func TestLandscapeOfNetworks(t *testing.T) {
	net := smooth(t)
	x, labels := drawn("pictures", 1, 12, 3, 8, 8), labelsOf(12, 10)
	for _, frozen := range []bool{false, true} {
		l, err := training.NewLandscape(net, training.LandscapeConfig{Loss: crossEntropy(t), FrozenNorms: frozen, Data: batchesOf(t, x, labels, 12), Session: runtimetest.Options(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		start := map[string]*onnx.Tensor{}
		for _, v := range training.Parameters(net.Graph) {
			start[v.Name] = v.Const
		}
		at, err := l.Packing().Pack(func(name string) *onnx.Tensor { return start[name] })
		if err != nil {
			t.Fatal(err)
		}
		along := drawn("along", 1, at.Len())
		v := make([]float64, at.Len())
		for i, a := range along.Float32s() {
			v[i] = float64(a)
		}
		const step = 1e-3
		var ends [2][]float64
		for i, sign := range []float32{1, -1} {
			moved := at.Clone()
			for j := range v {
				moved.Float32s()[j] += sign * step * along.Float32s()[j]
			}
			l.Stand(&training.Snapshot{Trained: moved})
			if _, ends[i], err = l.Slopes(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		l.Stand(&training.Snapshot{Trained: at})
		got, err := l.Product(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		size, off := 0.0, 0.0
		for i := range got {
			want := (ends[0][i] - ends[1][i]) / (2 * step)
			size, off = size+want*want, off+(got[i]-want)*(got[i]-want)
		}
		t.Logf("frozen %v: off by %.2g of %.3g", frozen, math.Sqrt(off), math.Sqrt(size))
		if off > 1e-3*1e-3*size {
			t.Errorf("frozen %v: the product is off by %g of %g", frozen, math.Sqrt(off), math.Sqrt(size))
		}
	}
}
