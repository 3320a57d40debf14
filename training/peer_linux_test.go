package training_test

import (
	"cmp"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
	"graft/training/optim"
)

// BenchmarkPeers is one training step of each model in the folder $GRAFT_PEER_MODELS, which testdata/peers/models.py writes,
// on two threads or $GRAFT_PEER_THREADS: what graft train runs, on the batch that lies beside the model. ms/step is the
// median; peak-MiB is how far the process's resident memory rises, from when the session is opened, above what it was before
// the model was read. ONNX Runtime has then run another model already, so that its code is not counted. process-MiB is all
// of it.
func BenchmarkPeers(b *testing.B) {
	for _, file := range peerModels(b) {
		b.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(b *testing.B) { peerStep(b, file) })
	}
}

// another gives the options of the provider that a test holds to the CPU, and whose forms of gradients it takes:
// $GRAFT_TEST_PROVIDER, else CUDA where the machine has it. With GRAFT_PEER_FORMS=cuda the CPU can be held to itself, by the forms
// of gradients that are for CUDA.
func another(t *testing.T) (options runtime.Options, forms string) {
	forms = os.Getenv("GRAFT_PEER_FORMS")
	if runtime.ProviderName(runtimetest.Provider()) == runtime.CPU && forms == "" {
		options = runtimetest.CUDA(t)
	} else {
		options = runtimetest.Options(t)
	}
	options.Verbose = testing.Verbose() // says how many copies between devices there are
	if forms == "" {
		forms = options.Provider
	}
	options.Placed = func(p runtime.Placement) {
		switch left := runtime.FallbackText(p.Fallback); {
		case left == "":
		case p.Provider == runtime.CUDA: // whose artifacts have no such operator, by the table of its kernels
			t.Errorf("%s leaves operators to the CPU: %s", p.Provider, left)
		default:
			t.Logf("%s leaves operators to the CPU: %s", p.Provider, left)
		}
	}
	return options, forms
}

// TestPeersOnProvider trains each of these models for 20 or $GRAFT_PEER_STEPS steps on the CPU and on another provider, and
// holds the losses to each other: within 1e-3 of them, or thrice as far as the CPU is from itself with another number of threads,
// where the training is such that the order of sums alone moves it farther.
func TestPeersOnProvider(t *testing.T) {
	files := peerModels(t)
	options, forms := another(t)
	steps := int64(20)
	if n, err := strconv.ParseInt(os.Getenv("GRAFT_PEER_STEPS"), 10, 64); err == nil && n > 0 {
		steps = n
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(t *testing.T) {
			train := func(o runtime.Options, forms string) (losses []float64) {
				loop, start := peerLoop(t, file, o, forms)
				loop.Each = func(p training.Progress) error {
					losses = append(losses, p.Loss)
					return nil
				}
				if _, err := loop.Run(t.Context(), start, steps, 0, nil); err != nil {
					t.Fatal(err)
				}
				return losses
			}
			cpu := options
			cpu.Provider = ""
			want, got := train(cpu, ""), train(options, forms)
			worst := farthest(want, got)
			t.Logf("loss %.6g to %.6g on the CPU, %.6g to %.6g on %s in %d steps, at most %.2g of it apart", want[0], want[steps-1], got[0], got[steps-1],
				runtime.ProviderName(options.Provider), steps, worst)
			if worst < 1e-3 {
				return
			}
			cpu.Threads = 1
			if options.Threads == 1 {
				cpu.Threads = 2
			}
			own := farthest(want, train(cpu, ""))
			t.Logf("the CPU with another number of threads is %.2g apart", own)
			if !(worst < 3*own) {
				t.Errorf("losses differ: %v on the CPU, %v on %s", want, got, runtime.ProviderName(options.Provider))
			}
		})
	}
}

