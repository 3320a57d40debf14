package training_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/kernels"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

const cudaProvider = "CUDAExecutionProvider"

// pooled is convolution, norm, maximum of windows, linear: every part has another gradient for CUDA.
func pooled(t testing.TB) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("pooled")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 2}, {Size: 8}, {Size: 8}}})
	y := b.Conv(x, g.AddInitializer("conv.weight", filled("w", 0.3, 4, 2, 3, 3)), nil, op.ConvAttrs{Kernel: []int64{3, 3}})
	ones := onnx.FromSlice([]float32{1, 1, 1, 1})
	y = b.BatchNormalization(y, g.AddInitializer("bn.weight", ones), g.AddInitializer("bn.bias", onnx.NewTensor(onnx.Float, 4)),
		g.AddInitializer("bn.mean", onnx.NewTensor(onnx.Float, 4)), g.AddInitializer("bn.var", ones.Clone()), 1e-5)
	y, _ = b.MaxPoolIndices(b.Relu(y), op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}})
	y = b.Conv(y, g.AddInitializer("second.weight", filled("s", 0.3, 4, 4, 2, 2)), nil, op.ConvAttrs{Kernel: []int64{2, 2}})
	y = b.MatMul(b.Reshape(y, 0, -1), g.AddInitializer("fc.weight", filled("fc", 0.3, 16, 3)))
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	g.AddOutput(y, "logits")
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}

// manyChannels is a convolution by tiles on the CPU: 128 channels of small pictures.
func manyChannels(t testing.TB) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("many_channels")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 2}, {Size: 8}, {Size: 8}}})
	kernel := []int64{3, 3}
	y := b.Relu(b.Conv(x, g.AddInitializer("first.weight", filled("f", 0.5, 128, 2, 3, 3)), nil, op.ConvAttrs{Kernel: kernel}))
	y = b.Conv(y, g.AddInitializer("second.weight", filled("s", 0.05, 128, 128, 3, 3)), g.AddInitializer("second.bias", filled("b", 0.1, 128)),
		op.ConvAttrs{Kernel: kernel, Pads: []int64{1, 1, 1, 1}})
	y = b.Gemm(b.Reshape(b.GlobalAveragePool(b.Relu(y)), 0, 128), g.AddInitializer("fc.weight", filled("fc", 0.3, 128, 3)), nil, op.GemmAttrs{})
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	g.AddOutput(y, "logits")
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}

func TestProviderArtifacts(t *testing.T) {
	t.Run("a form for every part", func(t *testing.T) { testProviderArtifacts(t, pooled(t)) })
	t.Run("tiles", func(t *testing.T) {
		m := manyChannels(t)
		convolutions := func(m *onnx.Model) (n int) {
			for _, node := range m.Graph.Nodes() {
				if node.Is("Conv") || node.Is("ConvTranspose") {
					n++
				}
			}
			return n
		}
		if n := convolutions(artifacts(t, m, find(t, "cross-entropy", "adam")).Fused.Model); n != 1 {
			t.Errorf("the step for the CPU has %d convolutions, want the first alone", n)
		}
		testProviderArtifacts(t, m)
	})
}

// testProviderArtifacts holds artifacts for CUDA to be other than those for the CPU, to say so, and to train alike: ten losses
// of both, here on the machine's provider.
func testProviderArtifacts(t *testing.T, m *onnx.Model) {
	config := find(t, "cross-entropy", "adam")
	x, labels := filled("x", 1, 5, 2, 8, 8), onnx.NewTensor(onnx.Int64, 5)
	copy(labels.Int64s(), []int64{0, 1, 2, 1, 0})
	losses := map[string][]float64{}
	files := map[string]string{}
	for _, provider := range []string{"", "cuda"} {
		config.Provider = provider
		a := artifacts(t, m, config)
		dir := t.TempDir()
		if err := a.Write(dir); err != nil {
			t.Fatal(err)
		}
		step, contract, err := training.OpenArtifacts(dir)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"": "CPUExecutionProvider", "cuda": cudaProvider}[provider]; contract.MadeFor() != want {
			t.Errorf("made for %q, the contract says %q", want, contract.MadeFor())
		}
		files[provider] = contract.Models["fused"].SHA256
		loop := &training.Loop{Step: step, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 1e-2 },
			Feed: func(int64) map[string]*onnx.Tensor {
				return map[string]*onnx.Tensor{"x": x, training.InputLabels: labels}
			},
			Each: func(p training.Progress) error { losses[provider] = append(losses[provider], p.Loss); return nil }}
		if _, err := loop.Run(t.Context(), a.Start(), 10, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	if files[""] == files["cuda"] {
		t.Error("artifacts for CUDA are those for the CPU")
	}
	for i, want := range losses[""] {
		if d := math.Abs(losses["cuda"][i] - want); !(d < 1e-5) {
			t.Errorf("step %d: loss %v, by the form for CUDA %v", i+1, want, losses["cuda"][i])
		}
	}
}

