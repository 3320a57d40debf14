package packed

import (
	"bytes"
	"encoding/hex"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits/limitstest"
	"graft/onnx/noise"
	"graft/onnx/safetensors"
)

// pruned is an hourglass of which a fraction of the weights is left, by chance.
func pruned(t testing.TB, sparsity float64) *onnx.Model {
	t.Helper()
	m, err := graphs.Hourglass{Channels: []int64{16, 32}, In: 8, Out: 3, Height: 32, Width: 32}.Build(1)
	if err != nil {
		t.Fatal(err)
	}
	score, err := masking.FindScore("random")
	if err != nil {
		t.Fatal(err)
	}
	set, err := masking.Choose(masking.Weights(masking.Parameters(m.Graph), 1), score, masking.Choice{Sparsity: sparsity})
	if err != nil {
		t.Fatal(err)
	}
	if err := masking.Apply(m.Graph, set); err != nil {
		t.Fatal(err)
	}
	return m
}

func packTo(t testing.TB, m *onnx.Model, c Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m, c); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBackTheSame: weights come back to the bit, in a file near what entropy allows.
func TestBackTheSame(t *testing.T) {
	m := pruned(t, 0.95)
	first := m.Graph.Initializers()[0].Const.Clone()
	first.Float32s()[0], first.Float32s()[1] = float32(math.Copysign(0, -1)), float32(math.NaN())
	m.Graph.Initializers()[0].Const = first
	path := packTo(t, m, Config{})
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	bits, total := 0.0, 0
	for _, v := range m.Graph.Initializers() {
		w := got.Graph.Lookup(v.Name)
		if w == nil || !w.IsInitializer() || got.Graph.IsInput(w) || !slices.Equal(w.Const.Dims, v.Const.Dims) || !bytes.Equal(w.Const.Data, v.Const.Data) {
			t.Fatalf("%s came back as %v", v.Name, w)
		}
		total += len(v.Const.Data)
		bits += 32 * float64(len(v.Const.Data)/4) * 0.05
		bits += 0.2864 * float64(len(v.Const.Data)/4) // the entropy of one in twenty
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	const graph = 12_000
	if most := 1.03*bits/8 + graph; float64(info.Size()) > most {
		t.Errorf("%d bytes of %d, want at most %.0f", info.Size(), total, most)
	}
	if !bytes.Equal(encoded(t, got), encoded(t, m)) { // inputs, initializers in their order, and all the rest
		t.Error("the model is another")
	}
}

func encoded(t testing.TB, m *onnx.Model) []byte {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestInt8: values are within half a step of their row's scale, weights of one axis are as they were.
func TestInt8(t *testing.T) {
	m := pruned(t, 0.9)
	got, err := Read(packTo(t, m, Config{Values: onnx.Int8}))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Graph.Initializers() {
		want, is := v.Const.Float32s(), got.Graph.Lookup(v.Name).Const.Float32s()
		if len(v.Const.Dims) < 2 {
			if !slices.Equal(want, is) {
				t.Errorf("%s was rounded", v.Name)
			}
			continue
		}
		row := len(want) / int(v.Const.Dims[0])
		for r := range v.Const.Dims[0] {
			at := int(r) * row
			step := 0.0
			for _, x := range want[at : at+row] {
				step = max(step, math.Abs(float64(x))/127)
			}
			for i := at; i < at+row; i++ {
				if math.Abs(float64(want[i]-is[i])) > 0.501*step || want[i] == 0 && is[i] != 0 {
					t.Fatalf("%s: element %d is %g, was %g, a step is %g", v.Name, i, is[i], want[i], step)
				}
			}
		}
	}
	w := m.Graph.Lookup("s0.up.conv.weight")
	w.Const = w.Const.Clone()
	w.Const.Float32s()[5] = float32(math.Inf(1))
	if err := Write(&bytes.Buffer{}, m, Config{Values: onnx.Int8}); err == nil || !strings.Contains(err.Error(), "int8 has nothing like") {
		t.Errorf("%v", err)
	}
}

// TestSparse: what is stored by place and value comes back dense, whichever way its places are told.
func TestSparse(t *testing.T) {
	dims := []int64{40, 50}
	dense := onnx.NewTensor(onnx.Float, dims...)
	dense.Float32s()[3], dense.Float32s()[777], dense.Float32s()[1999] = 1, -2, 3
	values := onnx.FromSlice([]float32{1, -2, 3})
	for name, indices := range map[string]*onnx.Tensor{
		"linear": onnx.FromSlice([]int64{3, 777, 1999}), "coordinates": onnx.FromSlice([]int64{0, 3, 15, 27, 39, 49}, 3, 2),
	} {
		g := onnx.NewGraph("one")
		x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 40))
		v := g.AddSparseInitializer("w", &onnx.SparseTensor{Values: values, Indices: indices, Dims: dims})
		g.AddOutput(g.Add("MatMul", []*onnx.Value{x, v}, 1).Output(0), "y")
		k, stored := keptOf(v, 4)
		p, err := pack(v, onnx.Float)
		if err != nil || stored != 12+8*int(indices.Len()) || !slices.Equal(k.places, []uint64{3, 777, 1999}) {
			t.Fatalf("%s: %v of %d bytes at %v, %v", name, p, stored, k.places, err)
		}
		if p != nil { // three values are too few for an entry of their own
			t.Errorf("%s: packed", name)
		}
	}
	many, places := onnx.NewTensor(onnx.Float, 200), onnx.NewTensor(onnx.Int64, 200)
	want := onnx.NewTensor(onnx.Float, dims...)
	for i := range 200 {
		many.Float32s()[i], places.Int64s()[i] = float32(i+1), int64(7*i)
		want.Float32s()[7*i] = float32(i + 1)
	}
	g := onnx.NewGraph("one")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 40))
	v := g.AddSparseInitializer("w", &onnx.SparseTensor{Values: many, Indices: places, Dims: dims})
	g.AddOutput(g.Add("MatMul", []*onnx.Value{x, v}, 1).Output(0), "y")
	got, err := Read(packTo(t, &onnx.Model{IRVersion: 8, Graph: g, Opsets: []onnx.Opset{{Version: 17}}}, Config{}))
	if err != nil {
		t.Fatal(err)
	}
	if w := got.Graph.Lookup("w"); w.Const == nil || !slices.Equal(w.Const.Dims, dims) || !slices.Equal(w.Const.Float32s(), want.Float32s()) {
		t.Errorf("came back as %v", w)
	}
}

