package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/dataset"
)

// trainee is a folder with a classifier of four numbers, data for it, and graft's command line.
type trainee struct {
	*testing.T
	dir string
}

func newTrainee(t *testing.T) *trainee {
	t.Helper()
	library := runtimetest.Options(t).Library
	t.Setenv("GRAFT_TEST_LIBRARY", library)
	f := &trainee{t, t.TempDir()}
	g := onnx.NewGraph("mlp")
	b := op.NewBuilder(g)
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "n"}, {Size: 4}}})
	weight := func(name string, dims ...int64) *onnx.Value {
		t := onnx.NewTensor(onnx.Float, dims...)
		noise.Uniform(t.Float32s(), noise.NewKey(1, name, 0))
		for i := range t.Float32s() {
			t.Float32s()[i] -= 0.5
		}
		return g.AddInitializer(name, t)
	}
	y := b.Relu(b.Add(b.MatMul(x, weight("w1", 4, 16)), weight("b1", 16)))
	g.AddOutput(b.Add(b.MatMul(y, weight("w2", 16, 3)), weight("b2", 3)), "logits")
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(f.path("mlp.onnx")); err != nil {
		t.Fatal(err)
	}
	const n = 90
	data, labels := onnx.NewTensor(onnx.Double, n, 4), onnx.NewTensor(onnx.Int32, n)
	data.Name, labels.Name = "x", "labels"
	for i := range n {
		onnx.View[int32](labels)[i] = int32(i % 3)
		for j := range 4 {
			onnx.View[float64](data)[4*i+j] = float64(noise.Float(noise.NewKey(2, "x", 0), uint32(4*i+j)))
		}
		onnx.View[float64](data)[4*i+i%3]++ // the class is the largest of the first three
	}
	f.npz("data.npz", data, labels)
	return f
}

// saveWithSoftmax puts a Softmax behind the one output of m, logits of classes, and writes the model.
func (f *trainee) saveWithSoftmax(m *onnx.Model, name string) {
	f.Helper()
	b := op.NewBuilder(m.Graph)
	logits := m.Graph.Outputs()[0]
	m.Graph.SetOutputs()
	m.Graph.AddOutput(b.Softmax(logits, 1), "probabilities")
	if err := b.Err(); err != nil {
		f.Fatal(err)
	}
	if err := m.Save(f.path(name)); err != nil {
		f.Fatal(err)
	}
}

func (f *trainee) path(name string) string { return filepath.Join(f.dir, name) }

func (f *trainee) npz(name string, tensors ...*onnx.Tensor) {
	f.Helper()
	var b bytes.Buffer
	if err := dataset.WriteNpz(&b, tensors); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), b.Bytes(), 0o666); err != nil {
		f.Fatal(err)
	}
}

// graft runs a line, its file names relative to the folder, and gives the exit code and what was printed.
func (f *trainee) graft(ctx context.Context, line string) (code int, stdout, stderr string) {
	f.Helper()
	f.Chdir(f.dir)
	var out, err bytes.Buffer
	args := append([]string{"graft"}, strings.Fields(line)...)
	code = NewApp(strings.NewReader(""), &out, &err).Run(ctx, append(args, "--ort-lib", os.Getenv("GRAFT_TEST_LIBRARY"), "--threads", "1"))
	return code, out.String(), err.String()
}

// must runs a line that succeeds.
func (f *trainee) must(line string) string {
	f.Helper()
	code, out, err := f.graft(f.Context(), line)
	if code != 0 {
		f.Fatalf("graft %s: exit %d\n%s", line, code, err)
	}
	return out
}

// refuses runs a line that ends with a code and says words on its first line or its hint.
func (f *trainee) refuses(line string, code int, words ...string) {
	f.Helper()
	got, _, err := f.graft(f.Context(), line)
	if got != code || strings.Count(err, "\n") > 4 {
		f.Errorf("graft %s: exit %d, want %d\n%s", line, got, code, err)
	}
	for _, w := range words {
		if !strings.Contains(err, w) {
			f.Errorf("graft %s does not say %q:\n%s", line, w, err)
		}
	}
}

