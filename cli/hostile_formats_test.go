package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/export/pickle/pickletest"
	"graft/onnx/gguf/gguftest"
	"graft/onnx/limits/limitstest"
	"graft/onnx/safetensors"
	"graft/onnx/safetensors/safetensorstest"
	"graft/training/dataset/datasettest"
)

// Files of weights, given to each verb that reads such: P by torch.save, S safetensors, G GGUF.

// besideModel is what lies beside a hostile file: a model of one input x with a weight of two rows and three columns.
func besideModel(t testing.TB, folder string) {
	t.Helper()
	data, err := parsed17(`g (float[N,2] x) => (float[N,3] y) <float[2,3] w = {1, 2, 3, 4, 5, 6}> { y = MatMul(x, w) }`)
	if err != nil {
		t.Fatal(err)
	}
	file("model.onnx", data)(t, folder)
}

// files are cases as files of that name, with a model beside them.
func files(name string, cases []limitstest.Case) (list []hostile) {
	for _, c := range cases {
		list = append(list, hostile{id: c.Name(), says: c.Want, read: len(c.Bytes), make: func(t testing.TB, folder string) {
			besideModel(t, folder)
			file(name, c.Bytes)(t, folder)
		}})
	}
	return list
}

// first are those of a list that begin a family.
func first(list []hostile) (some []hostile) {
	seen := map[string]bool{}
	for _, h := range list {
		if family, _, _ := strings.Cut(h.id, " "); !seen[family] {
			some = append(some, h)
			seen[family] = true
		}
	}
	return some
}

// whatever are the same files, of which only the name need be said: verbs that read several formats know them as none.
func whatever(list []hostile) (same []hostile) {
	for _, h := range list {
		h.says = "hostile."
		same = append(same, h)
	}
	return same
}

func TestHostilePyTorch(t *testing.T) {
	list := files("hostile.pt", pickletest.Hostile())
	refuseThrough(t, list, "convert $DIR/hostile.pt --out $OUT.safetensors")
	refuseThrough(t, first(list), "convert $DIR/model.onnx --weights $DIR/hostile.pt --out $OUT.onnx")
	refuseThrough(t, whatever(first(list)), "prune $DIR/model.onnx --mask $DIR/hostile.pt --out $OUT.onnx")
}

// P18: the kind of a file is told by what is in it.
func TestHostilePyTorchNames(t *testing.T) {
	system := []limitstest.Case{{ID: "P18", What: "os.system", Bytes: pickletest.Plain(pickletest.Global("os", "system") + ")R"), Want: `global "os.system"`},
		{ID: "P18", What: "os.system in a zip", Bytes: pickletest.Zip(pickletest.Global("os", "system") + ")R"), Want: `global "os.system"`}}
	for _, name := range []string{"hostile.bin", "hostile.pth", "hostile", "hostile.npz", "hostile.gguf", "hostile.safetensors", "hostile.index.json", "hostile.keras"} {
		refuseThrough(t, files(name, system), "convert $DIR/"+name+" --out $OUT.safetensors")
	}
	keras := []limitstest.Case{{ID: "P17", What: "Keras", Bytes: pickletest.Keras(), Want: "export the model to ONNX with tf2onnx"},
		{ID: "P17", What: "HDF5", Bytes: pickletest.HDF5(), Want: "export the model to ONNX with tf2onnx"}}
	for _, name := range []string{"hostile.keras", "hostile.h5", "hostile.pt", "hostile.npz", "hostile.onnx"} {
		refuseThrough(t, files(name, keras), "convert $DIR/"+name+" --out $OUT.safetensors", "convert $DIR/model.onnx --weights $DIR/"+name+" --out $OUT.onnx")
	}
}

