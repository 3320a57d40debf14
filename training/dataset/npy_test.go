package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio"
	"pgregory.net/rapid"

	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/safetensors"
	"graft/onnx/strictzip/ziptest"
	"graft/training/dataset/datasettest"
)

// The makers of the tests' arrays.
var (
	npyFile = datasettest.NpyFile
	npyOf   = datasettest.NpyOf
)

func decodeNpy(b []byte) (*onnx.Tensor, error) {
	return ReadNpy(bytes.NewReader(b), int64(len(b)), "x.npy")
}

func refusedNpy(t *testing.T, b []byte, want string) {
	t.Helper()
	_, err := decodeNpy(b)
	limitstest.Refused(t, err, "x.npy", want)
}

// The same files that verbs are tested with.
func TestHostileNpyFiles(t *testing.T) {
	for _, c := range datasettest.HostileNpy() {
		t.Run(c.Name(), func(t *testing.T) { refusedNpy(t, c.Bytes, c.Want) })
	}
	for _, c := range datasettest.HostileNpz() {
		t.Run(c.Name(), func(t *testing.T) {
			_, err := decodeNpz(c.Bytes)
			limitstest.Refused(t, err, "x.npz", c.Want)
		})
	}
}

func TestHostileN01HugeShape(t *testing.T) {
	refusedNpy(t, npyOf("'<f4'", "(1152921504606846976,)", nil), "overflows")
	refusedNpy(t, npyOf("'<f4'", "(1099511627776,)", nil), "takes 4398046511104 bytes, 0 are there")
	refusedNpy(t, npyOf("'<f4'", "(4611686018427387904,)", nil), "overflows")
	refusedNpy(t, npyOf("'<f4'", "(4294967296, 4294967296)", nil), "overflows")
	refusedNpy(t, npyOf("'<f4'", "(0, 4294967296, 4294967296)", nil), "overflows")
	refusedNpy(t, npyOf("'<f4'", "(99999999999999999999,)", nil), "above 2^63")
}

func TestHostileN02Shapes(t *testing.T) {
	for _, shape := range []string{"(-1,)", "(1.0,)", "((1,),)", "(1)", "1", "[1]", "(1,,)", "(,)", "(1 1)", "(01,)", "(1e1,)", "(+1,)", "(True,)", "(None,)", "(1,", "(0x1,)", "('1',)"} {
		refusedNpy(t, npyOf("'|u1'", shape, []byte{0}), "npy header")
	}
	refusedNpy(t, npyOf("'|u1'", "("+strings.Repeat("1,", 65)+")", []byte{0}), "more than 64")
}

func TestHostileN03HeaderLength(t *testing.T) {
	for _, version := range []string{"\x02", "\x03"} {
		refusedNpy(t, []byte("\x93NUMPY"+version+"\x00\xff\xff\xff\xff{}"), "4294967295 bytes declared, at most 65536")
		refusedNpy(t, []byte("\x93NUMPY"+version+"\x00\x00\x01\x00\x00{}"), "256 bytes declared at byte 12, 2 left")
	}
	refusedNpy(t, []byte("\x93NUMPY\x01\x00\xff\xff{}"), "65535 bytes declared at byte 10")
	refusedNpy(t, []byte("\x93NUMPY\x04\x00\x00\x00"), "no .npy file of version 1 to 3")
	refusedNpy(t, []byte("\x93NUMPY\x01\x01\x00\x00"), "no .npy file")
	refusedNpy(t, nil, "8 bytes declared")
}

