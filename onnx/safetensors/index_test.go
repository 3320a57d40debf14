package safetensors

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/safetensors/safetensorstest"
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

const goodIndex = safetensorstest.GoodIndex

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
	cases := append(safetensorstest.Indexes(),
		limitstest.Case{ID: "S15", What: "absolute, there", Bytes: []byte(`{"weight_map":{"a":"` + filepath.ToSlash(outside) + `"}}`), Want: "beside the index"},
		limitstest.Case{ID: "S15", What: "no map", Bytes: []byte(`{}`), Want: "no weight_map"},
		limitstest.Case{ID: "S15", What: "list", Bytes: []byte(`[]`), Want: "expected"},
		limitstest.Case{ID: "S15", What: "empty", Bytes: nil, Want: "JSON ends"},
		limitstest.Case{ID: "S15", What: "total size twice", Bytes: []byte(`{"metadata":{"total_size":1,"total_size":16},"weight_map":{"a":"a.safetensors"}}`), Want: "twice"})
	for _, c := range cases {
		t.Run(c.Name(), func(t *testing.T) {
			x, err := openIndex(t, dir, string(c.Bytes))
			if err == nil {
				x.Close()
			}
			if c.What == "missing" { // the system says so
				if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), c.Want) {
					t.Error(err)
				}
				return
			}
			limitstest.Refused(t, err, filepath.Join(dir, "model.safetensors.index.json"), c.Want)
		})
	}
	if _, err := OpenIndex(dir); err == nil {
		t.Error("a folder")
	}
}

// What an index may ask for is bounded: bytes, tensors and files.
func TestHostileS15Bounds(t *testing.T) {
	dir := shards(t)
	path := filepath.Join(dir, "large.index.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(maxIndex+1), f.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = OpenIndex(path)
	limitstest.Refused(t, err, path, "100000001 bytes, at most 100000000")
	many := func(n int, shard string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":"%s"`, i, strings.ReplaceAll(shard, "#", strconv.Itoa(i)))
		}
		return `{"weight_map":{` + b.String()[1:] + "}}"
	}
	_, err = openIndex(t, dir, many(maxCount+1, "a.safetensors"))
	limitstest.Refused(t, err, filepath.Join(dir, "model.safetensors.index.json"), "more than 250000 tensors")
	_, err = openIndex(t, dir, many(maxShards+1, "#.safetensors"))
	limitstest.Refused(t, err, filepath.Join(dir, "model.safetensors.index.json"), "more than 1024 files")
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
