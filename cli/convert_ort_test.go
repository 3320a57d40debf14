package cli

import (
	"bytes"
	"os"
	"testing"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// A model in ONNX Runtime's own format computes what the model does; it is written, and never read.
func TestConvertORT(t *testing.T) {
	o := runtimetest.Options(t)
	w := newWorkshop(t)
	path := w.model("m.onnx", `<ir_version: 3, opset_import: ["" : 8]> g (float[N,4] x, float[4,2] w, float[2] b) => (float[N,2] y)
		<float[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] b = {1, 2}> {
		a = MatMul(x, w)
		c = Add(a, b)
		y = Relu(c)
	}`)
	out := w.path("m.ort")
	w.must(path, "--out", out, "--dry-run")
	if _, err := os.Stat(out); err == nil {
		t.Error("a dry run wrote")
	}
	w.must(path, "--out", out)
	data, err := os.ReadFile(out)
	if err != nil || !bytes.Equal(data[4:8], []byte("ORTM")) {
		t.Fatalf("%q, %v", data[:min(len(data), 8)], err)
	}
	m, err := onnx.Load(path, onnx.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	before, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*onnx.Tensor{"x": onnx.FromSlice([]float32{1, -2, 3, -4, 5, 6, 7, 8}, 2, 4)}
	var got [2]map[string]*onnx.Tensor
	for i, bytes := range [][]byte{before, data} {
		s, err := runtime.Open(bytes, o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got[i], err = s.Run(t.Context(), feeds); err != nil {
			t.Fatal(err)
		}
	}
	if d := runtime.Compare(got[0], got[1], runtime.Tolerance{Abs: 1e-6}); !d.Equal {
		t.Errorf("%+v", d)
	}
	if code, messages := w.convert(path, "--out", out); code != exitEnvironment {
		t.Errorf("over a file: exit %d: %s", code, messages)
	}
	w.refuses(3, "in ONNX Runtime's own format, which is not read", out, "--out="+w.path("back.onnx"))
	bad := w.model("bad.onnx", `<ir_version: 8, opset_import: ["" : 17, "nobody" : 1]> g (float[1] x) => (float[1] y) { y = nobody.Thing(x) }`)
	w.refuses(3, "bad.onnx", bad, "--out="+w.path("bad.ort"))
}
