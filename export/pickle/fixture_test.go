package pickle

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nlpodyssey/gopickle/pytorch"

	"graft/onnx"
	"graft/training/dataset"
)

// PyTorch wrote the files in testdata, and NumPy the dense values beside them.
func TestFixtures(t *testing.T) {
	for name, format := range map[string]string{"state.pt": "torch zip", "state_legacy.pt": "torch legacy", "state_protocol5.pt": "torch zip",
		"checkpoint.pt": "torch zip", "tensor.pkl": "pickle"} {
		f, err := ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := f.Tensors()
		if err != nil {
			t.Error(err)
			continue
		}
		want, err := dataset.ReadTensors(filepath.Join("testdata", strings.TrimSuffix(name, filepath.Ext(name))+".npz"))
		if err != nil {
			t.Fatal(err)
		}
		if f.Format != format || len(got) != len(want) {
			t.Errorf("%s: %s of %d tensors, want %s of %d", name, f.Format, len(got), format, len(want))
			continue
		}
		for i, x := range got {
			y := want[i]
			if err := x.Check(); err != nil || x.Name != y.Name || !slices.Equal(x.Dims, y.Dims) || !bytes.Equal(x.Data, y.Data) {
				t.Errorf("%s: %q %v %v %x, want %q %v %x", name, x.Name, x.DType, x.Dims, x.Data, y.Name, y.Dims, y.Data)
			}
		}
	}
}

func TestStateTypes(t *testing.T) {
	f, err := ReadFile("testdata/state.pt")
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, x := range list {
		// Most of the types' names are those of the standard.
		if d, ok := onnx.ParseDataType(strings.Replace(x.Name, "float8_", "float8", 1)); ok {
			checked++
			if x.DType != d {
				t.Errorf("%s is of %v", x.Name, x.DType)
			}
		}
	}
	if checked != 13 {
		t.Errorf("%d types", checked)
	}
}

func TestCheckpointValues(t *testing.T) {
	f, err := ReadFile("testdata/checkpoint.pt")
	if err != nil {
		t.Fatal(err)
	}
	root := f.Root.(*Dict)
	for key, want := range map[string]any{"epoch": int64(3), "lr": 1e-3, "done": false, "note": nil, "name": "größe", "dtype": onnx.Float16} {
		if got, ok := root.Get(key); !ok || got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	seed, _ := root.Get("seed")
	if want := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 63), big.NewInt(5)); seed.(*big.Int).Cmp(want) != 0 {
		t.Errorf("seed is %v", seed)
	}
	if shape, _ := root.Get("shape"); fmt.Sprint(shape) != "[2 3]" {
		t.Errorf("shape is %v", shape)
	}
	if _, ok := root.Get("missing"); ok {
		t.Error("a missing key is found")
	}
}

func TestFixturesRefused(t *testing.T) {
	for name, want := range map[string]string{"script.pt": "TorchScript", "module.pt": `global "torch.nn.modules.linear.Linear" is not allowed`} {
		_, err := ReadFile(filepath.Join("testdata", name))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "testdata/"+name) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// The independent reader's own files, which PyTorch 1.7 wrote in both forms and five protocols, are read alike.
func TestOracle(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/nlpodyssey/gopickle").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "pytorch", "testdata", "*.pt"))
	if err != nil || len(files) != 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		f, err := ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		x := f.Root.(*onnx.Tensor)
		theirs, err := pytorch.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		y := theirs.(*pytorch.Tensor)
		name := strings.Split(filepath.Base(path), "_")[1]
		if d, ok := onnx.ParseDataType(name); !ok || x.DType != d || len(x.Dims) != 1 || x.Dims[0] != int64(y.Size[0]) {
			t.Errorf("%s: %v %v", filepath.Base(path), x.DType, x.Dims)
			continue
		}
		var want any
		var got any
		switch s := y.Source.(type) {
		case *pytorch.FloatStorage:
			want, got = s.Data, x.Float32s()
		case *pytorch.DoubleStorage:
			want, got = s.Data, onnx.View[float64](x)
		case *pytorch.CharStorage:
			want, got = s.Data, onnx.View[int8](x)
		case *pytorch.ShortStorage:
			want, got = s.Data, onnx.View[int16](x)
		case *pytorch.IntStorage:
			want, got = s.Data, onnx.View[int32](x)
		case *pytorch.LongStorage:
			want, got = s.Data, x.Int64s()
		case *pytorch.ByteStorage:
			want, got = s.Data, onnx.View[uint8](x)
		case *pytorch.BoolStorage:
			want, got = s.Data, onnx.View[bool](x)
		case *pytorch.BFloat16Storage: // widened by the other reader
			want, got = s.Data, make([]float32, 4)
			for i, b := range onnx.View[uint16](x) {
				got.([]float32)[i] = bfloat16(b)
			}
		case *pytorch.HalfStorage:
			continue // likewise, and its bits are compared through the fixtures
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", filepath.Base(path), got, want)
		}
	}
}

func bfloat16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// FuzzRead holds the machine to its promise: a value or a refusal, never a panic, and every tensor is whole.
func FuzzRead(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.p*")
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil || strings.HasSuffix(path, ".py") {
			continue
		}
		f.Add(b)
	}
	f.Add(legacyForm(strings.ReplaceAll(tensorOp(storageOp("FloatStorage", "0", 2), 0, []int64{2}, []int64{1}), "tQ", "NtQ"), []string{"0"}, le64(2)+string(data(8))))
	f.Add([]byte("(lp0\nI1\naI01\naF1.5\naS'a\\'\\x41'\naVb\\u00e9\na(I2\nL3L\ntp2\naNa(dp3\nS'k'\nI4\nsa."))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := read(b)
		if err != nil {
			return
		}
		list, err := file.Tensors()
		if err != nil {
			return
		}
		for _, x := range list {
			if err := x.Check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