// TestCUDATrains holds 100 losses of artifacts for CUDA on a GPU to those for the CPU on the CPU.
func TestCUDATrains(t *testing.T) {
	options := runtimetest.CUDA(t)
	config := find(t, "cross-entropy", "adam")
	x, labels := filled("x", 1, 5, 2, 8, 8), onnx.NewTensor(onnx.Int64, 5)
	copy(labels.Int64s(), []int64{0, 1, 2, 1, 0})
	losses := map[string][]float64{}
	for _, provider := range []string{"cpu", "cuda"} {
		config.Provider, options.Provider = provider, provider
		a := artifacts(t, pooled(t), config)
		loop := &training.Loop{Step: a.Fused, Session: options, Rate: func(int64) float64 { return 1e-3 },
			Feed: func(int64) map[string]*onnx.Tensor {
				return map[string]*onnx.Tensor{"x": x, training.InputLabels: labels}
			},
			Each: func(p training.Progress) error { losses[provider] = append(losses[provider], p.Loss); return nil }}
		if _, err := loop.Run(t.Context(), a.Start(), 100, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range losses["cpu"] {
		if d := math.Abs(losses["cuda"][i] - want); !(d < 1e-3*want) {
			t.Fatalf("step %d: loss %v on the CPU, %v on the GPU", i+1, want, losses["cuda"][i])
		}
	}
}

// TestProviderCheckpoint holds a step for CUDA to the checkpoints of the same step for the CPU.
func TestProviderCheckpoint(t *testing.T) {
	m, err := graphs.Hourglass{Channels: []int64{4}, In: 2, Height: 8, Width: 8}.Defaults().Build(0)
	if err != nil {
		t.Fatal(err)
	}
	prints := map[string]string{}
	for _, provider := range []string{"cpu", "cuda"} {
		s, err := training.NewStep(m, training.StepConfig{Loss: loss.MSE, Optimizer: optim.SGD(optim.SGDConfig{}), Provider: provider})
		if err != nil {
			t.Fatal(err)
		}
		if prints[provider], err = s.Fingerprint(); err != nil {
			t.Fatal(err)
		}
	}
	if prints["cpu"] != prints["cuda"] {
		t.Error("a checkpoint of one provider would be refused on the other")
	}
}

func cudaConfig(t testing.TB, loss, optimizer string) training.ArtifactConfig {
	c := find(t, loss, optimizer)
	c.Provider = cudaProvider
	return c
}

// leftToCPU names what the training forms for CUDA have that its provider has no kernel for, by network. What is not here must
// have none.
var leftToCPU = map[string][]string{
	"classifier, for the CPU": {"fused MaxUnpool: no kernel", "training MaxUnpool: no kernel"},
}

// TestCUDAKernels looks for nodes of training forms that the CUDA provider would leave to the CPU: in the networks of the
// catalog, in a classifier, and in the models of $GRAFT_PEER_MODELS.
func TestCUDAKernels(t *testing.T) {
	mse, classes := cudaConfig(t, "mse", "adam"), cudaConfig(t, "cross-entropy", "adam")
	check := func(name string, m *onnx.Model, c training.ArtifactConfig) {
		t.Run(name, func(t *testing.T) {
			a := artifacts(t, m, c)
			var found []string
			for _, f := range []struct {
				form  string
				model *onnx.Model
			}{{"training", a.Training}, {"eval", a.Eval}, {"optimizer", a.Optimizer}, {"fused", a.Fused.Model}} {
				nodes := 0
				for range f.model.Graph.Nodes() {
					nodes++
				}
				fallen := kernels.Fallbacks(f.model, cudaProvider)
				t.Logf("%s: %d of %d nodes fall back, opset %d", f.form, len(fallen), nodes, f.model.Opset(""))
				for _, n := range fallen {
					found = append(found, fmt.Sprintf("%s %s: %s", f.form, n.Node.Op, n.Why))
				}
			}
			slices.Sort(found)
			found = slices.Compact(found)
			if !slices.Equal(found, leftToCPU[name]) {
				t.Errorf("left to the CPU:\n%s\nwant:\n%s", strings.Join(found, "\n"), strings.Join(leftToCPU[name], "\n"))
			}
		})
	}
	for _, e := range graphs.Catalog {
		network := e.Presets["quick"]
		if network == nil {
			network = e.Presets["paper"]
		}
		m, err := network.Build(0)
		if err != nil {
			t.Fatal(err)
		}
		c := mse
		if len(m.Graph.Outputs()[0].Type.Shape) == 2 {
			c = classes
		}
		check(e.Name, m, c)
		for _, d := range []onnx.DataType{onnx.Float16, onnx.BFloat16} {
			half := c
			half.Precision = d
			check(e.Name+" in "+d.String(), m, half)
		}
	}
	check("classifier", pooled(t), classes)
	all := classes
	all.ClipNorm, all.Accumulate, all.EMA, all.Recompute = 1, 2, 0.9, 2
	check("classifier, all settings", pooled(t), all)
	all.Provider = ""
	check("classifier, for the CPU", pooled(t), all)
	small, err := graphs.MLP{In: 4, Hidden: []int64{5}, Classes: 3}.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range loss.Catalog {
		check("loss "+l.Loss.Name, small, cudaConfig(t, l.Loss.Name, "sgd"))
	}
	for _, o := range optim.Catalog {
		check("optimizer "+o.Name, small, cudaConfig(t, "mse", o.Name))
	}
	if os.Getenv("GRAFT_PEER_MODELS") == "" {
		return
	}
	for _, file := range peerModels(t) {
		m, err := onnx.Load(file, onnx.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c := classes
		if strings.HasPrefix(filepath.Base(file), "hourglass") {
			c = mse
		}
		check("peer "+strings.TrimSuffix(filepath.Base(file), ".onnx"), m, c)
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