func TestHostileN04Types(t *testing.T) {
	for descr, want := range map[string]string{
		"'|O'": "pickled code", "'|O8'": "pickled code", "'|V8'": "raw bytes", "'<U4'": "is text", "'|S4'": "is text", "'<M8[ns]'": "time", "'<m8'": "time",
		"[('a', '<f4')]": "structured", "('<f4', (2,))": "structured", "'<f16'": "not known", "''": "not known", "'f4'": "not known", "'=f4'": "not known",
		"'|f4'": "not known", "'<f'": "not known", "'<'": "not known", "None": "no string", "'\\x3cf4'": "escape", "'<i3'": "not known",
	} {
		refusedNpy(t, npyOf(descr, "(1,)", make([]byte, 4)), want)
	}
	big := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, math.Float32bits(1.5)), math.Float32bits(-2))
	x, err := decodeNpy(npyOf("'>f4'", "(2,)", big))
	if err != nil || !slices.Equal(x.Float32s(), []float32{1.5, -2}) {
		t.Fatal(x, err)
	}
	refusedNpy(t, npyOf("'|b1'", "(2,)", []byte{1, 2}), "neither 0 nor 1")
}

func TestHostileN05HeaderText(t *testing.T) {
	for _, header := range []string{
		"", "{", "{}", "[]", "{'descr': '<f4'}", "__import__('os').system('x')", "{'descr': eval('x'), 'fortran_order': False, 'shape': ()}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': tuple(i for i in range(3))}", "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'x': 1}", "{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': ()}",
		"{'descr': '<f4', 'fortran_order': False, 'shape': ()} + {}", "{'descr': '<f4' 'fortran_order': False, 'shape': ()}", "{'descr': '<f4", "{'descr'",
		"{'descr': '<f4', 'fortran_order': False, 'shape': ()}\x00", "{'\x1b[2J': 1}", "{b'descr': '<f4'}", strings.Repeat("(", 10_000), "{'descr': " + strings.Repeat("(", 10_000),
		"{'shape': " + strings.Repeat("(", 10_000), strings.Repeat("{", 10_000),
	} {
		refusedNpy(t, npyFile(header, make([]byte, 4)), "npy header")
	}
}

func TestHostileN06Fortran(t *testing.T) {
	fortran := func(shape string, data []byte) []byte {
		return npyFile("{'descr': '|u1', 'fortran_order': True, 'shape': "+shape+", }\n", data)
	}
	x, err := decodeNpy(fortran("(2, 3)", []byte{1, 4, 2, 5, 3, 6}))
	if err != nil || !slices.Equal(x.Data, []byte{1, 2, 3, 4, 5, 6}) {
		t.Fatal(x, err)
	}
	refusedNpy(t, fortran("(2, 3)", make([]byte, 5)), "takes 6 bytes, 5 are there")
	refusedNpy(t, fortran("(2, 3)", make([]byte, 7)), "takes 6 bytes, 7 are there")
	if x, err := decodeNpy(fortran("(0, 3)", nil)); err != nil || x.Len() != 0 {
		t.Fatal(err)
	}
}

func TestHostileN07Truncated(t *testing.T) {
	var b bytes.Buffer
	if err := WriteNpy(&b, onnx.FromSlice([]float32{1, 2, 3})); err != nil {
		t.Fatal(err)
	}
	for n := range b.Len() {
		refusedNpy(t, b.Bytes()[:n], "")
	}
	refusedNpy(t, append(b.Bytes(), 0), "13 are there")
}

func decodeNpz(b []byte) ([]*onnx.Tensor, error) {
	return ReadNpz(bytes.NewReader(b), int64(len(b)), "x.npz")
}

func TestHostileN10Size(t *testing.T) {
	for _, n := range []int{0, 7, 9, 16} {
		refusedNpy(t, npyOf("'<f4'", "(2,)", make([]byte, n)), "takes 8 bytes")
	}
	refusedNpy(t, npyOf("'<f4'", "()", nil), "takes 4 bytes")
}

// drawTensor draws a tensor of a type that NumPy has.
func drawTensor(t *rapid.T) *onnx.Tensor {
	types := []onnx.DataType{onnx.Float, onnx.Double, onnx.Float16, onnx.Bool, onnx.Int8, onnx.Int16, onnx.Int32, onnx.Int64, onnx.Uint8, onnx.Uint16, onnx.Uint32, onnx.Uint64, onnx.Complex64, onnx.Complex128}
	x := onnx.NewTensor(rapid.SampledFrom(types).Draw(t, "type"), rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 4).Draw(t, "dims")...)
	copy(x.Data, rapid.SliceOfN(rapid.Byte(), len(x.Data), len(x.Data)).Draw(t, "data"))
	if x.DType == onnx.Bool {
		for i := range x.Data {
			x.Data[i] &= 1
		}
	}
	return x
}