// farthest is the largest difference between losses, as part of them.
func farthest(want, got []float64) (worst float64) {
	for i, w := range want {
		d := math.Abs(got[i]-w) / math.Max(math.Abs(w), 1e-3)
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}

// TestPeerOutputsOnProvider holds what these models give, with the statistics of the file and of the batch, and the gradients
// of their parameters to the CPU's.
func TestPeerOutputsOnProvider(t *testing.T) {
	files := peerModels(t)
	options, forms := another(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(t *testing.T) {
			run := func(o runtime.Options, forms string) map[string]*onnx.Tensor {
				a, feeds := peerArtifacts(t, file, forms)
				all := map[string]*onnx.Tensor{}
				for kind, m := range map[string]*onnx.Model{"eval": a.Eval, "training": a.Training} {
					s, err := runtime.Open(encoded(t, m), o)
					if err != nil {
						t.Fatal(err)
					}
					fed := feedsOf(a, feeds)
					for name := range fed {
						if !slices.ContainsFunc(s.Inputs(), func(p runtime.Port) bool { return p.Name == name }) {
							delete(fed, name)
						}
					}
					out, err := s.Run(t.Context(), fed)
					if err != nil {
						t.Fatal(err)
					}
					s.Close()
					for name, v := range out {
						if v.DType == onnx.Float {
							all[kind+" "+name] = v
						}
					}
				}
				return all
			}
			cpu := options
			cpu.Provider = ""
			want, got := run(cpu, ""), run(options, forms)
			outputs, apart, largest := 0.0, 0.0, 0.0 // of gradients the largest of all counts: some are zero but for rounding
			for name, w := range want {
				d, own := 0.0, 1e-6
				for i, v := range w.Float32s() {
					own = max(own, math.Abs(float64(v)))
					d = max(d, math.Abs(float64(got[name].Float32s()[i]-v)))
				}
				if strings.Contains(name, "_grad.") {
					apart, largest = max(apart, d), max(largest, own)
				} else {
					outputs = max(outputs, d/own)
				}
			}
			t.Logf("outputs at most %.2g of the largest apart, gradients %.2g, on %s", outputs, apart/largest, runtime.ProviderName(options.Provider))
			if !(outputs < 1e-4 && apart < 1e-4*largest) {
				t.Errorf("outputs differ by %.3g of the largest, gradients by %.3g", outputs, apart/largest)
			}
		})
	}
}

func encoded(t testing.TB, m *onnx.Model) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// peerArtifacts makes a model's artifacts, with forms of gradients for a provider, and reads its batch.
func peerArtifacts(b testing.TB, file, forms string) (*training.Artifacts, map[string]*onnx.Tensor) {
	m, err := onnx.Load(file, onnx.LoadOptions{})
	if err != nil {
		b.Fatal(err)
	}
	arrays, err := dataset.ReadTensors(strings.TrimSuffix(file, ".onnx") + ".npz")
	if err != nil {
		b.Fatal(err)
	}
	objective, feeds := "mse", map[string]*onnx.Tensor{}
	for _, t := range arrays {
		feeds[t.Name] = t
		if t.Name == training.InputLabels {
			objective = "cross-entropy"
		}
	}
	config := training.ArtifactConfig{Optimizer: optim.Adam(optim.AdamConfig{}), Provider: forms,
		Precision: map[string]onnx.DataType{"fp16": onnx.Float16, "bf16": onnx.BFloat16}[os.Getenv("GRAFT_PEER_PRECISION")]}
	if config.Loss, err = loss.Lookup(objective); err != nil {
		b.Fatal(err)
	}
	a, err := training.NewArtifacts(m, config)
	if err != nil {
		b.Fatal(err)
	}
	return a, feeds
}

// peerLoop trains a model on its batch.
func peerLoop(b testing.TB, file string, options runtime.Options, forms string) (*training.Loop, *training.Snapshot) {
	a, feeds := peerArtifacts(b, file, forms)
	if path := os.Getenv("GRAFT_PEER_PROFILE"); path != "" {
		m, err := training.LoopModel(a.Fused)
		if err != nil {
			b.Fatal(err)
		}
		data, err := m.Encode()
		if err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			b.Fatal(err)
		}
	}
	return &training.Loop{Step: a.Fused, Session: options,
		Rate: func(int64) float64 { return 1e-3 },
		Feed: func(int64) map[string]*onnx.Tensor { return feeds }}, a.Start()
}

