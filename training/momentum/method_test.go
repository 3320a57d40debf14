package momentum

import (
	"math"
	"slices"
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/kernels"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
	"graft/training/loss"
	"graft/training/optim"
)

// pictures is one batch of random samples for a classifier of 10 classes.
func pictures(t *testing.T, dims ...int64) *dataset.Batches {
	t.Helper()
	x, labels := onnx.NewTensor(onnx.Float, dims...), onnx.NewTensor(onnx.Int64, dims[0])
	noise.Normal(x.Float32s(), noise.NewKey(2, "pictures", 0))
	for i := range labels.Int64s() {
		labels.Int64s()[i] = int64(i*i+i) % 10
	}
	return batches(t, x, labels, dims[0])
}

func batches(t *testing.T, x, labels *onnx.Tensor, size int64) *dataset.Batches {
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

func crossEntropy(t *testing.T) loss.Loss {
	t.Helper()
	l, err := loss.Lookup("cross-entropy")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// packed are a network's parameters in one vector.
func packed(t *testing.T, m *onnx.Model, p *training.Packing) *onnx.Tensor {
	t.Helper()
	values := map[string]*onnx.Tensor{}
	for _, v := range training.Parameters(m.Graph) {
		values[v.Name] = v.Const
	}
	flat, err := p.Pack(func(name string) *onnx.Tensor { return values[name] })
	if err != nil {
		t.Fatal(err)
	}
	return flat
}

// forms are the ways to a training step of a classifier.
var forms = map[string]func(t *testing.T, m *onnx.Model, d training.Direction) (*training.Step, map[string]*onnx.Tensor){
	"gated": gated(""), "device": gated("cuda"),
	"artifacts": func(t *testing.T, m *onnx.Model, d training.Direction) (*training.Step, map[string]*onnx.Tensor) {
		a, err := training.NewArtifacts(m, training.ArtifactConfig{Loss: crossEntropy(t), Optimizer: optim.SGD(optim.SGDConfig{}), Direction: d})
		if err != nil {
			t.Fatal(err)
		}
		buffers := map[string]*onnx.Tensor{}
		for _, v := range a.Fused.Buffers {
			buffers[v.Name] = v.Const
		}
		return a.Fused, buffers
	},
}

func gated(provider string) func(t *testing.T, m *onnx.Model, d training.Direction) (*training.Step, map[string]*onnx.Tensor) {
	return func(t *testing.T, m *onnx.Model, d training.Direction) (*training.Step, map[string]*onnx.Tensor) {
		g, err := training.NewGated(m, training.ArtifactConfig{Loss: crossEntropy(t), Provider: provider})
		if err != nil {
			t.Fatal(err)
		}
		s, err := g.Step(training.StepConfig{Optimizer: optim.SGD(optim.SGDConfig{}), Direction: d, Provider: provider,
			Weights: func(_ *op.Builder, w *onnx.Value) *onnx.Value { return w }})
		if err != nil {
			t.Fatal(err)
		}
		return s, g.Start(s, nil).Buffers
	}
}

// A step of each method, with a rate of one, goes along what its definition says, on networks of the catalogue and by every way to
// a training step; for a device it draws on the device, and has a kernel there for all of it.
func TestMethods(t *testing.T) {
	for _, c := range []struct {
		name    string
		network graphs.Network
		data    *dataset.Batches
	}{
		{"mlp", graphs.MLP{In: 12, Hidden: []int64{9, 7}}, pictures(t, 16, 12)},
		{"resnet", graphs.ResNet{Widths: []int64{4, 6}, Blocks: 1, Height: 8, Width: 8}, pictures(t, 10, 3, 8, 8)},
	} {
		m, err := c.network.Build(5)
		if err != nil {
			t.Fatal(err)
		}
		land, err := training.NewLandscape(m, training.LandscapeConfig{Loss: crossEntropy(t), Data: c.data, Session: runtimetest.OneThread(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer land.Close()
		start := packed(t, m, land.Packing())
		gradientAt := func(w *onnx.Tensor) []float64 {
			t.Helper()
			land.Stand(&training.Snapshot{Trained: w})
			_, g, err := land.Slopes(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		moved := func(by func(i int) float64) *onnx.Tensor {
			w := start.Clone()
			for i := range w.Float32s() {
				w.Float32s()[i] += float32(by(i))
			}
			return w
		}
		g := gradientAt(start)
		length := 0.0
		for _, x := range g {
			length += x * x
		}
		length = math.Sqrt(length)
		hg, err := land.Product(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		drawn := make([]float32, len(g))
		noise.Normal(drawn, noise.NewKey(8, inputNoise, 1))
		want := map[string][]float64{
			"heavy-ball":       g,
			"gradient-penalty": make([]float64, len(g)),
			"sam":              gradientAt(moved(func(i int) float64 { return 0.1 * g[i] / length })),
			"noise":            gradientAt(moved(func(i int) float64 { return 0.1 * float64(drawn[i]) })),
		}
		for i := range g {
			want["gradient-penalty"][i] = g[i] + 0.2*hg[i]
		}
		for name, form := range forms {
			if c.name == "resnet" && name != "artifacts" {
				continue // both differentiate the same graph, which takes its time
			}
			for _, method := range Methods {
				direction, err := method.Direction(0.1, 8)
				if err != nil {
					t.Fatal(err)
				}
				step, buffers := form(t, m, direction)
				loop := &training.Loop{Step: step, Session: runtimetest.OneThread(t), Data: c.data, Rate: func(int64) float64 { return 1 },
					Feed: Feed(step, 8)}
				if fed := loop.Feed != nil; fed != (method.Name == "noise" && name != "device") {
					t.Errorf("%s, %s, %s: the step is fed: %v", c.name, name, method.Name, fed)
				}
				if name == "device" {
					for _, f := range kernels.Fallbacks(step.Model, runtime.CUDA) {
						t.Errorf("%s, %s: %s has no kernel there: %s", c.name, method.Name, f.Node.Op, f.Why)
					}
				}
				told := 0.0
				loop.Each = func(p training.Progress) error { told = p.Loss; return nil }
				from := &training.Snapshot{Trained: start, Buffers: buffers}
				end, err := loop.Run(t.Context(), from, 1, 0, nil)
				if err != nil {
					t.Fatalf("%s, %s, %s: %v", c.name, name, method.Name, err)
				}
				off, size := 0.0, 0.0
				for i, w := range end.Trained.Float32s() {
					d := float64(start.Float32s()[i]) - float64(w)
					off, size = off+(d-want[method.Name][i])*(d-want[method.Name][i]), size+want[method.Name][i]*want[method.Name][i]
				}
				if off > 1e-4*1e-4*size {
					t.Errorf("%s, %s, %s: the step is off by %.3g of %.3g", c.name, name, method.Name, math.Sqrt(off), math.Sqrt(size))
				}
				land.Stand(from)
				if value, _, err := land.Slopes(t.Context()); err != nil || math.Abs(told-value) > 1e-5 {
					t.Errorf("%s, %s, %s: the step tells the loss %g, it is %g (%v)", c.name, name, method.Name, told, value, err)
				}
			}
		}
	}
}

func TestMethodsRefuse(t *testing.T) {
	if _, err := FindMethod("anything"); err == nil {
		t.Error("an unknown method is found")
	}
	for _, m := range Methods[1:] {
		for _, x := range []float64{-1, math.NaN(), math.Inf(1)} {
			if _, err := m.Direction(x, 0); err == nil {
				t.Errorf("%s takes %g", m.Name, x)
			}
		}
	}
}

// A step of training.NewStep, whatever its loss is, takes a direction too.
func TestMethodsOfSteps(t *testing.T) {
	m, err := graphs.MLP{In: 12, Hidden: []int64{9}}.Build(5)
	if err != nil {
		t.Fatal(err)
	}
	x, y := onnx.NewTensor(onnx.Float, 6, 12), onnx.NewTensor(onnx.Float, 6, 10)
	noise.Normal(x.Float32s(), noise.NewKey(2, "x", 0))
	noise.Normal(y.Float32s(), noise.NewKey(2, "y", 0))
	along := func(d training.Direction, from *onnx.Tensor) (direction []float64, start *onnx.Tensor) {
		t.Helper()
		step, err := training.NewStep(m, training.StepConfig{Loss: loss.MSE, Optimizer: optim.SGD(optim.SGDConfig{}), Direction: d})
		if err != nil {
			t.Fatal(err)
		}
		if start = from; start == nil {
			start = packed(t, m, step.Packing)
		}
		loop := &training.Loop{Step: step, Session: runtimetest.OneThread(t), Rate: func(int64) float64 { return 1 },
			Feed: func(int64) map[string]*onnx.Tensor { return map[string]*onnx.Tensor{"x": x, training.InputTarget: y} }}
		end, err := loop.Run(t.Context(), step.NewSnapshot(start, nil), 1, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range end.Trained.Float32s() {
			direction = append(direction, float64(start.Float32s()[i])-float64(w))
		}
		return direction, start
	}
	g, start := along(nil, nil)
	length := 0.0
	for _, v := range g {
		length += v * v
	}
	away := start.Clone()
	for i := range g {
		away.Float32s()[i] += float32(0.2 * g[i] / math.Sqrt(length))
	}
	got, _ := along(SAM(0.2), start)
	want, _ := along(nil, away)
	off, size := 0.0, 0.0
	for i := range got {
		off, size = off+(got[i]-want[i])*(got[i]-want[i]), size+want[i]*want[i]
	}
	if off > 1e-4*1e-4*size {
		t.Errorf("the step is off by %g of %g", math.Sqrt(off), math.Sqrt(size))
	}
	if penalized, _ := along(GradientPenalty(0), start); !slicesNear(penalized, g, 1e-6) {
		t.Error("a penalty of 0 changes the step")
	}
	if penalized, _ := along(GradientPenalty(0.1), start); slicesNear(penalized, g, 1e-4) {
		t.Error("a penalty of 0.1 leaves the step as it is")
	}
}

func slicesNear(a, b []float64, tolerance float64) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > tolerance {
			return false
		}
	}
	return true
}

// Every network of the catalogue whose output can be taken for classes has the steps of each method: derivatives of second order
// go through all of their operators.
func TestMethodsOfCatalog(t *testing.T) {
	var took []string
	for _, e := range graphs.Catalog {
		n := e.Presets["quick"]
		if slices.Contains([]string{"mlp", "lenet", "gcn", "gat", "sage", "appnp"}, e.Name) {
			n = e.Presets["paper"] // small
		}
		if n == nil {
			continue
		}
		m, err := n.Build(1)
		if err != nil {
			t.Fatal(err)
		}
		config := training.ArtifactConfig{Loss: crossEntropy(t), Optimizer: optim.SGD(optim.SGDConfig{})}
		if _, err := training.NewArtifacts(m, config); err != nil {
			continue // no classes
		}
		took = append(took, e.Name)
		for _, method := range Methods {
			if config.Direction, err = method.Direction(0.1, 8); err != nil {
				t.Fatal(err)
			}
			if _, err := training.NewArtifacts(m, config); err != nil {
				t.Errorf("%s, %s: %v", e.Name, method.Name, err)
			}
		}
	}
	t.Logf("%s", took)
	if len(took) < 10 {
		t.Errorf("only %d networks were tried", len(took))
	}
}
