package training_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// Models of others, with the sizes of their free dimensions: their gradients are held against differences of the loss along
// random directions of all parameters. Weights are drawn anew, for the files hold constants or are too well trained.
var models = []struct {
	file, loss string
	sizes      map[string]int64
	long       bool   // left out without -long
	output     string // the first without it
	integers   map[string]int64
}{
	{file: "mnist_cntk.onnx", loss: "mse"},
	{file: "ort_cnn_mnist_pytorch.onnx", loss: "mse"},
	{file: "light_squeezenet.onnx", loss: "cross-entropy", long: true},
	{file: "light_resnet50.onnx", loss: "cross-entropy", long: true},
	{file: "ort_bert_toy_optimized.onnx", loss: "mse", sizes: map[string]int64{"batch": 2, "max_seq_len_in_batch": 5}},
	{file: "ort_gpt2_past.onnx", loss: "mse", sizes: map[string]int64{"batch_size": 2, "seq_len": 3}},
	{file: "gonnx_gru.onnx", loss: "mse", sizes: map[string]int64{"batch_size": 2, "seq_length": 4}},
	{file: "gonnx_mlp.onnx", loss: "mse", sizes: map[string]int64{"batch_size": 3}},
	{file: "silero_vad_legacy.onnx", loss: "mse", sizes: map[string]int64{"batch": 2, "sequence": 1536}, output: "output", integers: map[string]int64{"sr": 16000}},
	{file: "silero_vad_legacy.onnx", loss: "mse", sizes: map[string]int64{"batch": 2, "sequence": 768}, output: "output", integers: map[string]int64{"sr": 8000}},
}

var long = flag.Bool("long", false, "differentiate large models too")

func TestWholeModels(t *testing.T) {
	dir := "../../shared/data/onnx"
	if _, err := os.Stat(dir); err != nil {
		dir = "../../../shared/data/onnx" // a worktree beside the others
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no models in ../shared/data/onnx")
	}
	sgd, err := optim.Lookup("sgd")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range models {
		t.Run(strings.TrimSuffix(c.file, ".onnx"), func(t *testing.T) {
			if c.long && !*long {
				t.Skip("without -long")
			}
			objective, err := loss.Lookup(c.loss)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, c.file)
			if _, err := os.Stat(file); err != nil {
				if file = filepath.Join(os.Getenv("GRAFT_MODELS"), c.file); file == c.file {
					t.Skipf("no %s in %s, GRAFT_MODELS names no other folder", c.file, dir)
				}
			}
			m, err := onnx.Load(file, onnx.LoadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			a, err := training.NewArtifacts(m, training.ArtifactConfig{Loss: objective, Optimizer: sgd, Output: c.output})
			if err != nil {
				t.Fatal(err)
			}
			s := runtimetest.Open(t, a.Training, runtimetest.Options(t))
			a.Training.Graph.SetOutputs(a.Training.Graph.Lookup(training.OutputLoss))
			a.Training.Graph.RemoveUnused()
			forward := runtimetest.Open(t, a.Training, runtimetest.Options(t))
			w := whole{T: t, artifacts: a, session: s, forward: forward, sizes: c.sizes, integers: c.integers, rng: rand.New(rand.NewPCG(3, 5))}
			w.draw()
			w.check()
		})
	}
}

// whole is one model under test.
type whole struct {
	*testing.T
	artifacts *training.Artifacts
	session   *runtime.Session // loss and gradients
	forward   *runtime.Session // the loss alone
	sizes     map[string]int64
	integers  map[string]int64
	rng       *rand.Rand
	feeds     map[string]*onnx.Tensor
}

