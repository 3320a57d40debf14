package training_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// filled is a tensor of numbers from a sequence of its own, in (-bound, bound).
func filled(name string, bound float32, dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, dims...)
	noise.Uniform(t.Float32s(), noise.NewKey(5, name, 0))
	for i, v := range t.Float32s() {
		t.Float32s()[i] = (2*v - 1) * bound
	}
	return t
}

// classifier is conv, norm, relu, mean, linear, softmax: with a batch of any size, running statistics, and a bias that is a
// Constant node.
func classifier(t testing.TB) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("classifier")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 2}, {Size: 8}, {Size: 8}}})
	ones := onnx.FromSlice([]float32{1, 1, 1, 1})
	y := b.Conv(x, g.AddInitializer("conv.weight", filled("w", 0.3, 4, 2, 3, 3)), nil, op.ConvAttrs{Kernel: []int64{3, 3}})
	y = b.BatchNormalization(y, g.AddInitializer("bn.weight", ones), g.AddInitializer("bn.bias", onnx.NewTensor(onnx.Float, 4)),
		g.AddInitializer("bn.mean", onnx.NewTensor(onnx.Float, 4)), g.AddInitializer("bn.var", ones.Clone()), 1e-5)
	y = b.Relu(y)
	y = b.Reshape(y, 0, -1)
	y = b.MatMul(y, g.AddInitializer("fc.weight", filled("fc", 0.1, 144, 3)))
	y = b.Add(y, b.Named(b.Const(filled("fc.bias", 0.1, 3)), "fc.bias"))
	y = b.Named(b.Softmax(y, 1), "p")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	g.AddOutput(y, "probabilities")
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
}

func artifacts(t testing.TB, m *onnx.Model, c training.ArtifactConfig) *training.Artifacts {
	t.Helper()
	a, err := training.NewArtifacts(m, c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func find(t testing.TB, lossName, optimizer string) training.ArtifactConfig {
	t.Helper()
	l, err := loss.Lookup(lossName)
	if err != nil {
		t.Fatal(err)
	}
	o, err := optim.Lookup(optimizer)
	if err != nil {
		t.Fatal(err)
	}
	return training.ArtifactConfig{Loss: l, Optimizer: o}
}

func names(list []*onnx.Value) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.Name
	}
	return out
}

