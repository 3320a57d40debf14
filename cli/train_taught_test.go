package cli

import (
	"bytes"
	"testing"

	"graft/graphs"
)

// A small network learns from a larger one, on pictures that move; a run that goes on is the run that was not cut off, to the
// bit. What evaluates and what is exported knows neither.
func TestTrainTaughtAndAugmented(t *testing.T) {
	f := newTrainee(t)
	for name, width := range map[string]int64{"teacher.onnx": 6, "student.onnx": 3} {
		m, err := graphs.ResNet{Widths: []int64{width}, Blocks: 1, In: 1, Classes: 3, Height: 6, Width: 6}.Build(1)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Save(f.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	f.pictures("pictures.npz")
	f.must("artifacts teacher.onnx --loss cross-entropy --optimizer adam --out t")
	f.run("train t --data pictures.npz --val pictures.npz --epochs 8 --batch 16 --lr 1e-2")
	f.must("export t --out taught.onnx")
	const run = " --data pictures.npz --val pictures.npz --batch 16 --lr 1e-2 --augment shift=0.5,rotate=5,zoom=0.1 --epochs "
	for _, dir := range []string{"a", "b"} {
		f.must("artifacts student.onnx --loss cross-entropy --optimizer adam --teacher taught.onnx --teacher-weight 0.8 --temperature 2 --out " + dir)
	}
	doc := f.run("train a" + run + "30")
	if doc.Accuracy == nil || *doc.Accuracy < 0.9 {
		t.Errorf("after %d steps: loss %g", doc.Steps, doc.LossLast)
		if doc.Accuracy != nil {
			t.Errorf("accuracy %g", *doc.Accuracy)
		}
	}
	f.run("train b" + run + "11")
	f.run("train b --resume" + run + "30")
	once, twice := f.parameters("a"), f.parameters("b")
	for name, w := range once {
		if !bytes.Equal(w.Data, twice[name].Data) {
			t.Errorf("%s differs when the run was cut in two", name)
		}
	}
	f.must("export a --out out.onnx")
	if a, b := f.must("inspect out.onnx --json"), f.must("inspect student.onnx --json"); bytes.Count([]byte(a), []byte(`"op"`)) != bytes.Count([]byte(b), []byte(`"op"`)) {
		t.Errorf("the export has other layers:\n%s\n%s", a, b)
	}
	f.artifacts("m", "adam")
	f.refuses("train m --data data.npz --augment shift=1", exitUsage, "pictures are float [channels height width]")
	f.refuses("train a --data pictures.npz --resume --augment blur=1", exitUsage, "shift=PIXELS")
	f.refuses("artifacts student.onnx --loss cross-entropy --optimizer adam --temperature 2 --out c", exitUsage, "goes with --teacher")
	f.refuses("artifacts student.onnx --loss cross-entropy --optimizer adam --teacher mlp.onnx --out c", exitInput, "teacher", "its input")
}