// P17: a file of another kind in the place of a model is called what it is.
func TestHostileForeignModels(t *testing.T) {
	w := gguftest.Table(64, gguftest.Line{Name: "a", Dims: []uint64{4}})
	cases := []limitstest.Case{
		{What: "PyTorch", Bytes: pickletest.Zip("N"), Want: "is a ZIP archive, as PyTorch, NumPy and Keras write and no ONNX model"},
		{What: "old PyTorch", Bytes: pickletest.Legacy("N", nil), Want: "is a pickle, as PyTorch writes and no ONNX model"},
		{What: "tar", Bytes: pickletest.Tar(), Want: "is a tar archive"},
		{What: "Keras", Bytes: pickletest.Keras(), Want: "a Keras model is exported to ONNX with tf2onnx"},
		{What: "HDF5", Bytes: pickletest.HDF5(), Want: "export the model to ONNX with tf2onnx"},
		{What: "GGUF", Bytes: w, Want: "is a GGUF file"},
		{What: "safetensors", Bytes: safetensorstest.Shard("a"), Want: "is a safetensors file"},
		{What: "NumPy", Bytes: datasettest.NpyOf("'<f4'", "(2,)", make([]byte, 8)), Want: "is an array of NumPy"},
		{What: "answer of a server", Bytes: []byte("<!DOCTYPE html><html></html>"), Want: "is an HTML page"},
		{What: "Git LFS", Bytes: []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), Want: "git lfs pull"},
		{What: "TensorFlow Lite", Bytes: []byte("\x1c\x00\x00\x00TFL3"), Want: "is a TensorFlow Lite model"},
		{What: "ORT format", Bytes: []byte("\x1c\x00\x00\x00ORTM"), Want: "ONNX Runtime's own format"},
	}
	for i := range cases {
		cases[i].ID = "P17"
	}
	refuseThrough(t, files("hostile.onnx", cases), "inspect $DIR/hostile.onnx", "run $DIR/hostile.onnx", "compare $DIR/model.onnx $DIR/hostile.onnx")
}

// G19: a template is text, whatever it says.
func TestHostileChatTemplate(t *testing.T) {
	w := newWorkshop(t)
	template := "{{ cycler.__init__.__globals__.os.popen('touch owned').read() }}<script>\x1b[2J"
	data := gguftest.Meta("tokenizer.chat_template", gguftest.String, func(b *gguftest.Builder) { b.Text(template) })
	messages := w.must(w.write("m.gguf", data), "--out", w.path("m.safetensors"), "--verbose")
	if _, metadata, err := safetensors.ReadFile(w.path("m.safetensors")); err != nil || metadata["gguf.tokenizer.chat_template"] != template {
		t.Errorf("%v, %v", metadata, err)
	}
	if strings.Contains(messages, "\x1b") {
		t.Errorf("messages %q", messages)
	}
}

func TestHostileSafetensors(t *testing.T) {
	list := files("hostile.safetensors", safetensorstest.Hostile())
	refuseThrough(t, list, "convert $DIR/hostile.safetensors --out $OUT.npz")
	refuseThrough(t, first(list), append(inputLines("hostile.safetensors"),
		"convert $DIR/model.onnx --weights $DIR/hostile.safetensors --out $OUT.onnx",
		"prune $DIR/model.onnx --mask $DIR/hostile.safetensors --out $OUT.onnx")...)
}

// S15: files that name others.
func TestHostileSafetensorsIndex(t *testing.T) {
	var list []hostile
	for _, h := range files("model.safetensors.index.json", safetensorstest.Indexes()) {
		list = append(list, hostile{id: h.id, says: h.says, read: h.read, make: func(t testing.TB, folder string) {
			h.make(t, folder)
			file("a.safetensors", safetensorstest.Shard("a"))(t, folder)
			file("b.safetensors", safetensorstest.Shard("b"))(t, folder)
			if err := os.WriteFile(filepath.Join(filepath.Dir(folder), "x.safetensors"), safetensorstest.Shard("a"), 0o600); err != nil {
				t.Fatal(err)
			}
		}})
	}
	refuseThrough(t, list, "convert $DIR/model.safetensors.index.json --out $OUT.safetensors",
		"convert $DIR/model.onnx --weights $DIR/model.safetensors.index.json --out $OUT.onnx")
}

func TestHostileGGUF(t *testing.T) {
	list := files("hostile.gguf", gguftest.Hostile())
	refuseThrough(t, list, "convert $DIR/hostile.gguf --out $OUT.safetensors")
	refuseThrough(t, first(list), "convert $DIR/model.onnx --weights $DIR/hostile.gguf --out $OUT.onnx")
}

// inputLines are the verbs that a file of inputs is given to. Each reads it before it opens a session.
func inputLines(name string) []string {
	const model = " $DIR/model.onnx "
	name = "$DIR/" + name
	return []string{
		"run" + model + "--out $OUT --input x=" + name,
		"run" + model + "--out $OUT --input " + name,
		"compare" + model + model + "--inputs " + name,
		"diff" + model + model + "--inputs " + name,
		"bench" + model + "--inputs " + name,
		"verify" + model + "--runtimes ort,onnx-go --inputs " + name,
		"simplify" + model + "--out $OUT.onnx --verify --inputs " + name,
		"convert" + model + "--out $OUT.onnx --precision fp16 --inputs " + name,
		"convert" + model + "--out $OUT.onnx --quantize int8-static --data " + name,
		"build analysis --set beta=1 --out $OUT.onnx --operator " + name,
	}
}
