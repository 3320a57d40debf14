package pacbayes_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/safetensors"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
	"graft/training/pacbayes"
)

const inputs, classes = 12, 3

// samples of so many numbers, of which the largest of the first three says the class, with some labels wrong.
func samples(t *testing.T, n int, seed uint64) map[string]dataset.Rows {
	t.Helper()
	x, labels := onnx.NewTensor(onnx.Float, int64(n), inputs), onnx.NewTensor(onnx.Int64, int64(n))
	noise.Normal(x.Float32s(), noise.NewKey(seed, "x", 0))
	for i := range n {
		labels.Int64s()[i] = int64(i % classes)
		x.Float32s()[inputs*i+i%classes] += 2.5
	}
	rows := map[string]dataset.Rows{}
	var err error
	for name, tensor := range map[string]*onnx.Tensor{"x": x, training.InputLabels: labels} {
		if rows[name], err = dataset.TensorRows(tensor); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func batches(t *testing.T, rows map[string]dataset.Rows, c dataset.BatchConfig) *dataset.Batches {
	t.Helper()
	b, err := dataset.NewBatches(rows, nil, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func problem(t *testing.T, n int) *pacbayes.Problem {
	t.Helper()
	m, err := graphs.MLP{In: inputs, Hidden: []int64{16}, Classes: classes}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	rows := samples(t, n, 1)
	return &pacbayes.Problem{Network: m, Data: batches(t, rows, dataset.BatchConfig{Size: 50, Seed: 1}),
		Ordered: batches(t, rows, dataset.BatchConfig{Size: 200, Partial: true, Ordered: true})}
}

func run(t *testing.T) pacbayes.Run { return pacbayes.Run{Session: runtimetest.OneThread(t)} }

var small = pacbayes.Config{Grid: pacbayes.Grid{Low: -4, High: -1.5, Points: 3, Models: 3}, Rate: 3e-3, Epochs1: 25, Epochs2: 3, Accuracy: 1.1, Seed: 3}

// TestTrain: the objective falls in stage 1, sigma and scales rest in stage 2, the same run is the same to the bit, weights that
// matter have less noise, and the certificate is more than the error of drawn classifiers on samples that were never seen.
func TestTrain(t *testing.T) {
	for _, prior := range []pacbayes.Prior{pacbayes.Layer, pacbayes.Scalar} {
		p, c := problem(t, 600), small
		c.Prior = prior
		got, err := p.Train(t.Context(), c, run(t))
		if err != nil {
			t.Fatal(err)
		}
		first, last := got.Epochs[0], got.Epochs[c.Epochs1-1]
		t.Logf("%s: objective from %.3f to %.3f, loss %.3f, KL %.1f, gamma %.2f, sigma %.3f", prior, first.Objective, last.Objective, last.Loss, last.KL, last.Gamma, last.Sigma)
		if last.Objective > 0.8*first.Objective || last.Objective != last.Loss+last.Bound {
			t.Errorf("objective from %g to %g", first.Objective, last.Objective)
		}
		for i := 1; i < len(got.Curve.K); i++ {
			if got.Curve.K[i] < got.Curve.K[i-1] {
				t.Errorf("K falls: %v", got.Curve.K)
			}
		}
		for _, e := range got.Epochs[c.Epochs1:] {
			if e.Sigma != last.Sigma || e.Scale != last.Scale || e.Stage != 2 {
				t.Errorf("sigma moves in stage 2: %+v", e)
			}
		}
		again, err := problem(t, 600).Train(t.Context(), c, run(t))
		if err != nil || !bytes.Equal(got.Mean.Data, again.Mean.Data) || !bytes.Equal(got.LogSigma.Data, again.LogSigma.Data) {
			t.Errorf("the same run gives another posterior, %v", err)
		}
		certified(t, got, p)
	}
}

func certified(t *testing.T, got *pacbayes.Posterior, p *pacbayes.Problem) {
	t.Helper()
	gibbs, err := got.Gibbs()
	if err != nil {
		t.Fatal(err)
	}
	if gibbs.KL() > got.KL()+1 {
		t.Errorf("KL of the scales chosen is %g, of those trained %g", gibbs.KL(), got.KL())
	}
	config := pacbayes.CertifyConfig{Draws: 20, Seed: 5, Data: p.Ordered, Session: runtimetest.OneThread(t)}
	c, err := gibbs.Certify(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	test := batches(t, samples(t, 1000, 2), dataset.BatchConfig{Size: 500, Ordered: true})
	together, alone, err := gibbs.Ensemble(t.Context(), 20, 9, test, nil, config.Session)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v; Gibbs error on other samples %.3f, together %.3f", c, 1-alone, 1-together)
	if 1-alone >= c.Value || c.Value >= 1 || c.Samples != 600 || c.Classes != classes {
		t.Errorf("certificate %+v, Gibbs error %g", c, 1-alone)
	}

	data, err := gibbs.EncodeCertificate(c, pacbayes.Record{Data: "d", PriorOf: "here"})
	if err != nil {
		t.Fatal(err)
	}
	file, err := read(t, data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Gibbs(got.Gated); !errors.Is(err, pacbayes.ErrOtherWeights) { // the model still has its initial weights
		t.Errorf("a certificate of other weights: %v", err)
	}
	for _, w := range got.Gated.Packing().Unpack(got.Mean) {
		p.Network.Graph.Lookup(w.Name).Const = w
	}
	reopened, err := training.NewGated(p.Network, training.ArtifactConfig{Loss: entropy(t)})
	if err != nil {
		t.Fatal(err)
	}
	read, err := file.Gibbs(reopened)
	if err != nil {
		t.Fatal(err)
	}
	if file.Certificate != *c || file.Record.Data != "d" || file.Record.Format != 1 {
		t.Errorf("read %+v and %+v", file.Certificate, file.Record)
	}
	if recomputed, err := read.Certify(t.Context(), config); err != nil || *recomputed != *c {
		t.Errorf("recomputed %+v, %v, was %+v", recomputed, err, c)
	}
	hostile(t, data, reopened)
}

// hostile are files that are no certificates of the model.
func hostile(t *testing.T, data []byte, gated *training.Gated) {
	t.Helper()
	for name, change := range map[string]func(tensors map[string]*onnx.Tensor, metadata map[string]string){
		"no record":     func(_ map[string]*onnx.Tensor, m map[string]string) { delete(m, "record") },
		"broken record": func(_ map[string]*onnx.Tensor, m map[string]string) { m["record"] = "{" },
		"another format": func(_ map[string]*onnx.Tensor, m map[string]string) {
			m["record"] = strings.Replace(m["record"], `"format":1`, `"format":2`, 1)
		},
		"no such prior": func(_ map[string]*onnx.Tensor, m map[string]string) {
			m["record"] = strings.Replace(m["record"], `"prior":"`, `"prior":"x`, 1)
		},
		"no deviations":     func(o map[string]*onnx.Tensor, _ map[string]string) { delete(o, "out.bias.sigma") },
		"deviation of zero": func(o map[string]*onnx.Tensor, _ map[string]string) { o["out.bias.sigma"].Float32s()[1] = 0 },
		"prior mean of NaN": func(o map[string]*onnx.Tensor, _ map[string]string) {
			o["out.bias.prior_mean"].Float32s()[1] = float32(math.NaN())
		},
		"scale between": func(o map[string]*onnx.Tensor, _ map[string]string) {
			onnx.View[float64](o["prior.log_scale"])[0] += 1e-3
		},
		"scales of float": func(o map[string]*onnx.Tensor, _ map[string]string) {
			o["prior.log_scale"] = onnx.NewTensor(onnx.Float, 1)
		},
	} {
		tensors, metadata, err := safetensors.Decode(bytes.Clone(data), "c")
		if err != nil {
			t.Fatal(err)
		}
		of := map[string]*onnx.Tensor{}
		for _, w := range tensors {
			of[w.Name] = w
		}
		change(of, metadata)
		tensors = tensors[:0]
		for name, w := range of {
			w.Name = name
			tensors = append(tensors, w)
		}
		made, err := safetensors.Encode(tensors, metadata)
		if err != nil {
			t.Fatal(err)
		}
		if err := readable(t, made, gated); err == nil {
			t.Errorf("%s: taken", name)
		} else if !strings.Contains(err.Error(), "c.safetensors: ") {
			t.Errorf("%s: %v does not name the file", name, err)
		}
	}
	for cut := 0; cut < len(data); cut += len(data)/50 + 1 {
		if err := readable(t, data[:cut], gated); err == nil {
			t.Errorf("%d bytes are taken", cut)
		}
	}
}

// read reads a certificate from a file.
func read(t *testing.T, data []byte) (*pacbayes.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.safetensors")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return pacbayes.ReadCertificate(path)
}

func readable(t *testing.T, data []byte, gated *training.Gated) error {
	f, err := read(t, data)
	if err == nil {
		_, err = f.Gibbs(gated)
	}
	return err
}

// TestNormsCertificate: statistics of norms want samples that are not certified on; with some a network with a norm is trained,
// its statistics are those of the mean, and its prior may be trained on them too.
func TestNormsCertificate(t *testing.T) {
	const net = `<ir_version: 8, opset_import: ["" : 21]>
g (float[N,12] x) => (float[N,3] y)
<float[12,8] a, float[8] scale, float[8] bias, float[8] mean, float[8] var, float[8,3] b, float[3] c>
{
  h = MatMul(x, a)
  n = BatchNormalization(h, scale, bias, mean, var)
  r = Relu(n)
  z = MatMul(r, b)
  y = Add(z, c)
}`
	text := net
	for i, k := range []struct {
		name string
		n    int
		of   func(u float32) float32
	}{{"a", 96, centred}, {"scale", 8, ones}, {"bias", 8, zeros}, {"mean", 8, zeros}, {"var", 8, ones}, {"b", 24, centred}, {"c", 3, zeros}} {
		u := make([]float32, k.n)
		noise.Uniform(u, noise.NewKey(uint64(i), "w", 0))
		var list []string
		for _, x := range u {
			list = append(list, strconv.FormatFloat(float64(k.of(x)), 'f', 6, 32))
		}
		for _, end := range []string{",", ">"} {
			text = strings.Replace(text, "] "+k.name+end, "] "+k.name+" = {"+strings.Join(list, ", ")+"}"+end, 1)
		}
	}
	m, err := onnx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	rows, apart := samples(t, 400, 1), samples(t, 200, 4)
	p := &pacbayes.Problem{Network: m, Data: batches(t, rows, dataset.BatchConfig{Size: 50, Seed: 1}),
		Ordered:   batches(t, rows, dataset.BatchConfig{Size: 200, Ordered: true}),
		PriorData: batches(t, apart, dataset.BatchConfig{Size: 50, Seed: 1})}
	c := small
	c.Epochs1, c.Epochs2, c.PriorEpochs, c.Rate = 5, 0, 20, 1e-2
	got, err := p.Train(t.Context(), c, run(t))
	if err != nil {
		t.Fatal(err)
	}
	if got.Epochs[0].Accuracy < 0.7 {
		t.Errorf("with a trained prior the first epoch has an accuracy of %g", got.Epochs[0].Accuracy)
	}
	gibbs, err := got.Gibbs()
	if err != nil {
		t.Fatal(err)
	}
	config := pacbayes.CertifyConfig{Draws: 20, Seed: 5, Data: p.Ordered, Session: runtimetest.OneThread(t)}
	if _, err := gibbs.Certify(t.Context(), config); !errors.Is(err, pacbayes.ErrNorms) {
		t.Errorf("statistics of the samples that are certified on: %v", err)
	}
	config.Draws, config.Norms = 200, batches(t, apart, dataset.BatchConfig{Size: 100, Ordered: true})
	certificate, err := gibbs.Certify(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v", certificate)
	if !certificate.NonVacuous {
		t.Errorf("with a trained prior: %v", certificate)
	}
	again, err := training.NewNorms(m, runtimetest.OneThread(t))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	buffers, err := again.Estimate(t.Context(), got.Mean, p.Ordered)
	if err != nil || !bytes.Equal(buffers["mean"].Data, got.Buffers["mean"].Data) || !bytes.Equal(buffers["var"].Data, got.Buffers["var"].Data) {
		t.Errorf("the statistics are not those of the mean, %v", err)
	}
}

func centred(u float32) float32 { return 2*u - 1 }
func ones(float32) float32      { return 1 }
func zeros(float32) float32     { return 0 }

// TestDiverged: a run that leaves the numbers stops with the stage, the step and the tensor.
func TestDiverged(t *testing.T) {
	p, c := problem(t, 200), small
	c.Rate = 1e30
	_, err := p.Train(t.Context(), c, run(t))
	if !errors.Is(err, training.ErrDiverged) || !strings.Contains(err.Error(), "stage 1: step ") || !strings.Contains(err.Error(), "the first tensor that went bad") {
		t.Errorf("%v", err)
	}
	t.Log(err)
}

// TestLost: a run whose numbers stay finite and say nothing stops too.
func TestLost(t *testing.T) {
	p, c := problem(t, 200), small
	c.Rate, c.PosteriorRate = 100, 1e-3
	_, err := p.Train(t.Context(), c, run(t))
	if !errors.Is(err, training.ErrDiverged) || !strings.Contains(err.Error(), "stage 1: step ") || !strings.Contains(err.Error(), "guessing has 1.1") {
		t.Errorf("%v", err)
	}
}

// TestResume: a run that is cut off in either stage, and goes on, is the same to the bit; without a new estimate of K.
func TestResume(t *testing.T) {
	c := small
	c.Epochs1, c.Epochs2 = 4, 3
	want, err := problem(t, 300).Train(t.Context(), c, run(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{2, 6} {
		with := run(t)
		with.Folder = t.TempDir()
		ctx, stop := context.WithCancel(t.Context())
		epochs := 0
		with.Seen = func(pacbayes.Epoch) {
			if epochs++; epochs == cut {
				stop()
			}
		}
		if _, err := problem(t, 300).Train(ctx, c, with); !errors.Is(err, context.Canceled) {
			t.Fatalf("cut off: %v", err)
		}
		with.Seen = nil
		if kept, _, err := training.ReadCheckpoint(filepath.Join(with.Folder, fmt.Sprintf("checkpoint-%d", 1+cut/5))); err != nil || kept["out.bias"] == nil {
			t.Errorf("kept %v, %v", kept, err)
		}
		estimated := false
		with.Told = func(stage string, _, _ int64, _ string) { estimated = estimated || stage == "estimate K" }
		got, err := problem(t, 300).Train(t.Context(), c, with)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Mean.Data, want.Mean.Data) || !bytes.Equal(got.LogSigma.Data, want.LogSigma.Data) || !slices.Equal(got.Epochs, want.Epochs) || estimated {
			t.Errorf("cut off in epoch %d: another posterior, %d epochs of %d, K estimated again: %v", cut, len(got.Epochs), len(want.Epochs), estimated)
		}
	}
}

// TestTuning: of a network that was trained before the head alone is new, and what is frozen has no noise.
func TestTuning(t *testing.T) {
	p, c := problem(t, 300), small
	c.Tuning = &pacbayes.Tuning{Head: regexp.MustCompile("^out"), HeadRate: 1e-2}
	p.Freeze = regexp.MustCompile("fc0.bias")
	c.Epochs1, c.Epochs2, c.Rate, c.Gamma = 3, 0, 0, 10
	got, err := p.Train(t.Context(), c, run(t))
	if err != nil {
		t.Fatal(err)
	}
	if names := got.Gated.Packing().Names(); slices.Contains(names, "fc0.bias") {
		t.Errorf("trained are %v", names)
	}
	if got.Bound.Low != 10 || got.Bound.High != 10 || got.Epochs[2].Gamma != 10 {
		t.Errorf("gamma from %g to %g", got.Bound.Low, got.Bound.High)
	}
	far := map[string]float64{}
	before := got.Gated.Packing().Unpack(got.Initial)
	for i, w := range got.Gated.Packing().Unpack(got.Mean) {
		for j, x := range w.Float32s() {
			far[w.Name] = max(far[w.Name], math.Abs(float64(x-before[i].Float32s()[j])))
		}
	}
	if far["out.weight"] < 20*far["fc0.weight"] || far["fc0.weight"] == 0 {
		t.Errorf("moved by %v", far)
	}
	c.Tuning.Head = regexp.MustCompile("classifier")
	if _, err := p.Train(t.Context(), c, run(t)); err == nil || !strings.Contains(err.Error(), "classifier") {
		t.Errorf("a head that there is not: %v", err)
	}
}
