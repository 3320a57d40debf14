package cli

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/safetensors"
	"graft/training/dataset"
)

// workshop runs graft convert in a folder of its own.
type workshop struct {
	*testing.T
	dir string
}

func newWorkshop(t *testing.T) *workshop { return &workshop{t, t.TempDir()} }

func (w *workshop) path(name string) string { return filepath.Join(w.dir, name) }

func (w *workshop) write(name string, data []byte) string {
	w.Helper()
	if err := os.WriteFile(w.path(name), data, 0o600); err != nil {
		w.Fatal(err)
	}
	return w.path(name)
}

// model writes a model given in the textual syntax.
func (w *workshop) model(name, text string) string {
	w.Helper()
	m, err := onnx.Parse(text)
	if err != nil {
		w.Fatal(err)
	}
	if err := m.Save(w.path(name)); err != nil {
		w.Fatal(err)
	}
	return w.path(name)
}

// convert runs graft convert and gives its exit code and what it printed on stderr.
func (w *workshop) convert(args ...string) (code int, messages string) {
	w.Helper()
	var out, err bytes.Buffer
	code = NewApp(strings.NewReader(""), &out, &err).Run(w.Context(), append([]string{"graft", "convert"}, args...))
	return code, err.String()
}

func (w *workshop) must(args ...string) string {
	w.Helper()
	code, messages := w.convert(args...)
	if code != 0 {
		w.Fatalf("convert %q: exit %d: %s", args, code, messages)
	}
	return messages
}

// refuses asserts exit code and message, and that the output is not there.
func (w *workshop) refuses(code int, want string, args ...string) {
	w.Helper()
	out := w.path("refused.safetensors")
	if i := len(args) - 1; strings.HasPrefix(args[i], "--out=") {
		out, args = strings.TrimPrefix(args[i], "--out="), args[:i]
	}
	got, messages := w.convert(append(args, "--out", out)...)
	if got != code || !strings.Contains(messages, want) || strings.Count(messages, "\n") > 3 {
		w.Errorf("convert %q: exit %d, want %d and %q: %s", args, got, code, want, messages)
	}
	if _, err := os.Stat(out); err == nil {
		w.Errorf("convert %q wrote %s", args, out)
		os.Remove(out)
	}
}

