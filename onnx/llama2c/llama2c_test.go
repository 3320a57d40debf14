package llama2c

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx/limits"
)

// file is one whose numbers count up from 0.
func file(header ...int32) []byte {
	b := make([]byte, 0, headerBytes)
	for _, v := range header {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	h, err := parse(b)
	if err != nil {
		return b
	}
	for i := 0; int64(len(b)) < min(h.size(), 1<<16); i++ {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i)))
	}
	return b
}

func open(b []byte) (*File, error) { return NewFile(bytes.NewReader(b), int64(len(b)), "x.bin") }

func TestTensors(t *testing.T) {
	f, err := open(file(8, 6, 2, 2, 1, -5, 3))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Entries()) != 1+2*9+2 || !f.OwnClassifier {
		t.Fatalf("%d tensors", len(f.Entries()))
	}
	first := func(name string, rows int) (list []float32) {
		w, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		step := len(w.Float32s()) / rows
		for i := range rows {
			list = append(list, w.Float32s()[i*step])
		}
		return list
	}
	// embedding 40, norms 2*8, q 2*64, k and v 2*32 each, o 2*64, norms 2*8, gate, down and up 2*48 each, norm 8, tables 3*4.
	for _, c := range []struct {
		name string
		want []float32
	}{
		{"model.embed_tokens.weight", []float32{0, 8, 16, 24, 32}},
		{"model.layers.1.input_layernorm.weight", []float32{48}},
		{"model.layers.0.self_attn.q_proj.weight", []float32{56, 72, 64, 80, 88, 104, 96, 112}},
		{"model.layers.1.self_attn.k_proj.weight", []float32{56 + 128 + 32, 56 + 128 + 48, 56 + 128 + 40, 56 + 128 + 56}},
		{"model.layers.0.self_attn.v_proj.weight", []float32{248, 256, 264, 272}},
		{"model.layers.0.mlp.down_proj.weight", []float32{248 + 64 + 128 + 16 + 96}},
		{"model.norm.weight", []float32{248 + 64 + 128 + 16 + 3*96}},
		{"lm_head.weight", []float32{744 + 8 + 12}},
	} {
		if got := first(c.name, len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if _, err := f.Tensor("lm"); err == nil {
		t.Error("a tensor that is not there")
	}
}

// TestHostile: every number of the header too small, too large or at odds with the rest, and files of another size.
func TestHostile(t *testing.T) {
	good := []int32{8, 6, 2, 2, 1, 5, 3}
	whole := file(good...)
	cases := map[string][]byte{"empty": nil, "short": whole[:27], "truncated": whole[:len(whole)-1], "longer": append(slices.Clone(whole), 0), "header alone": whole[:28]}
	for i := range good {
		for _, v := range []int32{0, -1, math.MaxInt32, math.MinInt32, 1<<20 + 1} {
			if i == 5 && v == -1 {
				continue // one word, with a classifier
			}
			h := slices.Clone(good)
			h[i] = v
			cases[string(rune('a'+i))+" "+string(rune('0'+i))+" "+strings.Repeat("x", int(uint32(v)%7))] = file(h...)
		}
	}
	cases["width for heads"], cases["odd heads"], cases["kv heads"] = file(9, 6, 2, 2, 1, 5, 3), file(6, 6, 2, 2, 1, 5, 3), file(8, 6, 2, 2, 3, 5, 3)
	largest := file(1<<20, 1<<20, 4096, 1, 1, -(1 << 20), 1<<20)
	cases["largest"] = largest[:min(len(largest), 64)]
	for name, b := range cases {
		var refused *limits.InputError
		if _, err := open(b); !errors.As(err, &refused) || !strings.Contains(err.Error(), "llama2.c header") {
			t.Errorf("%s: %v", name, err)
		}
		if Is(b, int64(len(b))) {
			t.Errorf("%s: taken for a file of llama2.c", name)
		}
	}
	if !Is(whole[:headerBytes], int64(len(whole))) {
		t.Error("not taken for a file of llama2.c")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(file(8, 6, 2, 2, 1, 5, 3))
	f.Add(file(2, 1, 1, 1, 1, -1, 1))
	f.Add(file(4, 1, 1, 2, 2, 3, 1)[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := open(b)
		if err != nil {
			return
		}
		for _, e := range file.Entries() {
			if w, err := file.Tensor(e.Name); err != nil || w.Check() != nil || e.Offset+e.bytes() > int64(len(b)) {
				t.Fatalf("%s: %v", e.Name, err)
			}
		}
	})
}