func TestArtifactPorts(t *testing.T) {
	a := artifacts(t, classifier(t), find(t, "cross-entropy", "adam"))
	for _, c := range []struct {
		model   *onnx.Model
		in, out string
	}{
		{a.Training, "x labels conv.weight bn.weight bn.bias fc.weight fc.bias bn.mean bn.var conv.weight_grad.accumulation.buffer " +
			"bn.weight_grad.accumulation.buffer bn.bias_grad.accumulation.buffer fc.weight_grad.accumulation.buffer fc.bias_grad.accumulation.buffer lazy_reset_grad",
			"loss probabilities bn.mean.next bn.var.next conv.weight_grad.accumulation.out bn.weight_grad.accumulation.out " +
				"bn.bias_grad.accumulation.out fc.weight_grad.accumulation.out fc.bias_grad.accumulation.out"},
		{a.Eval, "x labels conv.weight bn.weight bn.bias fc.weight fc.bias bn.mean bn.var", "loss probabilities"},
		{a.Optimizer, "learning_rate step conv.weight bn.weight bn.bias fc.weight fc.bias conv.weight_grad bn.weight_grad bn.bias_grad fc.weight_grad fc.bias_grad " +
			"conv.weight.momentum0 bn.weight.momentum0 bn.bias.momentum0 fc.weight.momentum0 fc.bias.momentum0 " +
			"conv.weight.momentum1 bn.weight.momentum1 bn.bias.momentum1 fc.weight.momentum1 fc.bias.momentum1",
			"conv.weight.next bn.weight.next bn.bias.next fc.weight.next fc.bias.next " +
				"conv.weight.momentum0.next bn.weight.momentum0.next bn.bias.momentum0.next fc.weight.momentum0.next fc.bias.momentum0.next " +
				"conv.weight.momentum1.next bn.weight.momentum1.next bn.bias.momentum1.next fc.weight.momentum1.next fc.bias.momentum1.next"},
	} {
		if got := strings.Join(names(c.model.Graph.Inputs()), " "); got != c.in {
			t.Errorf("%s inputs\n%s, want\n%s", c.model.Graph.Name, got, c.in)
		}
		if got := strings.Join(names(c.model.Graph.Outputs()), " "); got != c.out {
			t.Errorf("%s outputs\n%s, want\n%s", c.model.Graph.Name, got, c.out)
		}
	}
	for _, p := range []struct {
		m          *onnx.Model
		name, want string
	}{
		{a.Training, "labels", "int64 [batch]"}, {a.Training, "lazy_reset_grad", "bool [1]"}, {a.Training, "loss", "float []"},
		{a.Optimizer, "learning_rate", "float [1]"}, {a.Optimizer, "step", "int64 [1]"}, {a.Optimizer, "fc.weight.momentum1", "float [144 3]"},
		{a.Training, "conv.weight_grad.accumulation.buffer", "float [4 2 3 3]"}, {a.Training, "probabilities", "float [batch 3]"},
	} {
		if got := p.m.Graph.Lookup(p.name).Type.String(); got != p.want {
			t.Errorf("%s is %s, want %s", p.name, got, p.want)
		}
	}
	if n := strings.Join(a.Contract.Notes, "; "); !strings.Contains(n, "Softmax of output") {
		t.Errorf("notes %q", n)
	}
	for key, m := range map[string]*onnx.Model{"training": a.Training, "eval": a.Eval, "optimizer": a.Optimizer, "fused": a.Fused.Model} {
		if m.Opset("") != 17 || m.IRVersion != 8 || len(m.Opsets) != 1 {
			t.Errorf("%s: opset %v, IR %d", key, m.Opsets, m.IRVersion)
		}
		for _, f := range slices.Concat(onnx.Check(m), op.Check(m)) {
			t.Errorf("%s: %v", key, f)
		}
		for _, n := range m.Graph.Nodes() {
			if n.Domain != "" || len(n.Subgraphs()) > 0 {
				t.Errorf("%s: %v of domain %q", key, n, n.Domain)
			}
		}
		t.Logf("%s: %d nodes", key, len(m.Graph.Nodes()))
	}
}

// run1 runs a model once with all its feeds.
func run1(t testing.TB, s *runtime.Session, feeds map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	t.Helper()
	out, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t testing.TB, m *onnx.Model) *runtime.Session {
	t.Helper()
	return runtimetest.Open(t, m, runtimetest.OneThread(t))
}

// batch is a batch for the classifier.
func batch(step int64) map[string]*onnx.Tensor {
	x := onnx.NewTensor(onnx.Float, 5, 2, 8, 8)
	noise.Uniform(x.Float32s(), noise.NewKey(9, "x", uint64(step)))
	return map[string]*onnx.Tensor{"x": x, training.InputLabels: onnx.FromSlice([]int64{0, 1, 2, 1, step % 3})}
}

