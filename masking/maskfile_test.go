package masking

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

func TestMaskFileRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9/.]{1,8}`), 1, 5, rapid.ID).Draw(t, "names")
		s := &Set{}
		var flat []bool
		var dims [][]int64
		for _, name := range names {
			d := rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 3).Draw(t, "dims")
			n, _ := onnx.ElementCount(d)
			keep := rapid.SliceOfN(rapid.Bool(), int(n), int(n)).Draw(t, "keep")
			if err := s.Add(&Mask{name, d, keep}); err != nil {
				t.Fatal(err)
			}
			flat, dims = append(flat, keep...), append(dims, d)
		}
		path := filepath.Join(dir, "mask.safetensors")
		meta := map[string]string{"seed": "7"}
		if err := s.WriteFile(path, meta); err != nil {
			t.Fatal(err)
		}
		first, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.WriteFile(path, maps.Clone(meta)); err != nil {
			t.Fatal(err)
		}
		if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
			t.Fatal("two files of one set differ")
		}
		got, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// Empty tensors share their place with a neighbour, so the file's order is only that of the places.
		joined, err := got.Flat(names)
		if err != nil || !slices.Equal(joined, flat) || got.Total() != s.Total() || got.Kept() != s.Kept() {
			t.Fatalf("%v: %v, want %v", err, joined, flat)
		}
		cut, err := FromFlat(names, dims, flat)
		if err != nil || !slices.Equal(cut.Names(), names) {
			t.Fatal(err)
		}
		for _, m := range cut.Masks() {
			if want := s.Get(m.Name); !slices.Equal(m.Keep, want.Keep) || !slices.Equal(m.Dims, want.Dims) || m.Kept() != want.Kept() {
				t.Fatalf("%s differs", m.Name)
			}
		}
	})
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Fatalf("%d files in the folder", len(list))
	}
}

func TestMaskOfAnotherNetwork(t *testing.T) {
	names, dims := []string{"a", "b"}, [][]int64{{2, 2}, {3}}
	_, err := FromFlat(names, dims, make([]bool, 8))
	if err == nil || err.Error() != "mask has 8 values, the network has 7: it belongs to another network" {
		t.Fatal(err)
	}
	s, err := FromFlat(names, dims, make([]bool, 7))
	if err != nil {
		t.Fatal(err)
	}
	for want, order := range map[string][]string{
		`no mask for parameter "c"`: {"a", "c"}, `mask "b" belongs to no parameter`: {"a"}, `parameter "a" twice`: {"a", "a", "b"},
	} {
		if _, err := s.Flat(order); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := FromFlat([]string{"a", "a"}, dims, make([]bool, 7)); err == nil {
		t.Error("two parameters of one name are accepted")
	}
	if _, err := FromFlat(names, [][]int64{{1 << 62}, {1 << 62}}, nil); err == nil {
		t.Error("an overflowing total is accepted")
	}
}

func TestMaskFileRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mask.safetensors")
	two := onnx.FromSlice([]uint8{0, 1, 2})
	two.Name = "conv/w"
	float := onnx.FromSlice([]float32{0, 1})
	float.Name = "conv/w"
	for want, list := range map[string][]*onnx.Tensor{
		`mask "conv/w": element 2 is 2, neither 0 nor 1`: {two}, `mask "conv/w": is of float`: {float}, "holds no tensor": nil,
	} {
		b, err := safetensors.Encode(list, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = ReadFile(path)
		var in *limits.InputError
		if !errors.As(err, &in) || in.ExitCode() != 3 || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	bytesMask := onnx.FromSlice([]uint8{0, 1, 1})
	bytesMask.Name = "w"
	b, _ := safetensors.Encode([]*onnx.Tensor{bytesMask}, nil)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadFile(path); err != nil || s.Kept() != 2 || s.Total() != 3 {
		t.Fatal(err)
	}
}

func TestMaskFileLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	s := &Set{}
	if err := s.Add(&Mask{"bad\x00name", []int64{1}, []bool{true}}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "mask.safetensors")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteFile(path, nil); err == nil {
		t.Fatal("a name with a NUL is written")
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Fatal("the old file is gone")
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Fatalf("%d files in the folder", len(list))
	}
}

// FuzzReadFile holds that a mask file that is read is written and read again as the same masks.
func FuzzReadFile(f *testing.F) {
	f.Add([]byte("\x3f\x00\x00\x00\x00\x00\x00\x00" + `{"w":{"dtype":"BOOL","shape":[2,1],"data_offsets":[0,2]}}       ` + "\x00\x01"))
	f.Add([]byte("\x3f\x00\x00\x00\x00\x00\x00\x00" + `{"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}           ` + "\x01\x01"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "m.safetensors")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := ReadFile(path)
		if err != nil {
			return
		}
		if err := s.WriteFile(path, nil); err != nil {
			t.Fatal(err)
		}
		again, err := ReadFile(path)
		if err != nil || len(again.masks) != len(s.masks) {
			t.Fatal(err)
		}
		for i, m := range s.masks {
			if again.masks[i].Name != m.Name || !slices.Equal(again.masks[i].Keep, m.Keep) {
				t.Fatalf("%s differs", m.Name)
			}
		}
	})
}
