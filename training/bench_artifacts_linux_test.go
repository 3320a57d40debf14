package training_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/op"
	"graft/training"
)

// BenchmarkArtifacts reads a model of 110 million parameters, makes its training artifacts and writes them. peak-of-file is
// how far the process's resident memory rises above what it was before, by the size of the file. GRAFT_BERT names a file
// that is to keep the model.
func BenchmarkArtifacts(b *testing.B) {
	path := os.Getenv("GRAFT_BERT")
	if path == "" {
		path = filepath.Join(b.TempDir(), "bert.onnx")
	}
	if err := bertBase.build(b).Save(path); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	used, most := time.Duration(0), 0
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		peak, known := limitstest.Peak(b, func() {
			b.StartTimer()
			used += limitstest.CPU(b, func() {
				m, err := onnx.Load(path, onnx.LoadOptions{})
				if err != nil {
					b.Fatal(err)
				}
				a, err := training.NewArtifacts(m, find(b, "cross-entropy", "adamw"))
				if err != nil {
					b.Fatal(err)
				}
				if err := a.Write(dir); err != nil {
					b.Fatal(err)
				}
			})
		})
		if !known {
			b.Log("the peak cannot be begun anew")
		}
		most = max(most, peak)
	}
	b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms")
	b.ReportMetric(float64(most)*1024/float64(info.Size()), "peak-of-file")
}

// BenchmarkTrainingGraph makes the artifacts of networks whose training graph, or which themselves, have ten thousand nodes.
// cpu-ms is the processor time of all threads, which other programs do not lengthen.
func BenchmarkTrainingGraph(b *testing.B) {
	for _, layers := range []int{555, 2500} {
		m := deep(b, layers)
		b.Run(fmt.Sprintf("nodes=%d", len(m.Graph.Nodes())), func(b *testing.B) {
			nodes := 0
			used := limitstest.CPU(b, func() {
				for b.Loop() {
					a, err := training.NewArtifacts(m, find(b, "mse", "adam"))
					if err != nil {
						b.Fatal(err)
					}
					nodes = a.Training.Graph.NumNodes()
				}
			})
			b.ReportMetric(float64(nodes), "training-nodes")
			b.ReportMetric(float64(used.Milliseconds())/float64(b.N), "cpu-ms")
		})
	}
}

// deep is a network of layers of four nodes and two parameters each.
func deep(t testing.TB, layers int) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("deep")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 4}}})
	for i := range layers {
		name := "layer." + string(rune('a'+i%26)) + "." + string(rune('0'+i/26%10)) + string(rune('0'+i/260))
		h := b.Tanh(b.Add(b.MatMul(x, g.AddInitializer(name+".weight", filled(name, 0.3, 4, 4))), g.AddInitializer(name+".bias", onnx.NewTensor(onnx.Float, 4))))
		x = b.Add(x, h)
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	g.AddOutput(x, "y")
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}
