package training_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/training"
	"graft/training/loss"
	"graft/training/optim"
)

// saved is a step and a checkpoint of it, after no steps.
func saved(t *testing.T) (*tiny, string) {
	t.Helper()
	f := newTiny(t, false)
	dir := filepath.Join(t.TempDir(), "checkpoint")
	if err := f.step.SaveCheckpoint(dir, f.step.NewSnapshot(f.start, nil), map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	return f, dir
}

// refuses loads and wants one line with every word.
func refuses(t *testing.T, s *training.Step, dir string, words ...string) {
	t.Helper()
	_, err := s.LoadCheckpoint(dir, nil, nil)
	if err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v: error %v", words, err)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestDamagedCheckpointIsRefused(t *testing.T) {
	f, dir := saved(t)
	for _, name := range []string{"parameters.safetensors", "slots.safetensors", "buffers.safetensors", "state.json"} {
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Every byte of small files, some of the large ones.
		for i := 0; i < len(whole); i += max(1, len(whole)/150) {
			bad := append([]byte(nil), whole...)
			bad[i] ^= 1 << (i % 8)
			if err := os.WriteFile(path, bad, 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := f.step.LoadCheckpoint(dir, nil, nil); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("bit %d of byte %d of %s: error %v", i%8, i, name, err)
			}
		}
		for what, data := range map[string][]byte{"cut": whole[:len(whole)/2], "empty": nil, "longer": append(whole[:len(whole):len(whole)], ' ')} {
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
			refuses(t, f.step, dir, name)
			_ = what
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		refuses(t, f.step, dir, name, "is missing")
		if err := os.Symlink("/dev/zero", path); err == nil {
			refuses(t, f.step, dir, name, "regular file")
			os.Remove(path)
		}
		if err := os.WriteFile(path, whole, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.step.LoadCheckpoint(dir, nil, nil); err != nil {
		t.Fatal(err)
	}
}

func TestForeignCheckpointIsRefused(t *testing.T) {
	f, dir := saved(t)
	other, err := training.NewStep(f.model, training.StepConfig{Loss: loss.MSE, Optimizer: optim.SGD(optim.SGDConfig{})})
	if err != nil {
		t.Fatal(err)
	}
	refuses(t, other, dir, "state.json", "another model, loss or optimizer")
	if _, err := other.LoadCheckpoint(dir, nil, nil); !errors.Is(err, training.ErrOtherStep) {
		t.Errorf("a checkpoint of another step: %v", err)
	}
	path := filepath.Join(dir, "state.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(data), `"format": 1`, `"format": 2`, 1)
	if err := os.WriteFile(path, []byte(newer), 0o666); err != nil {
		t.Fatal(err)
	}
	refuses(t, f.step, dir, "has format 2, this program reads 1")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, data, 0o666); err != nil {
		t.Fatal(err)
	}
	refuses(t, f.step, file, "is a folder")
}

func TestNoCheckpoint(t *testing.T) {
	f := newTiny(t, false)
	if _, err := f.step.LoadCheckpoint(filepath.Join(t.TempDir(), "none"), nil, nil); !errors.Is(err, training.ErrNoCheckpoint) {
		t.Errorf("error %v", err)
	}
}

// At every moment of a save one whole checkpoint can be read.
func TestCutOffSaves(t *testing.T) {
	f, dir := saved(t)
	later := f.step.NewSnapshot(f.start, nil)
	later.Steps = 9
	if err := f.step.SaveCheckpoint(dir, later, nil); err == nil || !strings.Contains(err.Error(), `no slot "momentum0"`) {
		t.Errorf("a state without its slots was saved: %v", err)
	}
	for _, slot := range f.step.Slots {
		later.Slots[slot] = onnx.NewTensor(onnx.Float, f.step.Packing.Len())
	}
	load := func(want int64) {
		t.Helper()
		snap, err := f.step.LoadCheckpoint(dir, nil, nil)
		if err != nil || snap.Steps != want {
			t.Fatalf("snapshot %v: %v", snap, err)
		}
	}
	// While the new folder is written: half of it is there.
	if err := os.MkdirAll(dir+".next", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir+".next", "parameters.safetensors"), []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	load(0)
	// Between the two renames: the checkpoint is called previous.
	if err := os.Rename(dir, dir+".previous"); err != nil {
		t.Fatal(err)
	}
	load(0)
	if err := f.step.SaveCheckpoint(dir, later, nil); err != nil {
		t.Fatal(err)
	}
	load(9)
	if _, err := os.Stat(dir + ".next"); err == nil {
		t.Error("the unfinished folder is still there")
	}
	// While the former one is removed: half of it is left.
	if err := os.Remove(filepath.Join(dir+".previous", "state.json")); err != nil {
		t.Fatal(err)
	}
	load(9)
	later.Steps = 10
	if err := f.step.SaveCheckpoint(dir, later, nil); err != nil {
		t.Fatal(err)
	}
	load(10)
	// A damaged checkpoint points to the one before it.
	if err := os.Remove(filepath.Join(dir, "state.json")); err != nil {
		t.Fatal(err)
	}
	refuses(t, f.step, dir, "the checkpoint before it is in checkpoint.previous")
}

func TestReadCheckpoint(t *testing.T) {
	f, dir := saved(t)
	tensors, steps, err := training.ReadCheckpoint(dir)
	if err != nil || steps != 0 || len(tensors) != len(f.step.Packing.Names()) {
		t.Fatalf("%d tensors after %d steps: %v", len(tensors), steps, err)
	}
	for _, v := range training.Parameters(f.model.Graph) {
		if got := tensors[v.Name]; got == nil || string(got.Data) != string(v.Const.Data) || !got.Type().Shape.Equal(v.Type.Shape) {
			t.Errorf("parameter %s is %v", v.Name, got)
		}
	}
}

func TestLockCheckpoint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "checkpoint")
	release, err := training.LockCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := training.LockCheckpoint(dir + "/"); err == nil || !strings.Contains(err.Error(), "in use by another graft run") {
		t.Errorf("second lock: %v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if release, err = training.LockCheckpoint(dir); err != nil {
		t.Fatal(err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if _, err := training.LockCheckpoint(filepath.Join(dir, "no", "such")); err == nil {
		t.Error("lock in a folder that does not exist")
	}
}

func TestPackRefusals(t *testing.T) {
	f := newTiny(t, false)
	name := f.step.Packing.Names()[0]
	for _, bad := range []*onnx.Tensor{nil, onnx.NewTensor(onnx.Float, 1), onnx.NewTensor(onnx.Int64, f.step.Packing.Dims(0)...)} {
		_, err := f.step.Packing.Pack(func(n string) *onnx.Tensor {
			if n == name {
				return bad
			}
			return f.model.Graph.Lookup(n).Const
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v", err)
		}
	}
	huge := &onnx.Value{Name: "w", Type: onnx.TypeOf(onnx.Float, 1<<40, 1<<22)}
	if _, err := training.NewPacking([]*onnx.Value{huge, {Name: "v", Type: huge.Type}, {Name: "u", Type: huge.Type}}); err == nil {
		t.Error("sizes that overflow are packed")
	}
}