// draw makes parameters of the usual size, and inputs.
func (w *whole) draw() {
	w.feeds = map[string]*onnx.Tensor{}
	vocabulary := int64(math.MaxInt64)
	params := map[string]bool{}
	for _, p := range w.artifacts.Contract.Parameters {
		params[p.Name] = true
	}
	for _, in := range w.session.Inputs() {
		if s := in.Type.Shape; params[in.Name] && len(s) == 2 {
			vocabulary = min(vocabulary, s[0].Size)
		}
	}
	for _, in := range w.session.Inputs() {
		dims := make([]int64, len(in.Type.Shape))
		for i, d := range in.Type.Shape {
			if dims[i] = d.Size; !d.Known() {
				dims[i] = w.sizes[d.Symbol]
			}
		}
		t := onnx.NewTensor(in.Type.DType, dims...)
		width := 1.0
		if params[in.Name] && len(dims) > 1 {
			width = math.Sqrt(2 * float64(dims[0]) / float64(t.Len()))
		}
		switch t.DType {
		case onnx.Float:
			for i := range t.Float32s() {
				t.Float32s()[i] = float32(width * w.rng.NormFloat64())
				if params[in.Name] && len(dims) == 1 {
					t.Float32s()[i] = float32(1 + 0.1*w.rng.NormFloat64())
				}
				if strings.Contains(in.Name, "var") || strings.HasSuffix(in.Name, "accumulation.buffer") {
					t.Float32s()[i] = 1
				}
			}
		case onnx.Int64:
			for i := range t.Int64s() {
				t.Int64s()[i] = w.rng.Int64N(min(vocabulary, 2))
				if v, ok := w.integers[in.Name]; ok {
					t.Int64s()[i] = v
				}
			}
		case onnx.Bool:
			t.Data[0] = 1
		}
		w.feeds[in.Name] = t
	}
}

func (w *whole) run(s *runtime.Session) map[string]*onnx.Tensor {
	w.Helper()
	feeds := map[string]*onnx.Tensor{}
	for _, in := range s.Inputs() {
		feeds[in.Name] = w.feeds[in.Name]
	}
	out, err := s.Run(w.Context(), feeds)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// check compares the slope of the loss along directions of all parameters. Two of five may meet a kink.
func (w *whole) check() {
	out := w.run(w.session)
	value := float64(out[training.OutputLoss].Float32s()[0])
	if math.IsNaN(value) || math.IsInf(value, 0) || value == 0 {
		w.Fatalf("loss %g", value)
	}
	agree := 0
	for trial := range 5 {
		start, direction := map[string]*onnx.Tensor{}, map[string][]float64{}
		slope, size := 0.0, 0.0
		for _, p := range w.artifacts.Contract.Parameters {
			g := out[p.Name+"_grad.accumulation.out"].Float32s()
			start[p.Name] = w.feeds[p.Name]
			d := make([]float64, len(g))
			for i, v := range g {
				d[i] = w.rng.NormFloat64() * float64(math.Abs(float64(v)))
				slope += d[i] * float64(v)
				size += d[i] * d[i]
			}
			direction[p.Name] = d
		}
		if size == 0 {
			w.Fatal("the gradient is zero")
		}
		at := func(h float64) float64 {
			for name, d := range direction {
				moved := start[name].Clone()
				for i := range d {
					moved.Float32s()[i] += float32(h * d[i])
				}
				w.feeds[name] = moved
			}
			return float64(w.run(w.forward)[training.OutputLoss].Float32s()[0])
		}
		central := func(h float64) float64 { return (at(h) - at(-h)) / (2 * h) }
		off := math.Inf(1) // least over steps: a long one meets kinks, a short one rounding
		for _, change := range []float64{1e-3, 2e-4, 5e-5} {
			h := change * value / math.Max(math.Abs(slope), 1e-30)
			want := (4*central(h/2) - central(h)) / 3
			off = min(off, math.Abs(slope-want)/math.Max(math.Abs(want), math.Abs(slope)))
			if off <= 2e-3 {
				break
			}
		}
		for name, v := range start {
			w.feeds[name] = v
		}
		if off <= 2e-3 {
			agree++
		} else {
			w.Logf("trial %d: slope %g by the gradient, differences are %g of it away", trial, slope, off)
		}
	}
	if agree < 3 {
		w.Errorf("%d of 5 directions agree", agree)
	}
}
