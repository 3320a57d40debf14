package cli

import (
	"bytes"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protowire"

	"graft/onnx"
	"graft/onnx/safetensors"
	"graft/training/dataset"
)

// fixtures are the files that graftfixture NAME FILE writes.
var fixtures = map[string]func() ([]byte, error){
	"cyclic": func() ([]byte, error) {
		return rawModel(rawNode("Relu", "first", "b", "a"), rawNode("Relu", "second", "a", "b"), rawNode("Add", "", "x", "y", "b")), nil
	},
	"unknown": func() ([]byte, error) { return rawModel(rawNode("Relu", "lost", "nowhere", "y")), nil },
	"repetitive": func() ([]byte, error) { // twelve nodes of an operator that there is not
		nodes := make([][]byte, 12)
		for i := range nodes {
			nodes[i] = rawNode("Frob", fmt.Sprint("n", i), "x", fmt.Sprint("y", i))
		}
		return rawModel(append(nodes, rawNode("Add", "", "x", "y", "y0"))...), nil
	},
	"huge": func() ([]byte, error) {
		return rawModel(rawNode("Add", "add", "x", "y", "w"), rawTensor("w", []uint64{1 << 20, 1 << 20}, make([]byte, 16))), nil
	},
	"garbage":   func() ([]byte, error) { return []byte("this is no model\n"), nil },
	"operators": func() ([]byte, error) { return encoded(oddModel()) },
	"mismatch":  func() ([]byte, error) { return encoded(mismatched()) },
	"names":     func() ([]byte, error) { return encoded(evilNames()) },
	"embed":     func() ([]byte, error) { return encoded(embedding()) },
	"weighted":  func() ([]byte, error) { return encoded(product(2)) },
	"doubled":   func() ([]byte, error) { return encoded(product(4)) },
	"loss": func() ([]byte, error) { // the mean of |y-target|^3, for any shape of rank 4
		m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 17]>
cubes (float[a, b, c, d] y, float[a, b, c, d] target) => (float loss) <float three = {3}> {
   e = Sub (y, target)
   size = Abs (e)
   cube = Pow (size, three)
   loss = ReduceMean <keepdims = 0> (cube)
}`)
		if err != nil {
			return nil, err
		}
		return m.Encode()
	},
	"pixels": func() ([]byte, error) { // hands a picture, numbers and texts on
		m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 17]>
pixels (float[N, 3, 40, 48] x, uint8[1, H, W, 1] grey, string[L] words, int32[2, M] n) => (float[N, 3, 40, 48] y, uint8[1, H, W, 1] z, string[L] w, int32[2, M] k) {
   y = Identity (x)
   z = Identity (grey)
   w = Identity (words)
   k = Identity (n)
}`)
		if err != nil {
			return nil, err
		}
		return m.Encode()
	},
	"growing": func() ([]byte, error) { // needs as much memory as its input says
		m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 17]>
growing (float[N, 2] x, int64[N, 2] dims) => (float[N, 1] y) <float[2, 1] w = {0.5, -0.5}> {
   product = MatMul (x, w)
   size = ReduceMax <axes = [0], keepdims = 0> (dims)
   zeros = ConstantOfShape (size)
   sum = ReduceSum <keepdims = 0> (zeros)
   y = Add (product, sum)
}`)
		if err != nil {
			return nil, err
		}
		return m.Encode()
	},
	"wordy": func() ([]byte, error) {
		return parsed17("wordy (float[N, 2] x) => (float[N, 2] y) <float[2] w = {1, 2}> {a = Identity (x)\nb = Constant <value = float[2] {3, 4}> ()\nc = Mul (b, w)\nd = Sin (c)\ne = Add (a, d)\ny = Dropout (e)}")
	},
	"endless": func() ([]byte, error) { // a loop of 2^63 rounds
		return parsed17("endless (float[2] x) => (float[2] y) <int64 n = {9223372036854775807}, bool go = {1}> {y = Loop <body = b (int64 i, bool c, float[2] s) => (bool d, float[2] t) {d = Identity (c)\nt = Add (s, s)}> (n, go, x)}")
	},
	"nothing": func() ([]byte, error) { // makes nothing of its input
		return parsed17("nothing (float[N, 4] x) => (float[N, 3] y) <float[4, 2] a = {0, 0, 0, 0, 0, 0, 0, 0}, float[2, 3] b = {0, 0, 0, 0, 0, 0}> {h = MatMul (x, a)\ny = MatMul (h, b)}")
	},
	"vast": func() ([]byte, error) { // 16 TB
		return parsed17("vast (int64[2] x) => (float y) <int64[2] s = {2097152, 2097152}> {t = Add (x, s)\nc = ConstantOfShape (t)\ny = ReduceSum <keepdims = 0> (c)}")
	},
	"lengths": func() ([]byte, error) { // says of two inputs that they are as long as each other
		return parsed17("lengths (float[N] a, float[N] b) => (int64[1] y) {p = Shape (a)\nq = Shape (b)\ny = Sub (p, q)}")
	},
	"lengths.npz": func() ([]byte, error) {
		a, b := onnx.FromSlice([]float32{1, 2}), onnx.FromSlice([]float32{1, 2, 3})
		a.Name, b.Name = "a", "b"
		var z bytes.Buffer
		err := dataset.WriteNpz(&z, []*onnx.Tensor{a, b})
		return z.Bytes(), err
	},
	"backwards": func() ([]byte, error) { // an axis that onnx-go does not know
		m, err := onnx.Parse(`<ir_version: 8, opset_import: ["" : 17]>
