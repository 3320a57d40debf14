package training_test

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
	"graft/training/optim"
)

// BenchmarkPeers is one training step of each model in the folder $GRAFT_PEER_MODELS, which testdata/peers/models.py writes,
// on two threads: what graft train runs, on the batch that lies beside the model. peak-MiB is how far the process's resident
// memory rises above what it was before the session was opened.
func BenchmarkPeers(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("GRAFT_PEER_MODELS"), "*.onnx"))
	if os.Getenv("GRAFT_PEER_MODELS") == "" || len(files) == 0 {
		b.Skip("no models: GRAFT_PEER_MODELS names the folder that testdata/peers/models.py has written")
	}
	for _, file := range files {
		b.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(b *testing.B) { peerStep(b, file) })
	}
}

func peerStep(b *testing.B, file string) {
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
	options := runtimetest.Options(b)
	options.Threads = 2
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
	loop := &training.Loop{Step: a.Fused, Session: options,
		Rate: func(int64) float64 { return 1e-3 },
		Feed: func(int64) map[string]*onnx.Tensor { return feeds },
		Each: func(p training.Progress) error {
			if p.Step == 5 { // warm
				b.ResetTimer()
			}
			return nil
		}}
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Log("the peak cannot be reset: ", err)
	}
	before := resident(b, "VmRSS:")
	if _, err := loop.Run(b.Context(), a.Start(), int64(b.N)+5, 0, nil); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(resident(b, "VmHWM:")-before)/1024, "peak-MiB")
	b.ReportMetric(b.Elapsed().Seconds()*1000/float64(b.N), "ms/step")
}
