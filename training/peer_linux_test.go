package training_test

import (
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

// TestPeersOnProvider trains each of these models for 20 steps on the CPU and on $GRAFT_TEST_PROVIDER, and holds the losses
// to each other.
func TestPeersOnProvider(t *testing.T) {
	if runtime.ProviderName(runtimetest.Provider()) == runtime.CPU {
		t.Skip("GRAFT_TEST_PROVIDER names no other provider than the CPU")
	}
	for _, file := range peerModels(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(t *testing.T) {
			losses := map[string][]float64{}
			options := runtimetest.Options(t)
			options.Verbose = testing.Verbose() // says how many copies between devices there are
			for _, options.Provider = range []string{"", runtimetest.Provider()} {
				loop, start := peerLoop(t, file, options)
				loop.Each = func(p training.Progress) error {
					losses[options.Provider] = append(losses[options.Provider], p.Loss)
					return nil
				}
				if _, err := loop.Run(t.Context(), start, 20, 0, nil); err != nil {
					t.Fatal(err)
				}
			}
			want, got, worst := losses[""], losses[runtimetest.Provider()], 0.0
			for i, w := range want {
				worst = max(worst, math.Abs(got[i]-w)/math.Max(math.Abs(w), 1e-3))
			}
			t.Logf("loss %.6g to %.6g on the CPU, %.6g to %.6g on %s, at most %.2g of it apart", want[0], want[19], got[0], got[19], runtimetest.Provider(), worst)
			if !(worst < 1e-2) {
				t.Errorf("losses differ: %v on the CPU, %v on %s", want, got, runtimetest.Provider())
			}
		})
	}
}

// peerModels are the files in $GRAFT_PEER_MODELS.
func peerModels(t testing.TB) []string {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("GRAFT_PEER_MODELS"), "*.onnx"))
	if os.Getenv("GRAFT_PEER_MODELS") == "" || len(files) == 0 {
		t.Skip("no models: GRAFT_PEER_MODELS names the folder that testdata/peers/models.py has written")
	}
	return files
}

// peerLoop trains a model on its batch.
func peerLoop(b testing.TB, file string, options runtime.Options) (*training.Loop, *training.Snapshot) {
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
	config := training.ArtifactConfig{Optimizer: optim.Adam(optim.AdamConfig{}), Provider: options.Provider}
	if config.Loss, err = loss.Lookup(objective); err != nil {
		b.Fatal(err)
	}
	a, err := training.NewArtifacts(m, config)
	if err != nil {
		b.Fatal(err)
	}
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
	before := resident(b, "VmRSS:")
	loop, start := peerLoop(b, file, options)
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
	peak := resident(b, "VmHWM:")
	b.ReportMetric(float64(peak-before)/1024, "peak-MiB")
	b.ReportMetric(float64(peak)/1024, "process-MiB")
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2], "ms/step")
}
