package training_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
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
// on two threads: what graft train runs, on the batch that lies beside the model. ms/step is the median; peak-MiB is how far
// the process's resident memory rises, from when the session is opened, above what it was before the model was read. ONNX
// Runtime has then run another model already, so that its code is not counted. process-MiB is all of it.
func BenchmarkPeers(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("GRAFT_PEER_MODELS"), "*.onnx"))
	if os.Getenv("GRAFT_PEER_MODELS") == "" || len(files) == 0 {
		b.Skip("no models: GRAFT_PEER_MODELS names the folder that testdata/peers/models.py has written")
	}
	for _, file := range files {
		b.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(b *testing.B) { peerStep(b, file) })
	}
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
	if err := smallStep(b, options); err != nil {
		b.Fatal(err)
	}
	debug.FreeOSMemory()
	before := resident(b, "VmRSS:")
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
	config := training.ArtifactConfig{Optimizer: optim.Adam(optim.AdamConfig{})}
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
	var times []float64 // of the steps behind the fifth, in ms
	var last time.Time
	loop := &training.Loop{Step: a.Fused, Session: options,
		Rate: func(int64) float64 { return 1e-3 },
		Feed: func(int64) map[string]*onnx.Tensor { return feeds },
		Each: func(p training.Progress) error {
			now := time.Now()
			if p.Step == 5 {
				b.ResetTimer()
			} else if p.Step > 5 {
				times = append(times, now.Sub(last).Seconds()*1000)
			}
			last = now
			return nil
		}}
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log("the peak cannot be reset: ", err)
	}
	if _, err := loop.Run(b.Context(), a.Start(), int64(b.N)+5, 0, nil); err != nil {
		b.Fatal(err)
	}
	peak := resident(b, "VmHWM:")
	b.ReportMetric(float64(peak-before)/1024, "peak-MiB")
	b.ReportMetric(float64(peak)/1024, "process-MiB")
	slices.Sort(times)
	b.ReportMetric(times[len(times)/2], "ms/step")
}