backwards (float[2] x, float[2] z) => (float[4] y) {
   y = Concat <axis = -1> (x, z)
}`)
		if err != nil {
			return nil, err
		}
		return m.Encode()
	},
	"modest.npz": func() ([]byte, error) { return growth(4) },
	"absurd.npz": func() ([]byte, error) { return growth(1 << 29) },
	"det": func() ([]byte, error) { // an operator that hardly any device has
		g := onnx.NewGraph("det")
		n := g.Add("Det", []*onnx.Value{g.AddInput("x", onnx.TypeOf(onnx.Float, 3, 2, 2))}, 1)
		n.Output(0).Type = onnx.TypeOf(onnx.Float, 3)
		g.AddOutput(n.Output(0), "y")
		return encoded(g)
	},
	"ids.npy": func() ([]byte, error) { return npy(onnx.FromSlice([]int64{6, 0, 3}, 1, 3)) },
	"ids.npz": func() ([]byte, error) {
		t := onnx.FromSlice([]int64{6, 0, 3}, 1, 3)
		t.Name = "ids"
		var b bytes.Buffer
		err := dataset.WriteNpz(&b, []*onnx.Tensor{t})
		return b.Bytes(), err
	},
	"ids.pb":   func() ([]byte, error) { return onnx.EncodeTensor(onnx.FromSlice([]int64{6, 0, 3}, 1, 3)) },
	"real.npy": func() ([]byte, error) { return npy(onnx.FromSlice([]float32{6, 0, 3}, 1, 3)) },
	"wrong.safetensors": func() ([]byte, error) {
		t := onnx.NewTensor(onnx.Bool, 3)
		t.Name = "elsewhere.weight"
		return safetensors.Encode([]*onnx.Tensor{t}, nil)
	},
}

// parsed17 is the file of a graph of opset 17.
func parsed17(graph string) ([]byte, error) {
	m, err := onnx.Parse("<ir_version: 8, opset_import: [\"\" : 17]>\n" + graph)
	if err != nil {
		return nil, err
	}
	return m.Encode()
}

// growth is data for the model growing: four samples, the third with the given size.
func growth(size int64) ([]byte, error) {
	x, dims := onnx.FromSlice([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 4, 2), onnx.FromSlice([]int64{1, 1, 1, 1, size, size, 1, 1}, 4, 2)
	target := onnx.FromSlice([]float32{1, 0, 1, 0}, 4, 1)
	x.Name, dims.Name, target.Name = "x", "dims", "target"
	var b bytes.Buffer
	err := dataset.WriteNpz(&b, []*onnx.Tensor{x, dims, target})
	return b.Bytes(), err
}

func writeFixture(args []string) int {
	if len(args) == 2 && fixtures[args[0]] != nil {
		data, err := fixtures[args[0]]()
		if err == nil {
			err = os.WriteFile(args[1], data, 0o644)
		}
		if err == nil {
			return 0
		}
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Fprintln(os.Stderr, "usage: graftfixture NAME FILE")
	return 1
}

func npy(t *onnx.Tensor) ([]byte, error) {
	var b bytes.Buffer
	err := dataset.WriteNpy(&b, t)
	return b.Bytes(), err
}

func encoded(g *onnx.Graph) ([]byte, error) {
	m := &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}, {Domain: "com.example", Version: 1}}, ProducerName: "fixture", Graph: g}
	m.Metadata.Set("origin", "a test")
	return m.Encode()
}

// oddModel has an operator that nobody knows before a convolution of free height, and a free batch.
func oddModel() *onnx.Graph {
	g := onnx.NewGraph("odd")
	shape := onnx.Shape{{Symbol: "N"}, {Size: 3}, {Symbol: "height"}, {Size: 10}}
	x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: shape})
	odd := g.Add("Frobnicate", []*onnx.Value{x}, 1)
	odd.Domain = "com.example"
	w := onnx.NewTensor(onnx.Float, 4, 3, 1, 1)
	w.Float32s()[5] = 1
	conv := g.Add("Conv", []*onnx.Value{x, g.AddInitializer("w", w)}, 1)
	conv.Name = "conv"
	conv.Output(0).Type, odd.Output(0).Type = onnx.TensorType{DType: onnx.Float}, onnx.TensorType{DType: onnx.Float}
	g.AddOutput(conv.Output(0), "y")
	g.AddOutput(odd.Output(0), "z")
	return g
}

// mismatched multiplies matrices whose inner dimensions differ.
func mismatched() *onnx.Graph {
	g := onnx.NewGraph("mismatched")
	n := g.Add("MatMul", []*onnx.Value{g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 3)), g.AddInput("w", onnx.TypeOf(onnx.Float, 4, 5))}, 1)
	n.Name = "product"
	n.Output(0).Type = onnx.TypeOf(onnx.Float, 2, 5)
	g.AddOutput(n.Output(0), "y")
	return g
}

// evilNames has outputs whose names would lead out of a folder, or collide, if they were paths.
func evilNames() *onnx.Graph {
	g := onnx.NewGraph("names")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2))
	for _, name := range []string{"../escape", "/tmp/absolute", "Y", "y", "a\x1b[2Jb", "con", "manifest", "..", "dec/conv.weight"} {
		n := g.Add("Relu", []*onnx.Value{x}, 1)
		n.Output(0).Type = x.Type
		g.AddOutput(n.Output(0), name)
	}
	return g
}

// embedding looks up rows of a table of 7.
func embedding() *onnx.Graph {
	g := onnx.NewGraph("embedding")
	ids := g.AddInput("ids", onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{{Size: 1}, {Symbol: "length"}}})
	table := onnx.NewTensor(onnx.Float, 7, 2)
	for i := range table.Float32s() {
		table.Float32s()[i] = float32(i)
	}
	n := g.Add("Gather", []*onnx.Value{g.AddInitializer("table", table), ids}, 1)
	g.AddOutput(n.Output(0), "rows")
	n.Output(0).Type = onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Size: 1}, {Symbol: "length"}, {Size: 2}}}
	return g
}

// product is relu(x·w) with w all of one value, and twice that as the output.
func product(w float32) *onnx.Graph {
	g := onnx.NewGraph("product")
	t := onnx.NewTensor(onnx.Float, 3, 2)
	for i := range t.Float32s() {
		t.Float32s()[i] = w
	}
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, 3))
	clean := g.Add("Abs", []*onnx.Value{x}, 1).Output(0)
	inner := g.Add("MatMul", []*onnx.Value{clean, g.AddInitializer("w", t)}, 1).Output(0)
	y := g.Add("Add", []*onnx.Value{inner, inner}, 1).Output(0)
	clean.Name, clean.Type = "clean", x.Type
	inner.Name, inner.Type, y.Type = "inner", onnx.TypeOf(onnx.Float, 1, 2), onnx.TypeOf(onnx.Float, 1, 2)
	g.AddOutput(y, "y")
	return g
}

// field appends a length-delimited protobuf field.
func field(b []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
}

func varint(b []byte, number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), value)
}

// rawModel is a ModelProto of opset 17 with input x and output y, both float [2], and the given fields of its graph: what
// the encoder would refuse to write.
func rawModel(graphFields ...[]byte) []byte {
	graph := field(nil, 2, []byte("raw"))
	for _, f := range graphFields {
		graph = append(graph, f...)
	}
	dim := field(nil, 1, varint(nil, 1, 2))
	typ := field(nil, 1, field(varint(nil, 1, 1), 2, dim))
	graph = field(graph, 11, field(field(nil, 1, []byte("x")), 2, typ))
	graph = field(graph, 12, field(field(nil, 1, []byte("y")), 2, typ))
	return field(field(varint(nil, 1, 8), 7, graph), 8, varint(nil, 2, 17))
}

// rawNode is a GraphProto's field with a node; names are the first input, the output, then more inputs.
func rawNode(op, name string, names ...string) []byte {
	b := field(field(nil, 1, []byte(names[0])), 2, []byte(names[1]))
	for _, more := range names[2:] {
		b = field(b, 1, []byte(more))
	}
	return field(nil, 1, field(field(b, 3, []byte(name)), 4, []byte(op)))
}

func rawTensor(name string, dims []uint64, raw []byte) []byte {
	var b []byte
	for _, d := range dims {
		b = varint(b, 1, d)
	}
	return field(nil, 5, field(field(varint(b, 2, 1), 8, []byte(name)), 9, raw))
}