func (f *trainee) parameters(dir string) map[string]*onnx.Tensor {
	f.Helper()
	tensors, _, err := training.ReadCheckpoint(f.path(dir + "/checkpoint"))
	if err != nil {
		f.Fatal(err)
	}
	return tensors
}

func (f *trainee) sameParameters(a, b string) {
	f.Helper()
	x, y := f.parameters(a), f.parameters(b)
	for name, t := range x {
		if !bytes.Equal(t.Data, y[name].Data) {
			f.Errorf("%s differs between %s and %s", name, a, b)
		}
	}
}

func TestTrain(t *testing.T) {
	f := newTrainee(t)
	f.must("artifacts mlp.onnx --loss cross-entropy --optimizer adam --out whole")
	f.must("artifacts mlp.onnx --loss cross-entropy --optimizer adam --out parts")
	var sum trained
	if err := json.Unmarshal([]byte(f.must("train whole --data data.npz --epochs 10 --batch 16 --lr 1e-2 --seed 4 --json")), &sum); err != nil {
		t.Fatal(err)
	}
	if sum.Steps != 60 || sum.LossLast > sum.LossFirst*0.7 || sum.LossFirst < 0.5 || sum.Seconds <= 0 {
		t.Errorf("summary %+v", sum)
	}
	history, err := os.ReadFile(f.path("whole/history.csv"))
	if err != nil || bytes.Count(history, []byte("\n")) != 61 || !bytes.Contains(history, []byte("\n60,10,")) {
		t.Errorf("history %v\n%s", err, history)
	}
	f.refuses("train whole --data data.npz --epochs 11 --batch 16", exitUsage, "trained for 60 steps already", "--resume")
	// Interrupted in the middle of an epoch and continued, the run is the same.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, _, err := f.graft(ctx, "train parts --data data.npz --epochs 10 --batch 16 --lr 1e-2 --seed 4"); code != exitInterrupted {
		t.Fatalf("exit %d\n%s", code, err)
	}
	f.must("train parts --data data.npz --steps 20 --batch 16 --lr 1e-2 --seed 4 --save-every 7 --resume")
	f.must("train parts --data data.npz --epochs 10 --batch 16 --lr 1e-2 --seed 4 --resume")
	f.sameParameters("whole", "parts")
	if _, _, err := f.graft(t.Context(), "train parts --data data.npz --epochs 11 --batch 9 --lr 1e-2 --resume"); !strings.Contains(err, "the run is another") {
		t.Errorf("another batch: %s", err)
	}
	release, err := training.LockCheckpoint(f.path("whole/checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	f.refuses("train whole --data data.npz --resume", exitEnvironment, "in use by another graft run")
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

func TestTrainMasked(t *testing.T) {
	f := newTrainee(t)
	f.must("artifacts mlp.onnx --loss cross-entropy --optimizer adamw --out a")
	set := &masking.Set{}
	keep := make([]bool, 64)
	for i := range keep {
		keep[i] = i%2 == 0
	}
	if err := set.Add(&masking.Mask{Name: "w1", Dims: []int64{4, 16}, Keep: keep}); err != nil {
		t.Fatal(err)
	}
	if err := set.WriteFile(f.path("mask.safetensors"), nil); err != nil {
		t.Fatal(err)
	}
	f.must("train a --data data.npz --epochs 2 --batch 16 --mask mask.safetensors")
	f.must("train a --data data.npz --epochs 3 --batch 16 --resume") // the checkpoint has the mask
	f.must("train a --data data.npz --epochs 4 --batch 16 --resume --mask mask.safetensors")
	w := f.parameters("a")["w1"]
	for i := range keep {
		if zero := bytes.Equal(w.Data[4*i:4*i+4], []byte{0, 0, 0, 0}); zero == keep[i] {
			t.Fatalf("w1[%d] is %g", i, w.Float32s()[i])
		}
	}
	if err := set.Add(&masking.Mask{Name: "w9", Dims: []int64{1}, Keep: []bool{false}}); err != nil {
		t.Fatal(err)
	}
	if err := set.WriteFile(f.path("other.safetensors"), nil); err != nil {
		t.Fatal(err)
	}
	f.refuses("train a --data data.npz --mask other.safetensors --resume", exitInput, `"w9"`, "another network")
}

func TestTrainRefusals(t *testing.T) {
	f := newTrainee(t)
	f.refuses("artifacts mlp.onnx --loss mes --optimizer adam --out a", exitUsage, "mse, l1", "did you mean mse?")
	f.refuses("artifacts mlp.onnx --loss mse --optimizer adm --out a", exitUsage, "sgd, heavy-ball, nesterov, adam, adamw", "did you mean adam?")
	f.refuses("artifacts mlp.onnx --loss mse --out a", exitUsage, "--optimizer is missing")
	f.refuses("artifacts mlp.onnx --loss mse --optimizer adam --output probs --out a", exitInput, `no output "probs"`, `"logits"`)
	f.refuses("artifacts mlp.onnx --loss mse --optimizer adam --freeze . --out a", exitInput, "no trainable parameter is left")
	f.refuses("artifacts mlp.onnx --loss mse --optimizer adam --train ( --out a", exitUsage, "--train")
	f.must("artifacts mlp.onnx --loss mse --optimizer adam --out a --dry-run")
	if _, err := os.Stat(f.path("a")); err == nil {
		t.Error("a dry run wrote something")
	}
	f.must("artifacts mlp.onnx --loss cross-entropy --optimizer sgd --out a")
	f.refuses("train mlp.onnx --data data.npz", exitInput)
	f.refuses("train . --data data.npz", exitInput, "contract.json")
	f.refuses("train a", exitUsage, "--data is missing")
	f.refuses("train a --data data.npz --steps 3 --epochs 3", exitUsage, "exclude each other")
	f.refuses("train a --data mlp.onnx", exitInput, "no .npy, .npz or safetensors")
	named := func(name string, t *onnx.Tensor) *onnx.Tensor { t.Name = name; return t }
	x, labels := onnx.NewTensor(onnx.Float, 6, 4), onnx.NewTensor(onnx.Int64, 6)
	nan := x.Clone()
	nan.Float32s()[5] = float32(math.NaN())
	wrong := labels.Clone()
	wrong.Int64s()[4] = 3
	for _, c := range []struct {
		x, labels *onnx.Tensor
		words     []string
	}{
		{onnx.NewTensor(onnx.Float, 6, 5), labels, []string{`array "x"`, "float [6 5]", "[n 4]"}},
		{onnx.NewTensor(onnx.Float, 6), labels, []string{`array "x"`, "float [6]", "[n 4]"}},
		{onnx.NewTensor(onnx.Float, 5, 4), labels, []string{`"x" has 5 samples, "labels" has 6`}},
		{x, onnx.NewTensor(onnx.Float, 6), []string{`array "labels"`, "is float, the model wants int64"}},
		{nan, labels, []string{`array "x"`, "element 5 is NaN"}},
		{x, wrong, []string{`array "labels"`, "element 4 is class 3", "0 to 2"}},
		{onnx.NewTensor(onnx.Bool, 6, 4), labels, []string{"is bool, the model wants float"}},
	} {
		f.npz("bad.npz", named("x", c.x), named("labels", c.labels))
		f.refuses("train a --data bad.npz", exitInput, append(c.words, "bad.npz")...)
	}
	f.npz("bad.npz", named("X", x.Clone()), named("Y", x.Clone()), named("labels", labels))
	f.refuses("train a --data bad.npz", exitInput, `no array "x"`, `it has "X", "Y", "labels"`)
	big := x.Clone()
	for i := range big.Float32s() {
		big.Float32s()[i] = 1e30
	}
	f.npz("big.npz", named("x", big), named("labels", labels))
	f.refuses("train a --data big.npz --steps 20 --lr 900", exitRuntime, "step 1", "diverged", "squares overflow", `parameter "w`, "checkpoint is of step 0", "smaller learning rate")
	// The loss is finite until a parameter is not: the step before is found by going back to the last checkpoint.
	for i := range big.Float32s() {
		big.Float32s()[i] = 1e15
	}
	f.npz("big.npz", named("x", big), named("labels", labels))
	f.refuses("train a --data big.npz --steps 20 --lr 900", exitRuntime, "diverged", `element 0 is`, "MatMul", `parameter "w`, "the last good one", "smaller learning rate")
}
