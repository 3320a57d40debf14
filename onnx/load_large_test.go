package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// largeModel has large and small weights, weights in nodes and in a branch, and in each large one numbers of its own.
func largeModel() *Model {
	weight := func(n int64, first float32) *Tensor {
		t := NewTensor(Float, n)
		for i := range t.Float32s() {
			t.Float32s()[i] = first + float32(i)
		}
		return t
	}
	branch := NewGraph("branch")
	branch.AddOutput(branch.Add("Identity", []*Value{branch.AddInitializer("inner", weight(200_000, 4))}, 1).Output(0), "of_branch")
	g := NewGraph("large")
	x := g.AddInput("x", TypeOf(Float, 200_000))
	sum := x
	for i, w := range []*Tensor{weight(200_000, 1), weight(200_000, 2)} {
		sum = g.Add("Add", []*Value{sum, g.AddInitializer(string(rune('a'+i)), w)}, 1).Output(0)
	}
	sum = g.Add("Add", []*Value{sum, g.AddInitializer("small", weight(1, 5))}, 1).Output(0)
	sum = g.Add("Add", []*Value{sum, g.Add("Constant", nil, 1, Attr{Name: "value", Value: weight(200_000, 3)}).Output(0)}, 1).Output(0)
	yes := g.AddInput("yes", TypeOf(Bool))
	other := NewGraph("other")
	other.AddOutput(other.Add("Identity", []*Value{x}, 1).Output(0), "of_other")
	v := g.Add("If", []*Value{yes}, 1, Attr{Name: "then_branch", Value: branch}, Attr{Name: "else_branch", Value: other}).Output(0)
	sum = g.Add("Add", []*Value{sum, v}, 1).Output(0)
	sum.Type = x.Type
	g.AddOutput(sum, "y")
	return &Model{IRVersion: 8, Opsets: []Opset{{Version: 17}}, Graph: g}
}

// A large file gives the same model as its bytes, and takes memory once.
func TestLoadLarge(t *testing.T) {
	data, err := largeModel().Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "large.onnx")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := Load(path, LoadOptions{})
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > uint64(len(data))*3/2 {
		t.Errorf("%d bytes are allocated for a file of %d", taken, len(data))
	}
	again, err := m.Encode()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("another model was read (%v)", err)
	}
	for n := 1; n < len(data); n += len(data)/7 + 1 {
		if err := os.WriteFile(path, data[:len(data)-n], 0o666); err != nil {
			t.Fatal(err)
		}
		_, want := Decode(data[:len(data)-n])
		if _, err := Load(path, LoadOptions{}); err == nil || want == nil || !bytes.Contains([]byte(err.Error()), []byte(want.Error())) {
			t.Errorf("%d bytes missing: %v, of the bytes %v", n, err, want)
		}
	}
}

// Data that stands twice counts once, as protobuf says: the later.
func TestLoadLargeTwice(t *testing.T) {
	tensor := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 300_000)
	tensor = protowire.AppendVarint(protowire.AppendTag(tensor, 2, protowire.VarintType), uint64(Float))
	tensor = protowire.AppendBytes(protowire.AppendTag(tensor, 8, protowire.BytesType), []byte("w"))
	for i := range 2 {
		raw := bytes.Repeat([]byte{byte(i)}, 1_200_000)
		tensor = protowire.AppendBytes(protowire.AppendTag(tensor, rawData, protowire.BytesType), raw)
	}
	graph := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), []byte("g"))
	graph = protowire.AppendBytes(protowire.AppendTag(graph, 5, protowire.BytesType), tensor)
	model := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 8)
	model = protowire.AppendBytes(protowire.AppendTag(model, 7, protowire.BytesType), graph)
	model = protowire.AppendBytes(protowire.AppendTag(model, 8, protowire.BytesType), protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), 17))
	path := filepath.Join(t.TempDir(), "twice.onnx")
	if err := os.WriteFile(path, model, 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := Load(path, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if w := m.Graph.Initializers()[0].Const; w.Data[0] != 1 {
		t.Errorf("the weight begins with byte %d", w.Data[0])
	}
}

// Packed floats are taken as raw data is; those that do not fit their tensor are refused as in a small file.
func TestLoadLargeTyped(t *testing.T) {
	const n = 400_000
	good := goodModel()
	floats, doubles, pairs := make([]float32, n), make([]float64, n), make([]float32, 2*n)
	for i := range floats {
		floats[i], doubles[i], pairs[2*i] = float32(i), -float64(i), float32(i)/2
	}
	tensor := func(name string, d DataType) *onnxpb.TensorProto {
		w := &onnxpb.TensorProto{Name: proto.String(name), DataType: proto.Int32(int32(d)), Dims: []int64{n}}
		good.Graph.Initializer = append(good.Graph.Initializer, w)
		return w
	}
	tensor("floats", Float).FloatData = floats
	tensor("doubles", Double).DoubleData = doubles
	tensor("pairs", Complex64).FloatData = pairs
	path := filepath.Join(t.TempDir(), "typed.onnx")
	write := func() []byte {
		data := marshal(t, good)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		return data
	}
	want := mustDecode(t, write())
	got := mustLoad(t, path)
	if !bytes.Equal(mustEncode(t, got), mustEncode(t, want)) {
		t.Error("another model was read than its bytes give")
	}
	for _, name := range []string{"floats", "doubles", "pairs"} {
		if m, _ := mappingOf(got.Graph.Lookup(name).Const.Data); m == nil && runtime.GOOS == "linux" {
			t.Errorf("%s: its data is copied", name)
		}
	}
	for _, spoil := range []func(w *onnxpb.TensorProto){
		func(w *onnxpb.TensorProto) { w.DataType = proto.Int32(int32(Int32)) },
		func(w *onnxpb.TensorProto) { w.DataType = proto.Int32(int32(Double)) },
		func(w *onnxpb.TensorProto) { w.Dims[0]++ },
		func(w *onnxpb.TensorProto) { w.Dims[0] = -1 },
		func(w *onnxpb.TensorProto) { w.RawData = make([]byte, 4*n) },
		func(w *onnxpb.TensorProto) { w.DoubleData = doubles },
	} {
		last := len(good.Graph.Initializer) - 3
		kept := proto.Clone(good.Graph.Initializer[last]).(*onnxpb.TensorProto)
		spoil(good.Graph.Initializer[last])
		_, want := Decode(write())
		_, err := Load(path, LoadOptions{mapped: 1 << 20})
		if err == nil || want == nil || !strings.Contains(err.Error(), want.Error()) {
			t.Errorf("refused with %v, of the bytes with %v", err, want)
		}
		good.Graph.Initializer[last] = kept
	}
}
