package safetensors

import (
	"bytes"
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	oracle "github.com/nlpodyssey/safetensors"
	"pgregory.net/rapid"

	"graft/onnx"
)

func named(name string, t *onnx.Tensor) *onnx.Tensor {
	t.Name = name
	return t
}

// drawFile draws tensors of every element type and metadata.
func drawFile(t *rapid.T) ([]*onnx.Tensor, map[string]string) {
	keys := slices.DeleteFunc(slices.Sorted(maps.Keys(dtypes)), func(s string) bool { return s == "F4" })
	list := []*onnx.Tensor{}
	seen := map[string]bool{"__metadata__": true}
	for range rapid.IntRange(0, 6).Draw(t, "tensors") {
		name := rapid.StringMatching(`[a-zA-Zäß漢"\\<&./_0-9]{0,12}`).Draw(t, "name")
		if seen[name] {
			continue
		}
		seen[name] = true
		dims := rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 4).Draw(t, "dims")
		x := named(name, onnx.NewTensor(dtypes[rapid.SampledFrom(keys).Draw(t, "dtype")], dims...))
		copy(x.Data, rapid.SliceOfN(rapid.Byte(), len(x.Data), len(x.Data)).Draw(t, "data"))
		if x.DType == onnx.Bool {
			for i := range x.Data {
				x.Data[i] &= 1
			}
		}
		list = append(list, x)
	}
	var meta map[string]string
	if m := rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "metadata"); len(m) > 0 {
		meta = m
	}
	return list, meta
}

func equal(t interface{ Fatalf(string, ...any) }, got, want *onnx.Tensor) {
	if got.Name != want.Name || got.DType != want.DType || !slices.Equal(got.Dims, want.Dims) || !bytes.Equal(got.Data, want.Data) {
		t.Fatalf("got %q %v %v %x, want %q %v %v %x", got.Name, got.DType, got.Dims, got.Data, want.Name, want.DType, want.Dims, want.Data)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, meta := drawFile(t)
		b, err := Encode(list, meta)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Encode(list, maps.Clone(meta))
		if !bytes.Equal(b, again) {
			t.Fatal("two encodings differ")
		}
		if n := binary.LittleEndian.Uint64(b); n%8 != 0 {
			t.Fatalf("header of %d bytes", n)
		}
		got, gotMeta, err := Decode(b, "x")
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(list) || !maps.Equal(gotMeta, meta) {
			t.Fatalf("%d tensors, metadata %v", len(got), gotMeta)
		}
		f, err := NewFile(bytes.NewReader(b), int64(len(b)), "x")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range list {
			x, err := f.Tensor(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, x, want)
		}
	})
}

// The independent implementation reads what Write writes, and the other way round, for the element types that it knows.
func TestOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, meta := drawFile(t)
		list = slices.DeleteFunc(list, func(x *onnx.Tensor) bool {
			_, err := oracle.ParseDType(names[x.DType])
			return err != nil
		})
		b, err := Encode(list, meta)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := oracle.Deserialize(b)
		if err != nil {
			t.Fatal(err)
		}
		views := map[string]oracle.TensorView{}
		for _, want := range list {
			v, ok := theirs.Tensor(want.Name)
			if !ok || v.DType().String() != names[want.DType] || !bytes.Equal(v.Data(), want.Data) || len(v.Shape()) != len(want.Dims) {
				t.Fatalf("the oracle reads %q otherwise", want.Name)
			}
			views[want.Name] = v
		}
		b, err = oracle.Serialize(views, meta)
		if err != nil {
			t.Fatal(err)
		}
		f, err := NewFile(bytes.NewReader(b), int64(len(b)), "x")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range list {
			x, err := f.Tensor(want.Name)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, x, want)
		}
	})
}