func TestHalf(t *testing.T) {
	m := pruned(t, 0.9)
	got, err := Read(packTo(t, m, Config{Values: onnx.Float16}))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Graph.Initializers() {
		for i, x := range got.Graph.Lookup(v.Name).Const.Float32s() {
			if want := v.Const.Float32s()[i]; math.Abs(float64(x-want)) > 1e-3*math.Abs(float64(want))+1e-7 {
				t.Fatalf("%s: element %d is %g, was %g", v.Name, i, x, want)
			}
		}
	}
	const exact = "s0.up.conv.weight"
	if got, err = Read(packTo(t, m, Config{Values: onnx.Float16, Exact: map[string]bool{exact: true}})); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Graph.Lookup(exact).Const.Data, m.Graph.Lookup(exact).Const.Data) {
		t.Errorf("%s was rounded", exact)
	}
	for _, v := range m.Graph.Initializers() {
		if v.Const.Len() > 1000 {
			v.Const = v.Const.Clone()
			v.Const.Float32s()[0] = 1e6
		}
	}
	if err := Write(&bytes.Buffer{}, m, Config{Values: onnx.Float16}); err == nil || !strings.Contains(err.Error(), "float16 overflows") {
		t.Errorf("%v", err)
	}
}

// TestRice: numbers come back, and the parameter that is taken is the best of all.
func TestRice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gaps := rapid.SliceOfN(rapid.Uint64Range(0, 1<<rapid.IntRange(0, 12).Draw(t, "bits")), 1, 50).Draw(t, "gaps")
		rice := bestRice(gaps)
		for other := range 20 {
			if riceBits(gaps, other) < riceBits(gaps, rice) {
				t.Fatalf("parameter %d takes %d bits, %d takes %d", rice, riceBits(gaps, rice), other, riceBits(gaps, other))
			}
		}
		r := riceReader{bytes: encodeRice(gaps, rice)}
		for _, want := range gaps {
			if got, err := r.next(rice, want); err != nil || got != want {
				t.Fatalf("%d, %v for %d", got, err, want)
			}
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
	})
	// 5 is 10 10, 0 is 0 00 and 9 is 110 10: ones, a zero, two bits from the lowest.
	if got := hex.EncodeToString(encodeRice([]uint64{5, 0, 9}, 2)); got != "8505" {
		t.Errorf("code %s", got)
	}
}

