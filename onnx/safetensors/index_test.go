package safetensors

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/limits"
)

// shards is a folder with a.safetensors, which holds "a", and b.safetensors, which holds "b": 8 bytes each.
func shards(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		data, err := Encode([]*onnx.Tensor{named(name, onnx.FromSlice([]float32{1, 2}))}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".safetensors"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openIndex(t testing.TB, dir, text string) (*Index, error) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors.index.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return OpenIndex(path)
}

const goodIndex = `{"metadata": {"total_size": 16, "format": "pt"}, "weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}`

func TestIndex(t *testing.T) {
	dir := shards(t)
	for _, text := range []string{goodIndex, strings.Replace(goodIndex, "16", "16.0", 1), `{"weight_map":{"b":"b.safetensors"}}`} {
		x, err := openIndex(t, dir, text)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range x.Entries() {
			if v, err := x.Tensor(e.Name); err != nil || v.Name != e.Name || v.Float32s()[1] != 2 {
				t.Errorf("%s: %v, %v", e.Name, v, err)
			}
		}
		if _, err := x.Tensor("c"); err == nil {
			t.Error("a tensor that is not there")
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHostileS15Index(t *testing.T) {
	dir := shards(t)
	outside := filepath.Join(filepath.Dir(dir), "x.safetensors")
	for text, want := range map[string]string{
		`{"weight_map":{"a":"../x.safetensors"}}`:                        "beside the index",
		`{"weight_map":{"a":"sub/../a.safetensors"}}`:                    "beside the index",
		`{"weight_map":{"a":"` + filepath.ToSlash(outside) + `"}}`:       "beside the index",
		`{"weight_map":{"a":"C:\\x.safetensors"}}`:                       "beside the index",
		`{"weight_map":{"a":"a\u0000.safetensors"}}`:                     "beside the index",
		`{"weight_map":{"a":"none.safetensors"}}`:                        "none.safetensors",
		`{"weight_map":{"a":"model.safetensors.index.json"}}`:            "beside the index", // itself
		`{"weight_map":{"a":"a.safetensors","a":"b.safetensors"}}`:       `tensor "a" twice`,
		`{"weight_map":{"a":"b.safetensors"}}`:                           `holds tensor "b"`,
		`{"weight_map":{"a":"b.safetensors","b":"a.safetensors"}}`:       `holds tensor "b"`,
		`{"weight_map":{"a":"a.safetensors","b":"a.safetensors"}}`:       `does not hold tensor "b"`,
		strings.Replace(goodIndex, "16", "17", 1):                        "total_size is 17, the tensors have 16 bytes",
		strings.Replace(goodIndex, "16", "-1", 1):                        "whole number",
		strings.Replace(goodIndex, "16", "1e400", 1):                     "whole number",
		strings.Replace(goodIndex, "16", strings.Repeat("[", 20_000), 1): "whole number",
		`{"weight_map":{}}`: "empty one",
		`{}`:                "no weight_map",
		`[]`:                "expected",
		``:                  "JSON ends",
		goodIndex + "x":     "after the JSON",
		`{"weight_map":{"a":"a.safetensors"},"weight_map":{"a":"a.safetensors"}}`:          "twice",
		`{"weight_map":{"a":"a.safetensors"},"other":1}`:                                   `unknown key "other"`,
		"{\"weight_map\":{\"a\xff\":\"a.safetensors\"}}":                                   "UTF-8",
		`{"metadata":{"total_size":1,"total_size":16},"weight_map":{"a":"a.safetensors"}}`: "twice",
	} {
		x, err := openIndex(t, dir, text)
		var in *limits.InputError
		if err == nil {
			x.Close()
		}
		if err == nil || !errors.As(err, &in) && !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
	if _, err := OpenIndex(dir); err == nil {
		t.Error("a folder")
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(goodIndex))
	f.Add([]byte(`{"weight_map":{"b":"b.safetensors"}}`))
	dir := shards(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := openIndex(t, dir, string(b))
		if err != nil {
			return
		}
		defer x.Close()
		for _, shard := range x.shards.Files {
			if filepath.Dir(filepath.Join(dir, shard)) != dir {
				t.Fatalf("a file outside of the folder: %q", shard)
			}
		}
		for _, e := range x.Entries() {
			if _, err := x.Tensor(e.Name); err != nil {
				t.Fatal(err)
			}
		}
	})
}