func TestWriteRefuses(t *testing.T) {
	w := named("w", onnx.NewTensor(onnx.Float, 2))
	short := named("s", onnx.NewTensor(onnx.Float, 2))
	short.Data = short.Data[:4]
	for want, list := range map[string][]*onnx.Tensor{
		`tensor "w" twice`:          {w, w},
		"4 bytes of data":           {short},
		"no element type":           {named("c", onnx.NewTensor(onnx.Complex128, 1))},
		"string":                    {named("c", onnx.NewTensor(onnx.String, 1))},
		`"__metadata__" is not`:     {named("__metadata__", onnx.NewTensor(onnx.Float, 2))},
		`"a\nb" is not`:             {named("a\nb", onnx.NewTensor(onnx.Float, 2))},
		`"\xff" is not`:             {named("\xff", onnx.NewTensor(onnx.Float, 2))},
		"does not end on a byte":    {named("f", onnx.NewTensor(onnx.Float4E2M1, 3))},
		"shape [-1] does not end":   {{Name: "n", DType: onnx.Float, Dims: []int64{-1}}},
		`tensor "s": 4 bytes of da`: {w, short},
	} {
		var b bytes.Buffer
		if err := Write(&b, list, nil); err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("%v, %d bytes written; want %q", err, b.Len(), want)
		}
	}
}

func TestSortAlignsEveryTensor(t *testing.T) {
	list := []*onnx.Tensor{named("b", onnx.NewTensor(onnx.Uint8, 3)), named("z", onnx.NewTensor(onnx.Float16, 1)),
		named("a", onnx.NewTensor(onnx.Int64, 1)), named("f", onnx.NewTensor(onnx.Float, 3)), named("e", onnx.NewTensor(onnx.Float, 1))}
	Sort(list)
	b, err := Encode(list, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFile(bytes.NewReader(b), int64(len(b)), "x")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.Names(), ""); got != "aefzb" {
		t.Fatal(got)
	}
	for _, e := range f.Entries() {
		if (f.data+e.Begin)%int64(e.DType.Bits()/8) != 0 {
			t.Errorf("%s begins at %d", e.Name, f.data+e.Begin)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(dir); err == nil {
		t.Fatal("a folder opens")
	}
	path := filepath.Join(dir, "w.safetensors")
	b, _ := Encode([]*onnx.Tensor{named("w", onnx.FromSlice([]float32{1, 2}))}, map[string]string{"k": "v"})
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	list, meta, err := ReadFile(path)
	if err != nil || len(list) != 1 || list[0].Float32s()[1] != 2 || meta["k"] != "v" {
		t.Fatal(list, meta, err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Tensor("v"); err == nil || err.Error() != path+`: no tensor "v"` {
		t.Fatal(err)
	}
}

func FuzzDecode(f *testing.F) {
	b, _ := Encode([]*onnx.Tensor{named("w", onnx.FromSlice([]float32{1, 2})), named("b", onnx.NewTensor(onnx.Bool, 3))}, map[string]string{"k": "v"})
	f.Add(b)
	f.Add(two("[0,4]", "[4,8]", 8))
	f.Add(one(`"dtype":"F4","shape":[3,2],"data_offsets":[0,3]`, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, meta, err := Decode(b, "x")
		if err != nil {
			return
		}
		again, err := Encode(list, meta)
		if err != nil {
			t.Fatalf("read but cannot be written: %v", err)
		}
		got, _, err := Decode(again, "x")
		if err != nil || len(got) != len(list) {
			t.Fatalf("%v", err)
		}
		for i := range got {
			equal(t, got[i], list[i])
		}
		if _, err := oracle.Deserialize(b); err != nil && onlyOracleTypes(list) {
			t.Fatalf("accepted here, refused by the oracle: %v", err)
		}
	})
}

func onlyOracleTypes(list []*onnx.Tensor) bool {
	return !slices.ContainsFunc(list, func(x *onnx.Tensor) bool {
		_, err := oracle.ParseDType(names[x.DType])
		return err != nil
	})
}