// broken gives a packed file whose tensors and metadata have been changed.
func broken(t testing.TB, change func(tensors map[string]*onnx.Tensor, metadata map[string]string)) string {
	t.Helper()
	list, metadata, err := safetensors.ReadFile(packTo(t, pruned(t, 0.9), Config{}))
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]*onnx.Tensor{}
	for _, x := range list {
		tensors[x.Name] = x
	}
	change(tensors, metadata)
	list = list[:0]
	for name, x := range tensors {
		x.Name = name
		list = append(list, x)
	}
	data, err := safetensors.Encode(list, metadata)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "broken.safetensors")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHostile(t *testing.T) {
	const w = "s0.up.conv.weight"
	type tensors = map[string]*onnx.Tensor
	for name, c := range map[string]struct {
		change func(tensors, map[string]string)
		want   string
	}{
		"no format":       {func(_ tensors, m map[string]string) { delete(m, "format") }, "metadata format"},
		"no graph":        {func(x tensors, _ map[string]string) { delete(x, "graph") }, "graph"},
		"graph of floats": {func(x tensors, _ map[string]string) { x["graph"] = onnx.NewTensor(onnx.Float, 3) }, "wants uint8"},
		"no model":        {func(x tensors, _ map[string]string) { x["graph"] = onnx.FromSlice([]byte("hello")) }, "broken.safetensors"},
		"no values":       {func(x tensors, _ map[string]string) { delete(x, "values/"+w) }, "values/"},
		"no zeros":        {func(x tensors, _ map[string]string) { delete(x, "zeros/"+w) }, "zeros/"},
		"values of int64": {func(x tensors, _ map[string]string) { x["values/"+w] = onnx.NewTensor(onnx.Int64, 3) }, "wants float32, float16 or int8"},
		"unknown weight": {func(x tensors, m map[string]string) {
			m["weight/ghost"] = m["weight/"+w]
			x["values/ghost"], x["zeros/ghost"] = x["values/"+w].Clone(), x["zeros/"+w].Clone()
		}, "is no input of the graph"},
		"no dims":             {func(_ tensors, m map[string]string) { m["weight/"+w] = "place 1 rice 3" }, "does not read"},
		"rice":                {func(_ tensors, m map[string]string) { m["weight/"+w] = "place 1 rice 41 dims 3" }, "not in 0 to 40"},
		"negative dim":        {func(_ tensors, m map[string]string) { m["weight/"+w] = "place 1 rice 4 dims -3 4" }, "a dim is not a number"},
		"place":               {func(_ tensors, m map[string]string) { m["weight/"+w] = "place -1 rice 4 dims 3 4" }, "its place"},
		"dims overflow":       {func(_ tensors, m map[string]string) { m["weight/"+w] = "place 1 rice 4 dims 4611686018427387904 4" }, "weight"},
		"dims of zeros":       {func(_ tensors, m map[string]string) { m["weight/"+w] = "place 1 rice 4 dims 1000000000000" }, "has dims [1000000000000]"},
		"other dims":          {func(_ tensors, m map[string]string) { m["weight/"+w] = "place 1 rice 4 dims 100" }, "weight"},
		"more values":         {func(x tensors, _ map[string]string) { x["values/"+w] = onnx.NewTensor(onnx.Float, 16*16*9+9) }, "weight"},
		"int8 without scales": {func(x tensors, _ map[string]string) { x["values/"+w] = onnx.NewTensor(onnx.Int8, 3) }, "scales/"},
		"scales of int8": {func(x tensors, _ map[string]string) {
			x["values/"+w], x["scales/"+w] = onnx.NewTensor(onnx.Int8, 3), onnx.NewTensor(onnx.Int8, 16)
		}, "wants one float32"},
		"scales too few": {func(x tensors, _ map[string]string) {
			x["values/"+w], x["scales/"+w] = onnx.NewTensor(onnx.Int8, 3), onnx.NewTensor(onnx.Float, 3)
		}, "wants one float32"},
		"fewer values":  {func(x tensors, _ map[string]string) { x["values/"+w] = onnx.NewTensor(onnx.Float, 3) }, "goes on behind"},
		"zeros cut":     {func(x tensors, _ map[string]string) { x["zeros/"+w] = onnx.FromSlice(x["zeros/"+w].Data[:9]) }, "ends within a number"},
		"zeros of ones": {func(x tensors, _ map[string]string) { x["zeros/"+w] = onnx.FromSlice(bytes.Repeat([]byte{255}, 4000)) }, "more zeros than"},
		"a byte too many": {func(x tensors, _ map[string]string) {
			x["zeros/"+w] = onnx.FromSlice(append(slices.Clone(x["zeros/"+w].Data), 0))
		}, "goes on behind"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(broken(t, c.change))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			coder, ok := err.(interface{ ExitCode() int })
			if !ok || coder.ExitCode() != 3 || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v is no refusal of one line", err)
			}
		})
	}
}