func (w *workshop) load(path string) *onnx.Model {
	w.Helper()
	m, err := onnx.Load(path, onnx.LoadOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return m
}

// same compares tensors by name, wherever they stand.
func (w *workshop) same(got, want []*onnx.Tensor) {
	w.Helper()
	byName := map[string]*onnx.Tensor{}
	for _, t := range got {
		byName[t.Name] = t
	}
	for _, t := range want {
		g := byName[t.Name]
		if g == nil || g.Type().String() != t.Type().String() || !bytes.Equal(g.Data, t.Data) {
			w.Errorf("%s: %v, want %v of the same bytes", t.Name, g, t.Type())
		}
	}
	if len(got) != len(want) {
		w.Errorf("%d tensors, want %d", len(got), len(want))
	}
}

func (w *workshop) tensors(path string) []*onnx.Tensor {
	w.Helper()
	list, err := dataset.ReadTensors(path)
	if err != nil {
		w.Fatal(err)
	}
	return list
}

const dense = `<ir_version: 8, opset_import: ["" : 17]>
g (float[N,2] x) => (float[N,3] y) <float[2,3] fc.weight = {1, 2, 3, 4, 5, 6}, float[3] fc.bias = {7, 8, 9}, int64[1] one = {1}>
{ h = MatMul(x, fc.weight) y = Add(h, fc.bias) }`

// Weights come out of a model and go into another as they were, by way of every format.
func TestConvertWeights(t *testing.T) {
	w := newWorkshop(t)
	text := strings.ReplaceAll(strings.ReplaceAll(dense, "fc.weight", `"fc.weight"`), "fc.bias", `"fc.bias"`)
	from := w.model("m.onnx", text)
	blank := w.model("blank.onnx", strings.NewReplacer("{1, 2, 3, 4, 5, 6}", "{0, 0, 0, 0, 0, 0}", "{7, 8, 9}", "{0, 0, 0}").Replace(text))
	w.must(from, "--out", w.path("w.safetensors"))
	w.must(from, "--out", w.path("w.npz"))
	w.must(w.path("w.npz"), "--out", w.path("again.safetensors"))
	w.same(w.tensors(w.path("w.npz")), w.tensors(w.path("w.safetensors")))
	w.same(w.tensors(w.path("again.safetensors")), w.tensors(w.path("w.safetensors")))
	want := w.load(from).Graph
	for _, file := range []string{"w.safetensors", "w.npz", "m.onnx"} {
		out := w.path("filled.onnx")
		w.must(blank, "--weights", w.path(file), "--out", out, "--force")
		g := w.load(out).Graph
		for _, v := range want.Initializers() {
			if got := g.Lookup(v.Name); got == nil || !bytes.Equal(got.Const.Data, v.Const.Data) {
				t.Errorf("%s: %s differs", file, v.Name)
			}
		}
	}
	// A file with some of the weights leaves the others, half precision widens, and PyTorch's counters of batches are left out.
	half := onnx.NewTensor(onnx.Float16, 3)
	half.Name = "fc.bias"
	copy(onnx.View[uint16](half), []uint16{0x3c00, 0xc000, 0x3555})
	counter := onnx.Scalar(int64(5))
	counter.Name = "bn.num_batches_tracked"
	data, err := safetensors.Encode([]*onnx.Tensor{half, counter}, nil)
	if err != nil {
		t.Fatal(err)
	}
	messages := w.must(blank, "--weights", w.write("half.safetensors", data), "--out", w.path("half.onnx"))
	if got := w.load(w.path("half.onnx")).Graph.Lookup("fc.bias").Const.Float32s(); got[0] != 1 || got[1] != -2 || got[2] != 0.333251953125 {
		t.Errorf("widened: %v", got)
	}
	if !strings.Contains(messages, `2 weights keep their values: "fc.weight", "one"`) {
		t.Errorf("messages: %s", messages)
	}
	w.must(from, "--out", w.path("none.npz"), "--dry-run")
	w.must(from, "--out", w.path("none.safetensors"), "--dry-run")
	for _, name := range []string{"none.npz", "none.safetensors"} {
		if _, err := os.Stat(w.path(name)); err == nil {
			t.Errorf("a dry run wrote %s", name)
		}
	}
}

// PyTorch's files, by content and not by name, as NumPy saved what was in them; GGUF as its reference dequantizes it.
func TestConvertForeignWeights(t *testing.T) {
	w := newWorkshop(t)
	for _, c := range []struct{ from, as, want string }{
		{"state.pt", "state.pt", "state.npz"}, {"state_legacy.pt", "pytorch_model.bin", "state_legacy.npz"},
		{"state_protocol5.pt", "s.pth", "state_protocol5.npz"}, {"checkpoint.pt", "c.pt", "checkpoint.npz"},
	} {
		data, err := os.ReadFile(filepath.Join("../export/pickle/testdata", c.from))
		if err != nil {
			t.Fatal(err)
		}
		out := w.path(c.as + ".safetensors")
		w.must(w.write(c.as, data), "--out", out)
		got := w.tensors(out)
		for _, x := range w.tensors(filepath.Join("../export/pickle/testdata", c.want)) {
			found := false
			for _, g := range got {
				found = found || g.Name == x.Name && bytes.Equal(g.Data, x.Data)
			}
			if !found && x.DType != onnx.Uint16 { // bfloat16, which NumPy has no name for
				t.Errorf("%s: %s is not there, or other", c.from, x.Name)
			}
		}
		_, metadata, err := safetensors.ReadFile(out)
		if err != nil || metadata["format"] != "pt" || len(got) == 0 {
			t.Errorf("%s: %v, %v", c.from, metadata, err)
		}
	}
	data, err := os.ReadFile("../onnx/gguf/testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	w.must(w.write("misnamed.bin", data), "--out", w.path("g.safetensors"))
	got := map[string]*onnx.Tensor{}
	for _, x := range w.tensors(w.path("g.safetensors")) {
		got[x.Name] = x
	}
	for _, x := range w.tensors("../onnx/gguf/testdata/types.safetensors") {
		g := got[x.Name]
		if g == nil || g.DType == onnx.Float && !bytes.Equal(g.Data, x.Data) {
			t.Errorf("%s differs", x.Name)
		}
	}
	if _, metadata, err := safetensors.ReadFile(w.path("g.safetensors")); err != nil || metadata["gguf.general.name"] != "types" || metadata["gguf.test.u32"] != "7" {
		t.Error(metadata, err)
	}
}

func TestConvertWeightsRefuses(t *testing.T) {
	w := newWorkshop(t)
	text := strings.ReplaceAll(strings.ReplaceAll(dense, "fc.weight", `"fc.weight"`), "fc.bias", `"fc.bias"`)
	model := w.model("m.onnx", text)
	file := func(name string, t *onnx.Tensor) string {
		x := *t
		x.Name = name
		data, err := safetensors.Encode([]*onnx.Tensor{&x}, nil)
		if err != nil {
			w.Fatal(err)
		}
		return w.write("w.safetensors", data)
	}
	out := "--out=" + w.path("refused.onnx")
	for _, c := range []struct {
		name, want string
		tensor     *onnx.Tensor
	}{
		{"fc.weigth", `the model has no weight "fc.weigth", did you mean "fc.weight"?`, onnx.NewTensor(onnx.Float, 2, 3)},
		{"fc.weight", `weight "fc.weight" of shape [3 2] is transposed: the model has [2 3]`, onnx.NewTensor(onnx.Float, 3, 2)},
		{"fc.weight", `weight "fc.weight" has shape [6], the model's [2 3]`, onnx.NewTensor(onnx.Float, 6)},
		{"fc.bias", `weight "fc.bias" is double, the model's float`, onnx.NewTensor(onnx.Double, 3)},
		{"one", `weight "one" is int32, the model's int64`, onnx.NewTensor(onnx.Int32, 1)},
		{"x", `no weight "x"`, onnx.NewTensor(onnx.Float, 2)},
	} {
		w.refuses(3, c.want, model, "--weights", file(c.name, c.tensor), out)
	}
	w.refuses(3, "weights without a network make no ONNX file", w.path("w.safetensors"), out)
	w.refuses(2, "--rename-input wants a network", w.path("w.safetensors"), "--rename-input", "a=b")
	w.refuses(3, "holds weights without a network", model, w.path("w.safetensors"))
	w.refuses(2, "PyTorch is read, not written", model, "--out="+w.path("x.pt"))
	w.refuses(3, "no format has the extension", w.write("x.unknown", []byte("x")))
	// Every reader's refusal is the verb's.
	for name, data := range map[string]string{
		"a.gguf": "GGUF", "b.safetensors": "\xff\xff\xff\xff\xff\xff\xff\x7f{", "c.npz": "PK\x03\x04", "d.pt": "\x80\x02cos\nsystem\nq\x00.", "e.bin": "",
		"f.pth": "PK\x03\x04", "g.onnx": "\x08\xff", "h.npz": "x",
	} {
		w.refuses(3, name, w.write(name, []byte(data)))
		w.refuses(3, name, model, "--weights", w.path(name), out)
	}
	bf := onnx.NewTensor(onnx.BFloat16, 2)
	w.refuses(3, "a .safetensors file holds every name and element type", file("w", bf), "--out="+w.path("x.npz"))
	w.refuses(3, "is no plain path", file("/w", onnx.NewTensor(onnx.Float, 2)), "--out="+w.path("x.npz"))
}

// A file is converted a tensor at a time.
func TestConvertWeightsMemory(t *testing.T) {
	w := newWorkshop(t)
	const tensors, rows = 16, 4 << 20 / 2 // each 4 MiB of F16
	var b bytes.Buffer
	number := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	b.WriteString("GGUF")
	number(uint32(3))
	number(uint64(tensors))
	number(uint64(0))
	for i := range uint64(tensors) {
		number(uint64(1))
		b.WriteByte(byte('a' + i))
		number(uint32(1))
		number(uint64(rows))
		number(uint32(1))
		number(i * rows * 2)
	}
	b.Write(make([]byte, (32-b.Len()%32)%32))
	b.Write(make([]byte, tensors*rows*2))
	path := w.write("m.gguf", b.Bytes())
	b = bytes.Buffer{}
	kib, known := limitstest.Peak(t, func() { w.must(path, "--out", w.path("m.safetensors")) })
	if info, err := os.Stat(w.path("m.safetensors")); err != nil || info.Size() < tensors*rows*2 {
		t.Fatal(err)
	}
	if known && kib > 40<<10 {
		t.Errorf("%d KiB for %d MiB", kib, tensors*rows*2>>20)
	}
}

// Models are chained, cut and renamed from the command line, and compute what they did.
func TestConvertSurgery(t *testing.T) {
	w := newWorkshop(t)
	a := w.model("a.onnx", `<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] "y:0") <float[2] w = {2, 3}> { "y:0" = Mul(x, w) }`)
	b := w.model("b.onnx", `<ir_version: 7, opset_import: ["" : 13]> g (float[2] x) => (float[2] y, float[2] n) <float[2] w = {1, 1}> { y = Add(x, w) n = Neg(y) }`)
	messages := w.must(a, b, "--chain", "y:0:x", "--drop-output", "n", "--rename-input", "x=in", "--rename-output", "y=out", "--out", w.path("c.onnx"))
	g := w.load(w.path("c.onnx")).Graph
	if strings.Join(inputNames(g), " ") != "in" || strings.Join(namesOf(g.Outputs()), " ") != "out" || g.NumNodes() != 2 || g.Lookup("b/w") == nil {
		t.Fatalf("%s\n%s", messages, g.Text())
	}
	if !strings.Contains(messages, "called after their file") {
		t.Error(messages)
	}
	w.must(w.path("c.onnx"), "--extract-from", "y:0", "--extract-to", "out", "--out", w.path("d.onnx"))
	d := w.load(w.path("d.onnx")).Graph
	if strings.Join(inputNames(d), " ") != "y:0" || d.NumNodes() != 1 || math.Abs(float64(d.Initializers()[0].Const.Float32s()[0]-1)) > 0 {
		t.Fatal(d.Text())
	}
	out := "--out=" + w.path("refused.onnx")
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "wants OUT:IN", []string{a, b, "--chain", "y"}},
		{2, `no file has that output`, []string{a, b, "--chain", "y:1:x"}},
		{2, "--chain wants several files", []string{a, "--chain", "y:0:x"}},
		{2, "did you mean y:0?", []string{a, "--rename-output", "y:1=z"}},
		{2, "wants OLD=NEW", []string{a, "--rename-input", "x"}},
		{2, "the new name is empty", []string{a, "--rename-input", "x="}},
		{2, "renamed twice", []string{a, "--rename-input", "x=a", "--rename-input", "x=b"}},
		{2, "no such output", []string{b, "--drop-output", "z"}},
		{3, "none would be left", []string{b, "--drop-output", "y", "--drop-output", "n"}},
		{2, "the model has no value", []string{b, "--extract-to", "nn"}},
		{3, `would be called "n"`, []string{b, "--rename-output", "y=n"}},
		{3, `input "x" of "b" is called as one of "a"`, []string{a, b}},
		{3, "share", []string{a, b, "--share-input", "z"}},
	} {
		w.refuses(c.code, c.want, append(c.args, out)...)
	}
	w.must(a, b, "--share-input", "x", "--out", w.path("e.onnx"))
}