// Training and optimizer sessions, driven as any program would, give bit for bit the parameters of the fused loop.
func TestSeparateSessionsEqualFused(t *testing.T) {
	configs := map[string]training.ArtifactConfig{}
	for _, optimizer := range []string{"sgd", "adam", "adamw", "lion"} {
		configs[optimizer] = find(t, "cross-entropy", optimizer)
	}
	several := find(t, "cross-entropy", "rmsprop")
	several.Accumulate, several.EMA, several.ClipNorm = 3, 0.75, 0.1
	configs["rmsprop, three batches an update"] = several
	for optimizer, config := range configs {
		a := artifacts(t, classifier(t), config)
		const steps = 12
		every, rate := max(config.Accumulate, 1), float32(0.01)
		if strings.HasPrefix(optimizer, "lion") || strings.HasPrefix(optimizer, "rmsprop") { // their first steps are as long as the rate
			rate = 0.001
		}
		state := map[string]*onnx.Tensor{}
		shapes := map[string][]int64{}
		for i, p := range a.Fused.Packing.Unpack(a.Start().Trained) {
			state[p.Name], shapes[p.Name] = p, a.Fused.Packing.Dims(i)
			for _, slot := range a.Contract.Slots {
				state[p.Name+"."+slot] = onnx.NewTensor(onnx.Float, p.Dims...)
				if slot == "ema" {
					state[p.Name+".ema"] = p
				}
			}
		}
		buffers := map[string]*onnx.Tensor{}
		for name, b := range a.Start().Buffers {
			buffers[name] = b
		}
		train, optimize := open(t, a.Training), open(t, a.Optimizer)
		var losses []float32
		sums := map[string]*onnx.Tensor{}
		for name, dims := range shapes {
			sums[name] = onnx.NewTensor(onnx.Float, dims...)
			for i := range sums[name].Float32s() {
				sums[name].Float32s()[i] = float32(math.NaN()) // what a reset leaves behind does not matter
			}
		}
		for step := int64(1); step <= steps; step++ {
			feeds := batch(step)
			feeds[training.InputLazyReset] = onnx.FromSlice([]bool{(step-1)%every == 0})
			for name, b := range buffers {
				feeds[name] = b
			}
			for name := range shapes {
				feeds[name] = state[name]
				feeds[name+"_grad.accumulation.buffer"] = sums[name]
			}
			out := run1(t, train, feeds)
			losses = append(losses, out["loss"].Float32s()[0])
			for name := range buffers {
				buffers[name] = out[name+".next"]
			}
			for name := range shapes {
				sums[name] = out[name+"_grad.accumulation.out"]
			}
			if step%every != 0 {
				continue
			}
			update := map[string]*onnx.Tensor{training.InputRate: onnx.FromSlice([]float32{rate}), training.InputStep: onnx.FromSlice([]int64{step / every})}
			for name := range shapes {
				update[name+"_grad"] = sums[name]
			}
			for name, v := range state {
				update[name] = v
			}
			out = run1(t, optimize, only(a.Optimizer, update))
			for name := range state {
				state[name] = out[name+".next"]
			}
		}
		o := runtimetest.Options(t)
		o.Threads = 1
		l := &training.Loop{Step: a.Fused, Session: o, Rate: func(int64) float64 { return float64(rate) }, Feed: batch,
			Each: func(p training.Progress) error {
				if float32(p.Loss) != losses[p.Step-1] {
					t.Errorf("%s step %d: loss %g fused, %g in two sessions", optimizer, p.Step, p.Loss, losses[p.Step-1])
				}
				return nil
			}}
		end, err := l.Run(t.Context(), a.Start(), steps, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range a.Fused.Packing.Unpack(end.Trained) {
			if !bytes.Equal(p.Data, state[p.Name].Data) {
				t.Errorf("%s: %s differs", optimizer, p.Name)
			}
		}
		for _, slot := range a.Contract.Slots {
			for _, p := range a.Fused.Packing.Unpack(end.Slots[slot]) {
				if !bytes.Equal(p.Data, state[p.Name+"."+slot].Data) {
					t.Errorf("%s: %s.%s differs", optimizer, p.Name, slot)
				}
			}
		}
		for name, b := range end.Buffers {
			if !bytes.Equal(b.Data, buffers[name].Data) || bytes.Equal(b.Data, a.Start().Buffers[name].Data) {
				t.Errorf("%s: buffer %s is %v, in two sessions %v", optimizer, name, b.Float32s(), buffers[name].Float32s())
			}
		}
		if losses[steps-1] >= losses[0] {
			t.Errorf("%s: losses %v", optimizer, losses)
		}
	}
}

// Without a reset the gradients of several batches are summed.
func TestAccumulation(t *testing.T) {
	a := artifacts(t, classifier(t), find(t, "cross-entropy", "sgd"))
	s := open(t, a.Training)
	feeds := batch(1)
	for _, p := range a.Fused.Packing.Unpack(a.Start().Trained) {
		feeds[p.Name] = p
		feeds[p.Name+"_grad.accumulation.buffer"] = onnx.NewTensor(onnx.Float, p.Dims...)
	}
	for name, b := range a.Start().Buffers {
		feeds[name] = b
	}
	feeds[training.InputLazyReset] = onnx.FromSlice([]bool{false})
	first := run1(t, s, feeds)
	for _, name := range a.Fused.Packing.Names() {
		feeds[name+"_grad.accumulation.buffer"] = first[name+"_grad.accumulation.out"]
	}
	second := run1(t, s, feeds)
	for _, name := range a.Fused.Packing.Names() {
		one, two := first[name+"_grad.accumulation.out"].Float32s(), second[name+"_grad.accumulation.out"].Float32s()
		for i := range one {
			if two[i] != 2*one[i] {
				t.Fatalf("%s[%d]: %g after one batch, %g after two equal ones", name, i, one[i], two[i])
			}
		}
	}
}

// The eval model uses the running statistics and gives probabilities; its loss is minus the mean log of the right ones.
func TestEvalModel(t *testing.T) {
	m := classifier(t)
	a := artifacts(t, m, find(t, "cross-entropy", "adam"))
	feeds := batch(1)
	want := run1(t, open(t, m), map[string]*onnx.Tensor{"x": feeds["x"]})["probabilities"].Float32s()
	for _, p := range a.Fused.Packing.Unpack(a.Start().Trained) {
		feeds[p.Name] = p
	}
	for name, b := range a.Start().Buffers {
		feeds[name] = b
	}
	got := run1(t, open(t, a.Eval), feeds)
	sum := 0.0
	for i, p := range got["probabilities"].Float32s() {
		if math.Abs(float64(p-want[i])) > 1e-6 {
			t.Fatalf("probability %d is %g, in the model %g", i, p, want[i])
		}
	}
	for i, label := range feeds[training.InputLabels].Int64s() {
		sum -= math.Log(float64(want[int64(i)*3+label])) / 5
	}
	if l := float64(got["loss"].Float32s()[0]); math.Abs(l-sum) > 1e-5 {
		t.Errorf("loss %g, want %g", l, sum)
	}
}

func TestFrozen(t *testing.T) {
	c := find(t, "cross-entropy", "adam")
	c.Train, c.Freeze, c.FrozenNorms = regexp.MustCompile(`^(fc|bn)`), regexp.MustCompile(`bias$`), true
	a := artifacts(t, classifier(t), c)
	if got := a.Fused.Packing.Names(); !slices.Equal(got, []string{"bn.weight", "fc.weight"}) {
		t.Errorf("trained: %v", got)
	}
	if !slices.Equal(a.Contract.Frozen, []string{"conv.weight", "bn.bias", "fc.bias"}) {
		t.Errorf("frozen: %v", a.Contract.Frozen)
	}
	o := runtimetest.Options(t)
	l := &training.Loop{Step: a.Fused, Session: o, Rate: func(int64) float64 { return 0.01 }, Feed: batch}
	end, err := l.Run(t.Context(), a.Start(), 2, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range end.Buffers {
		if !bytes.Equal(b.Data, a.Start().Buffers[name].Data) {
			t.Errorf("frozen statistics %s moved", name)
		}
	}
}

func TestArtifactsOnDisk(t *testing.T) {
	dir := t.TempDir()
	a := artifacts(t, classifier(t), find(t, "cross-entropy", "adam"))
	if err := a.Write(dir); err != nil {
		t.Fatal(err)
	}
	step, contract, err := training.OpenArtifacts(dir)
	if err != nil {
		t.Fatal(err)
	}
	if contract.Target.Name != "labels" || contract.Optimizer != "adam" || len(contract.Models) != 4 {
		t.Errorf("contract %+v", contract)
	}
	snap, err := step.LoadCheckpoint(filepath.Join(dir, training.CheckpointDir), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	run := func(s *training.Step, from *training.Snapshot) *training.Snapshot {
		l := &training.Loop{Step: s, Session: runtimetest.Options(t), Rate: func(int64) float64 { return 0.01 }, Feed: batch}
		end, err := l.Run(t.Context(), from, 3, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return end
	}
	if !same(run(a.Fused, a.Start()), run(step, snap)) {
		t.Error("read back, the artifacts train otherwise")
	}
	// The mask goes in afterwards, and the checkpoint still belongs.
	mask := onnx.NewTensor(onnx.Float, step.Packing.Len())
	if err := step.MaskGradient(); err != nil {
		t.Fatal(err)
	}
	if snap, err = step.LoadCheckpoint(filepath.Join(dir, training.CheckpointDir), mask, nil); err != nil {
		t.Fatal(err)
	}
	if err := snap.ApplyMask(mask); err != nil {
		t.Fatal(err)
	}
	if end := run(step, snap); !slices.Equal(end.Trained.Float32s(), mask.Float32s()) {
		t.Error("under a mask of zeros something grew")
	}
	for name, words := range map[string]string{training.FusedFile: "is not the model", training.ContractFile: "no contract"} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Replace(data, []byte("graft"), []byte("draft"), 1)
		if err := os.WriteFile(path, bad, 0o666); err != nil {
			t.Fatal(err)
		}
		if _, _, err := training.OpenArtifacts(dir); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s changed: %v", name, err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := training.OpenArtifacts(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no contract.json") {
		t.Errorf("empty folder: %v", err)
	}
}

// Packed, the optimizer grows by the reshapes of a tensor, not by the nodes of a whole Adam.
func TestOptimizerNodes(t *testing.T) {
	count := func(layers int) int {
		g := onnx.NewGraph("deep")
		b := op.NewBuilder(g)
		y := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 4))
		for i := range layers {
			name := string(rune('a' + i))
			y = b.Add(b.MatMul(y, g.AddInitializer(name+".w", filled(name, 1, 4, 4))), g.AddInitializer(name+".b", filled(name+"b", 1, 4)))
		}
		g.AddOutput(y, "y")
		a := artifacts(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}, find(t, "mse", "adam"))
		n := 0
		for _, node := range a.Optimizer.Graph.Nodes() {
			if !node.Is("Constant") {
				n++
			}
		}
		return n
	}
	few, many := count(2), count(22)
	t.Logf("%d nodes for 4 tensors, %d for 44", few, many)
	if many-few > 20*8 { // a matrix is reshaped seven times, a vector never
		t.Errorf("%d nodes for 4 tensors, %d for 44", few, many)
	}
}

