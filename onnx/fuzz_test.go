package onnx

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx/hostiletest"
)

// FuzzDecode: what is read can be checked, printed and written, and what is written is read again as the same bytes.
func FuzzDecode(f *testing.F) {
	f.Add(marshal(f, goodModel()))
	f.Add(marshal(f, richModel(f)))
	for _, h := range hostiletest.Hiding(externalTensor("x", []int64{4}, "location", "../secret")) {
		f.Add(marshal(f, h.Model))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data)
		if err != nil {
			mustRefuse(t, err, "")
			return
		}
		Check(m)
		_ = m.Text()
		first, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		second, err := again.Encode()
		if err != nil || string(first) != string(second) {
			t.Fatalf("the second encoding differs (%v)", err)
		}
	})
}

// FuzzParse: what is parsed prints as text that parses to the same model.
func FuzzParse(f *testing.F) {
	f.Add(`<ir_version: 10, opset_import: ["" : 21]> g (float[N] x) => (y) <float[2] w = {1, 2}> { [n] y = a.b.Op:o <k = 1> (x, "", w) }`)
	f.Add(mustDecode(f, marshal(f, richModel(f))).Text())
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		Check(m)
		if _, err := m.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzDecodeTensor: a TensorProto that is read is written and read again as the same tensor.
func FuzzDecodeTensor(f *testing.F) {
	for _, t := range []*Tensor{FromSlice([]float32{1, 2}), NewTensor(Int4, 3), Scalar(int64(7)), {DType: String, Dims: []int64{2}, Strings: []string{"a", ""}}} {
		data, err := EncodeTensor(t)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := DecodeTensor(data)
		if err != nil {
			mustRefuse(t, err, "")
			return
		}
		written, err := EncodeTensor(first)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeTensor(written)
		if err != nil || again.DType != first.DType || !bytes.Equal(again.Data, first.Data) || again.Len() != first.Len() {
			t.Fatalf("%v, again %v: %v", first.Type(), again, err)
		}
	})
}

// FuzzExternal: whatever external_data says, a tensor's bytes come from the one file in the model's folder, or it is refused.
func FuzzExternal(f *testing.F) {
	dir := f.TempDir()
	content := []byte("0123456789abcdef0123456789abcdef")
	if err := os.WriteFile(filepath.Join(dir, "w.bin"), content, 0o600); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "secret.bin"), bytes.Repeat([]byte("secret"), 9), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Add("w.bin", "offset", "16", "length", "16")
	f.Add("../secret.bin", "length", "16", "checksum", "0")
	f.Add("./w.bin", "offset", "9223372036854775807", "length", "-1")
	f.Fuzz(func(t *testing.T, location, key, value, key2, value2 string) {
		data, err := proto.Marshal(identityModel(externalTensor("w", []int64{4}, "location", location, key, value, key2, value2)))
		if err != nil {
			return // text that is not UTF-8
		}
		path := filepath.Join(dir, "m.onnx")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := Load(path, LoadOptions{})
		if err != nil {
			if !errors.Is(err, os.ErrNotExist) {
				mustRefuse(t, err, "")
			}
			return
		}
		if w := m.Graph.Lookup("w"); !bytes.Contains(content, w.Const.Data) || len(w.Const.Data) != 16 {
			t.Fatalf("location %q, %q: %q, %q: %q: bytes %q", location, key, value, key2, value2, w.Const.Data)
		}
	})
}

func mustDecode(t testing.TB, data []byte) *Model {
	t.Helper()
	m, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