// smallStep trains a network of a few numbers for a step.
func smallStep(b *testing.B, options runtime.Options) error {
	m, err := graphs.ResNet{Widths: []int64{2}, Blocks: 1, In: 1, Height: 4, Width: 4}.Build(0)
	if err != nil {
		return err
	}
	objective, err := loss.Lookup("cross-entropy")
	if err != nil {
		return err
	}
	a, err := training.NewArtifacts(m, training.ArtifactConfig{Loss: objective, Optimizer: optim.Adam(optim.AdamConfig{})})
	if err != nil {
		return err
	}
	feeds := map[string]*onnx.Tensor{"x": onnx.NewTensor(onnx.Float, 2, 1, 4, 4), training.InputLabels: onnx.NewTensor(onnx.Int64, 2)}
	loop := &training.Loop{Step: a.Fused, Session: options,
		Rate: func(int64) float64 { return 1e-3 },
		Feed: func(int64) map[string]*onnx.Tensor { return feeds }}
	_, err = loop.Run(b.Context(), a.Start(), 1, 0, nil)
	return err
}

func peerStep(b *testing.B, file string) {
	options := runtimetest.Options(b)
	options.Threads = 2
	if n, err := strconv.Atoi(os.Getenv("GRAFT_PEER_THREADS")); err == nil {
		options.Threads = n
	}
	if err := smallStep(b, options); err != nil {
		b.Fatal(err)
	}
	debug.FreeOSMemory()
	before := limitstest.Resident(b, "VmRSS:")
	options.Capture = os.Getenv("GRAFT_PEER_GRAPHS") != ""
	loop, start := peerLoop(b, file, options, cmp.Or(os.Getenv("GRAFT_PEER_FORMS"), options.Provider))
	batch := 0
	for _, t := range loop.Feed(1) {
		batch += len(t.Data)
	}
	var times []float64 // of the steps behind the fifth, in ms
	var last time.Time
	loop.Each = func(p training.Progress) error {
		now := time.Now()
		if p.Step == 5 {
			b.ResetTimer()
		} else if p.Step > 5 {
			times = append(times, now.Sub(last).Seconds()*1000)
		}
		last = now
		return nil
	}
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log("the peak cannot be reset: ", err)
	}
	if _, err := loop.Run(b.Context(), start, int64(b.N)+5, 0, nil); err != nil {
		b.Fatal(err)
	}
	peak := limitstest.Resident(b, "VmHWM:")
	b.ReportMetric(float64(peak-before)/1024, "peak-MiB")
	b.ReportMetric(float64(peak)/1024, "process-MiB")
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2], "ms/step")
	b.ReportMetric(float64(batch), "batch-B")
}

// BenchmarkPeersForward is a run of each of these models, with the statistics of the file and the parameters inside: the batch
// goes in from the computer's memory, the outputs come back there. ms/run is the median.
func BenchmarkPeersForward(b *testing.B) {
	for _, file := range peerModels(b) {
		b.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(b *testing.B) {
			a, feeds := peerArtifacts(b, file, "")
			dir := b.TempDir()
			if err := a.Write(dir); err != nil {
				b.Fatal(err)
			}
			m, err := training.TrainedModel{}.Read(dir)
			if err != nil {
				b.Fatal(err)
			}
			options := runtimetest.Options(b)
			options.Threads = 2
			if n, err := strconv.Atoi(os.Getenv("GRAFT_PEER_THREADS")); err == nil {
				options.Threads = n
			}
			s, err := runtime.Open(encoded(b, m), options)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			delete(feeds, training.InputLabels)
			delete(feeds, training.InputTarget)
			run := func() time.Duration {
				start := time.Now()
				if _, err := s.Run(b.Context(), feeds); err != nil {
					b.Fatal(err)
				}
				return time.Since(start)
			}
			for range 5 {
				run()
			}
			times := make([]float64, 0, b.N)
			for b.Loop() {
				times = append(times, run().Seconds()*1000)
			}
			slices.Sort(times)
			b.ReportMetric(times[len(times)/2], "ms/run")
		})
	}
}