func sameTensor(a, b *onnx.Tensor) bool {
	return a.DType == b.DType && slices.Equal(a.Dims, b.Dims) && bytes.Equal(a.Data, b.Data)
}

func TestNpyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawTensor(t)
		var b bytes.Buffer
		if err := WriteNpy(&b, x); err != nil {
			t.Fatal(err)
		}
		if (b.Len()-len(x.Data))%64 != 0 {
			t.Fatalf("data begin at byte %d", b.Len()-len(x.Data))
		}
		y, err := decodeNpy(b.Bytes())
		if err != nil || !sameTensor(x, y) {
			t.Fatal(y, err)
		}
		for _, version := range []byte{2, 3} {
			wide := append([]byte("\x93NUMPY"), version, 0)
			wide = binary.LittleEndian.AppendUint32(wide, uint32(binary.LittleEndian.Uint16(b.Bytes()[8:])))
			if y, err := decodeNpy(append(wide, b.Bytes()[10:]...)); err != nil || !sameTensor(x, y) {
				t.Fatal(y, err)
			}
		}
	})
}

// The independent implementation reads what WriteNpy writes, and the other way round.
func TestNpyOracle(t *testing.T) {
	want := []float64{1, -2.5, math.Pi, 0, math.Inf(1), 6}
	var b bytes.Buffer
	if err := WriteNpy(&b, onnx.FromSlice(want, 2, 3)); err != nil {
		t.Fatal(err)
	}
	r, err := npyio.NewReader(bytes.NewReader(b.Bytes()))
	if err != nil || !slices.Equal(r.Header.Descr.Shape, []int{2, 3}) {
		t.Fatal(err)
	}
	var got []float64
	if err := r.Read(&got); err != nil || !slices.Equal(got, want) {
		t.Fatal(got, err)
	}
	b.Reset()
	if err := npyio.Write(&b, []int32{1, -2, 3}); err != nil {
		t.Fatal(err)
	}
	x, err := decodeNpy(b.Bytes())
	if err != nil || !slices.Equal(onnx.View[int32](x), []int32{1, -2, 3}) {
		t.Fatal(x, err)
	}
}

func TestNpzRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []*onnx.Tensor
		for _, name := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9_:]{1,6}(/[a-z.]{3,5})?`), 0, 4, rapid.ID).Draw(t, "names") {
			x := drawTensor(t)
			if x.Name = name; strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
				continue
			}
			list = append(list, x)
		}
		var b, again bytes.Buffer
		if err := WriteNpz(&b, list); err != nil {
			t.Fatal(err)
		}
		if WriteNpz(&again, list); !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Fatal("two archives of the same tensors differ")
		}
		got, err := decodeNpz(b.Bytes())
		if err != nil || len(got) != len(list) {
			t.Fatal(err)
		}
		for i := range got {
			if got[i].Name != list[i].Name || !sameTensor(got[i], list[i]) {
				t.Fatalf("%q differs", got[i].Name)
			}
		}
	})
}

func TestWriteNpyRefuses(t *testing.T) {
	for _, x := range []*onnx.Tensor{onnx.NewTensor(onnx.BFloat16, 2), onnx.NewTensor(onnx.String, 2), {DType: onnx.Float, Dims: []int64{2}}, onnx.NewTensor(onnx.Float, make([]int64, 65)...)} {
		var b bytes.Buffer
		if err := WriteNpy(&b, x); err == nil || b.Len() > 0 {
			t.Errorf("%v of %v: %v", x.DType, x.Dims, err)
		}
	}
	x := onnx.NewTensor(onnx.Float, 1)
	for _, name := range []string{"", "../x", "/x", "a//b"} {
		if x.Name = name; name != "" && WriteNpz(&bytes.Buffer{}, []*onnx.Tensor{x}) == nil {
			t.Errorf("name %q is written", name)
		}
	}
	if WriteNpz(&bytes.Buffer{}, []*onnx.Tensor{x, x}) == nil {
		t.Error("a name is written twice")
	}
}

func TestReadTensors(t *testing.T) {
	x := onnx.FromSlice([]float32{1, 2})
	x.Name = "w"
	var npy, npz bytes.Buffer
	if err := errors.Join(WriteNpy(&npy, x), WriteNpz(&npz, []*onnx.Tensor{x})); err != nil {
		t.Fatal(err)
	}
	st, err := safetensors.Encode([]*onnx.Tensor{x}, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "tensor.dat") // the name says nothing
	for kind, b := range map[string][]byte{"npy": npy.Bytes(), "npz": npz.Bytes(), "safetensors": st} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		y, err := ReadTensor(path)
		if err != nil || !sameTensor(x, y) || (y.Name == "w") != (kind != "npy") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, junk := range []string{"", "{", "hello world", "\x02\x00\x00\x00\x00\x00\x00\x00[]", "\x89PNG\r\n\x1a\n0"} {
		if err := os.WriteFile(path, []byte(junk), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadTensor(path)
		limitstest.Refused(t, err, path, "is no .npy, .npz or safetensors file")
	}
}

func FuzzNpy(f *testing.F) {
	f.Add(npyOf("'<f4'", "(2,)", make([]byte, 8)))
	f.Add(npyOf("'>c8'", "(1, 1)", make([]byte, 8)))
	f.Add(npyFile("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n", make([]byte, 6)))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := decodeNpy(b)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteNpy(&out, x); err != nil {
			t.Fatal(err)
		}
		if y, err := decodeNpy(out.Bytes()); err != nil || !sameTensor(x, y) {
			t.Fatal(err)
		}
	})
}

// NumPy wrote the two archives.
func TestNumPyArchives(t *testing.T) {
	want := map[string]*onnx.Tensor{
		"zeros": onnx.NewTensor(onnx.Float, 100, 100), "fortran": onnx.FromSlice([]int64{0, 1, 2, 3, 4, 5}, 2, 3), "big": onnx.FromSlice([]int32{0, 1, 2}),
		"scalar": onnx.Scalar(2.5), "empty": onnx.NewTensor(onnx.Uint8, 0, 3), "folder/bool": onnx.FromSlice([]bool{true, false}),
		"complex": {DType: onnx.Complex64, Dims: []int64{1}, Data: onnx.FromSlice([]float32{1, 2}).Data},
	}
	for _, name := range []string{"numpy.npz", "numpy_compressed.npz"} {
		list, err := ReadTensors(filepath.Join("testdata", name))
		if err != nil || len(list) != len(want) {
			t.Errorf("%s: %d arrays, %v", name, len(list), err)
			continue
		}
		for _, x := range list {
			if y := want[x.Name]; y == nil || !sameTensor(x, y) {
				t.Errorf("%s: %s is %v %v %x", name, x.Name, x.DType, x.Dims, x.Data[:min(len(x.Data), 32)])
			}
		}
	}
}

// FuzzNpz holds that an archive that is read is written and read again as the same arrays.
func FuzzNpz(f *testing.F) {
	one := npyOf("'<f4'", "(2,)", make([]byte, 8))
	f.Add(ziptest.Build([]ziptest.File{{Name: "w.npy", Data: one}}))
	f.Add(ziptest.Build([]ziptest.File{{Name: "a/b.npy", Data: one}, {Name: "c.npy", Data: npyOf("'|b1'", "()", []byte{1})}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := decodeNpz(b)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteNpz(&out, list); err != nil {
			t.Fatal(err)
		}
		again, err := decodeNpz(out.Bytes())
		if err != nil || len(again) != len(list) {
			t.Fatalf("%d arrays, %d again: %v", len(list), len(again), err)
		}
		for i := range list {
			if again[i].Name != list[i].Name || !sameTensor(again[i], list[i]) {
				t.Fatalf("%s differs", list[i].Name)
			}
		}
	})
}
