package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/safetensors"
)

// PyTorch's state dicts in several files are what each is by itself; the index and its files must agree.
func TestConvertShards(t *testing.T) {
	w := newWorkshop(t)
	index := map[string]string{}
	want := map[string]*onnx.Tensor{}
	for _, name := range []string{"state.pt", "checkpoint.pt"} {
		data, err := os.ReadFile(filepath.Join("../export/pickle/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		shard := name + ".bin"
		w.must(w.write(shard, data), "--out", w.path(name+".safetensors"))
		for _, x := range w.tensors(w.path(name + ".safetensors")) {
			index[x.Name], want[x.Name] = shard, x
		}
	}
	write := func(index map[string]string) string {
		data, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 7}, "weight_map": index})
		if err != nil {
			t.Fatal(err)
		}
		return w.write("pytorch_model.bin.index.json", data)
	}
	w.must(write(index), "--out", w.path("whole.safetensors"))
	got := w.tensors(w.path("whole.safetensors"))
	if len(got) != len(want) {
		t.Errorf("%d tensors, want %d", len(got), len(want))
	}
	for _, g := range got {
		if x := want[g.Name]; x == nil || !bytes.Equal(g.Data, x.Data) || !slices.Equal(g.Dims, x.Dims) {
			t.Errorf("%s differs", g.Name)
		}
	}
	with := func(name, shard string) string {
		other := maps.Clone(index)
		if other[name] = shard; shard == "" {
			delete(other, name)
		}
		return write(other)
	}
	w.refuses(3, "does not hold tensor \"model.w\"", with("model.w", "state.pt.bin"))
	w.refuses(3, "which the index puts elsewhere or does not have", with("model.w", ""))
	w.refuses(3, "does not hold tensor \"more\"", with("more", "state.pt.bin"))
	w.refuses(3, "none.bin", with("more", "none.bin"))
	w.refuses(3, "names files of safetensors and of PyTorch", with("more", "state.pt.safetensors"))
	for _, shard := range []string{"../state.pt.bin", "/etc/passwd", "a\\b.bin", "state.onnx", ""} {
		if shard != "" {
			w.refuses(3, "beside the index", with("more", shard))
		}
	}
}

// llama2.c's files are known by their size, whatever they are called.
func TestConvertLlama2c(t *testing.T) {
	w := newWorkshop(t)
	var data []byte
	for _, v := range []int32{4, 3, 1, 1, 1, 2, 2} {
		data = binary.LittleEndian.AppendUint32(data, uint32(v))
	}
	for i := range 2*4 + 4 + 4*4*4 + 4 + 3*3*4 + 4 + 2*4 {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(i)))
	}
	w.must(w.write("tiny.bin", data), "--out", w.path("tiny.safetensors"))
	tensors, metadata, err := safetensors.ReadFile(w.path("tiny.safetensors"))
	if err != nil || len(tensors) != 11 || metadata["llama2c.hidden_size"] != "4" || metadata["llama2c.tie_word_embeddings"] != "true" {
		t.Fatalf("%d tensors, %v, %v", len(tensors), metadata, err)
	}
	for _, x := range tensors {
		if x.Name == "model.norm.weight" && !slices.Equal(x.Float32s(), []float32{116, 117, 118, 119}) {
			t.Error(x.Name, x.Float32s())
		}
	}
	w.refuses(3, "tiny.bin", w.write("tiny.bin", data[:len(data)-1]))
}