func TestArtifactRefusals(t *testing.T) {
	c := find(t, "cross-entropy", "adam")
	for what, change := range map[string]func(m *onnx.Model, c *training.ArtifactConfig){
		`no output "nothing": there are "probabilities"`: func(_ *onnx.Model, c *training.ArtifactConfig) { c.Output = "nothing" },
		"no trainable parameter is left":                 func(_ *onnx.Model, c *training.ArtifactConfig) { c.Freeze = regexp.MustCompile("") },
		`called "loss"`: func(m *onnx.Model, _ *training.ArtifactConfig) {
			m.Graph.AddOutput(op.NewBuilder(m.Graph).Identity(m.Graph.Inputs()[0]), "loss")
		},
		"the model has no output": func(m *onnx.Model, _ *training.ArtifactConfig) { m.Graph.SetOutputs() },
		"has no trainable parameter": func(m *onnx.Model, _ *training.ArtifactConfig) {
			g := onnx.NewGraph("empty")
			g.AddOutput(op.NewBuilder(g).Relu(g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 2))), "y")
			m.Graph = g
		},
		"opset: upgrade from opset 11: ": func(m *onnx.Model, _ *training.ArtifactConfig) {
			m.SetOpset("", 11)
			m.Graph.Lookup("probabilities").Producer().SetAttr(onnx.Int("axis", 7))
		},
	} {
		m, config := classifier(t), c
		change(m, &config)
		if _, err := training.NewArtifacts(m, config); err == nil || !strings.Contains(err.Error(), what) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q: %v", what, err)
		}
	}
}