// TestBomb: zeros take no space, so that a small file that claims many is refused before memory is taken.
func TestBomb(t *testing.T) {
	g := onnx.NewGraph("one")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 1<<15))
	w := g.AddInput("w", onnx.TypeOf(onnx.Float, 1<<15, 1<<15))
	g.AddOutput(g.Add("MatMul", []*onnx.Value{x, w}, 1).Output(0), "y")
	graph := onnx.FromSlice(encoded(t, &onnx.Model{IRVersion: 8, Graph: g, Opsets: []onnx.Opset{{Version: 17}}}))
	values, zeros := onnx.NewTensor(onnx.Float, 0), onnx.NewTensor(onnx.Uint8, 0)
	graph.Name, values.Name, zeros.Name = "graph", "values/w", "zeros/w"
	data, err := safetensors.Encode([]*onnx.Tensor{values, graph, zeros}, map[string]string{"format": format, "weight/w": "place 0 rice 0 dims 32768 32768"})
	if err != nil {
		t.Fatal(err)
	}
	took := limitstest.Allocated(func() { _, err = Decode(bytes.NewReader(data), int64(len(data)), "bomb") })
	limitstest.Refused(t, err, "bomb", "elements for a file of its size")
	if took > 1<<20 {
		t.Errorf("%d bytes", took)
	}
	empty := &onnx.Model{IRVersion: 8, Graph: onnx.NewGraph("zeros"), Opsets: []onnx.Opset{{Version: 17}}}
	x = empty.Graph.AddInput("x", onnx.TypeOf(onnx.Float, 1, 5000))
	w = empty.Graph.AddInitializer("w", onnx.NewTensor(onnx.Float, 5000, 5000))
	empty.Graph.AddOutput(empty.Graph.Add("MatMul", []*onnx.Value{x, w}, 1).Output(0), "y")
	if err := Write(&bytes.Buffer{}, empty, Config{}); err == nil || !strings.Contains(err.Error(), "are unpacked again") {
		t.Errorf("%v", err)
	}
}

func FuzzRead(f *testing.F) {
	g := onnx.NewGraph("one")
	w := onnx.NewTensor(onnx.Float, 32, 16)
	for i := 0; i < 512; i += 40 {
		w.Float32s()[i] = float32(i) - 200.5
	}
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 32))
	g.AddOutput(g.Add("MatMul", []*onnx.Value{x, g.AddInitializer("w", w)}, 1).Output(0), "y")
	for _, values := range []onnx.DataType{onnx.Float, onnx.Float16, onnx.Int8} {
		data, err := os.ReadFile(packTo(f, &onnx.Model{IRVersion: 8, Graph: g, Opsets: []onnx.Opset{{Version: 17}}}, Config{Values: values}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "m.safetensors")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := Read(path); err == nil {
			if err := Write(&bytes.Buffer{}, m, Config{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	values := make([]float32, 3_000_000)
	noise.Uniform(values, noise.NewKey(1, "values", 0))
	for i, v := range values {
		if v > 0.05 {
			values[i] = 0
		}
	}
	g := onnx.NewGraph("one")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 1000))
	w := g.AddInitializer("w", onnx.FromSlice(values, 1000, 3000))
	g.AddOutput(g.Add("MatMul", []*onnx.Value{x, w}, 1).Output(0), "y")
	path := packTo(b, &onnx.Model{IRVersion: 8, Graph: g, Opsets: []onnx.Opset{{Version: 17}}}, Config{})
	for b.Loop() {
		if _, err := Read(path); err != nil {
			b.Fatal(err)
		}
	}
}
