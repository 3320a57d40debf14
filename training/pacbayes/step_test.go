package pacbayes

import (
	"bytes"
	"math"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime"
	"graft/runtime/kernels"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
	"graft/training/optim"
)

// opened is a run on 40 samples of 6 numbers in two classes, in one batch, with a bound that a curve is given to.
func opened(t *testing.T) *run {
	t.Helper()
	m, err := graphs.MLP{In: 6, Hidden: []int64{5}, Classes: 2}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range m.Graph.Nodes() {
		if node.Is("Relu") {
			node.Op = "Tanh" // without a kink, for differences
		}
	}
	const n = 40
	x, labels := onnx.NewTensor(onnx.Float, n, 6), onnx.NewTensor(onnx.Int64, n)
	noise.Normal(x.Float32s(), noise.NewKey(1, "x", 0))
	rows := map[string]dataset.Rows{}
	for i := range n {
		labels.Int64s()[i] = int64(i % 2)
		x.Float32s()[6*i+i%2]++
	}
	for name, tensor := range map[string]*onnx.Tensor{"x": x, training.InputLabels: labels} {
		if rows[name], err = dataset.TensorRows(tensor); err != nil {
			t.Fatal(err)
		}
	}
	p := &Problem{Network: m}
	if p.Data, err = dataset.NewBatches(rows, nil, dataset.BatchConfig{Size: n, Ordered: true}); err != nil {
		t.Fatal(err)
	}
	p.Ordered = p.Data
	r, err := p.open(Config{}.defaults(), Run{Session: runtimetest.OneThread(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	curve, err := NewCurve([]float64{0.01, 0.1}, []float64{0.1, 0.3})
	if err != nil {
		t.Fatal(err)
	}
	r.bound = Bound{Samples: n, Constant: 22, Low: 0.5, High: 10, K: curve}
	return r
}

// step takes one step of gradient descent of a rate from a point, with the noise given, and says what becomes of it.
func (r *run) step(t *testing.T, start, eps *onnx.Tensor, rate float64) ([]float32, float64) {
	t.Helper()
	step, err := r.stage1By(optim.SGD(optim.SGDConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	loss := 0.0
	loop := &training.Loop{Step: step, Session: r.Run.Session, Data: r.problem.Data, Rate: func(int64) float64 { return rate },
		Feed: func(int64) map[string]*onnx.Tensor { return map[string]*onnx.Tensor{inputNoise: eps} },
		Each: func(p training.Progress) error { loss = p.Loss; return nil }}
	end, err := loop.Run(t.Context(), r.gated.Start(step, start), 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	return end.Trained.Float32s(), loss
}

// TestNoiseOnDevice: the steps for CUDA draw the numbers that the CPU's are fed, have a kernel there for all of it, and are the same
// to a checkpoint. Both count what they classify right.
func TestNoiseOnDevice(t *testing.T) {
	r := opened(t)
	start, err := r.layout.start(r.initial, r.config, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	_, p, _ := r.layout.cut(start)
	for stage, of := range map[int]struct {
		make  func() (*training.Step, error)
		start *onnx.Tensor
	}{1: {r.stage1, start}, 2: {func() (*training.Step, error) { return r.stage2(onnx.FromSlice(p)) }, r.initial}} {
		session := r.Run.Session
		train := func(provider string) (*onnx.Tensor, *training.Step) {
			r.Run.Session.Provider = provider
			step, err := of.make()
			r.Run.Session = session
			if err != nil {
				t.Fatal(err)
			}
			loop := &training.Loop{Step: step, Session: session, Data: r.problem.Data, Rate: func(int64) float64 { return 1 },
				Each: func(p training.Progress) error {
					logits, err := p.Output()
					if err != nil {
						return err
					}
					given, err := r.problem.Data.At(p.Step)
					if err != nil {
						return err
					}
					if want := (training.Classified{Logits: logits, Labels: given[training.InputLabels].Int64s()}).Right(); p.Right != want || want == 0 {
						t.Errorf("stage %d for %q, step %d: %d right, want %d", stage, provider, p.Step, p.Right, want)
					}
					return nil
				}}
			if fed := step.Model.Graph.Lookup(inputNoise) != nil; fed != (provider == "") {
				t.Errorf("stage %d for %q: the step is fed noise: %v", stage, provider, fed)
			} else if fed {
				draws := newSampler(r.layout.weights.Len(), r.config.Seed, streamOf(stage))
				defer draws.stop()
				loop.Feed = func(step int64) map[string]*onnx.Tensor { return map[string]*onnx.Tensor{inputNoise: draws.at(step)} }
			}
			end, err := loop.Run(t.Context(), r.gated.Start(step, of.start), 3, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			return end.Trained, step
		}
		want, cpu := train(session.Provider)
		got, device := train("cuda")
		for i, x := range want.Float32s() {
			if math.Abs(float64(x-got.Float32s()[i])) > 1e-4 {
				t.Fatalf("stage %d: element %d is %g, want %g", stage, i, got.Float32s()[i], x)
			}
		}
		a, _ := cpu.Fingerprint()
		if b, err := device.Fingerprint(); err != nil || a != b {
			t.Errorf("stage %d: fingerprints %s and %s, %v", stage, a, b, err)
		}
		for _, f := range kernels.Fallbacks(device.Model, runtime.CUDA) {
			t.Errorf("stage %d: %s has no kernel there: %s", stage, f.Node.Op, f.Why)
		}
	}
}

// TestStage1Step: the noise that the loss was taken with leaves no trace in the weights; the loss is that of the noisy network;
// and the gradients, of weights and of noise by the same sample, are those of the network's own loss and of the bound.
func TestStage1Step(t *testing.T) {
	r := opened(t)
	start, err := r.layout.start(r.initial, r.config, 0.05)
	if err != nil {
		t.Fatal(err)
	}
	eps := onnx.NewTensor(onnx.Float, r.initial.Len())
	noise.Normal(eps.Float32s(), noise.NewKey(4, "eps", 0))
	d := int(r.initial.Len())
	after, loss := r.step(t, start, eps, 0)
	if !bytes.Equal(onnx.FromSlice(after).Data, start.Data) || !bytes.Equal(onnx.FromSlice(after[:d]).Data, r.initial.Data) {
		t.Error("a step of no size moves the weights, though the network was noisy")
	}
	w, p, _ := r.layout.cut(start)
	moved := r.initial.Clone()
	for i, e := range eps.Float32s() {
		moved.Float32s()[i] = w[i] + float32(math.Exp(float64(p[i])))*e
	}
	of := func(w *onnx.Tensor) float64 {
		e, err := r.classifier.Score(t.Context(), w, nil, r.problem.Ordered)
		if err != nil {
			t.Fatal(err)
		}
		return e.Loss
	}
	if want := of(moved); math.Abs(loss-want) > 1e-6 {
		t.Errorf("loss %g, of the noisy network %g", loss, want)
	}

	after, _ = r.step(t, start, eps, 1)
	got := func(i int) float64 { return float64(start.Float32s()[i]) - float64(after[i]) }
	bound := func(at []float64) float64 {
		initial := make([]float64, d)
		for i, x := range r.initial.Float32s() {
			initial[i] = float64(x)
		}
		return value(r.bound, r.layout, at, initial)
	}
	at := make([]float64, len(after))
	for i, x := range start.Float32s() {
		at[i] = float64(x)
	}
	slope := func(i int) float64 { // of the bound
		const h = 1e-4
		up, down := append([]float64{}, at...), append([]float64{}, at...)
		up[i], down[i] = up[i]+h, down[i]-h
		return (bound(up) - bound(down)) / (2 * h)
	}
	worst := 0.0
	for i := range d {
		const h = 3e-3
		up, down := moved.Clone(), moved.Clone()
		up.Float32s()[i], down.Float32s()[i] = up.Float32s()[i]+h, down.Float32s()[i]-h
		ofLoss := (of(up) - of(down)) / float64(up.Float32s()[i]-down.Float32s()[i])
		sigma := math.Exp(float64(p[i]))
		for _, k := range []struct {
			at   int
			want float64
		}{{i, ofLoss + slope(i)}, {d + i, ofLoss*sigma*float64(eps.Float32s()[i]) + slope(d+i)}} {
			worst = max(worst, math.Abs(got(k.at)-k.want))
		}
	}
	for l := range r.layout.groups {
		worst = max(worst, math.Abs(got(2*d+l)-slope(2*d+l)))
	}
	t.Logf("largest difference %.2g", worst)
	if worst > 1e-5 {
		t.Errorf("gradients differ by %g", worst)
	}
}

// TestStart: the divergence begins at zero; a tensor of zeros, and one that is larger than the rest, begin with the noise of
// the network; the variant for networks that were trained before begins with less, but for its head.
func TestStart(t *testing.T) {
	r := opened(t)
	for _, prior := range []Prior{Layer, Scalar} {
		l, err := newLayout(r.gated.Parameters(), prior)
		if err != nil {
			t.Fatal(err)
		}
		w0 := r.initial.Clone()
		for i := range 5 {
			w0.Float32s()[30+i] = 0 // fc0.bias
		}
		start, err := l.start(w0, r.config, 1)
		if err != nil {
			t.Fatal(err)
		}
		w, p, b := l.cut(start)
		if kl := KL(w, w0.Float32s(), p, b, l.groups); math.Abs(kl) > 1e-3 {
			t.Errorf("%s: KL begins at %g", prior, kl)
		}
		if w0.Float32s()[30] != 0 || p[30]-p[30] != 0 {
			t.Errorf("%s: log sigma of a weight of zero is %g", prior, p[30])
		}
		if start, err = l.start(w0, r.config, 1e-3); err != nil {
			t.Fatal(err)
		}
		if _, p, _ = l.cut(start); p[0] > float32(math.Log(1e-3))+1e-6 {
			t.Errorf("%s: log sigma begins at %g, above the grid", prior, p[0])
		}
	}
	if _, err := r.layout.start(onnx.NewTensor(onnx.Float, r.initial.Len()), r.config, 1); err == nil {
		t.Error("weights of zeros are taken")
	}
}
