package hostiletest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// File is the name of the model in the folder that Write fills.
const File = "hostile.onnx"

// Model is a file that has to be refused.
type Model struct {
	ID   string // of the attack, which several models share: "E01"
	Name string // "E01 parent folder"
	Says string // part of the refusal
	// Findings says that the file is sound protobuf that contradicts itself: a check lists what is wrong with it.
	Findings bool

	data   func(t testing.TB, folder string) []byte
	beside func(t testing.TB, folder string)
}

// Models lists all of them, those of an attack one after the other.
func Models() []Model {
	return slices.Concat(external(), linked(), encoded(), elements(), functions(), graphs())
}

// Write makes the model and what it refers to: in the folder w.bin and sub/w.bin of 1 KiB each, and beside the folder the file
// secret and outside/real.bin.
func (m Model) Write(t testing.TB, folder string) {
	t.Helper()
	Surroundings(t, folder)
	if m.beside != nil {
		m.beside(t, folder)
	}
	put(t, filepath.Join(folder, File), m.data(t, folder))
}

// Surroundings are the files that models of this package refer to.
func Surroundings(t testing.TB, folder string) {
	t.Helper()
	top := filepath.Dir(folder)
	for _, d := range []string{filepath.Join(folder, "sub"), filepath.Join(top, "outside")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{filepath.Join(top, "secret"), filepath.Join(top, "outside", "real.bin"),
		filepath.Join(folder, "w.bin"), filepath.Join(folder, "sub", "w.bin")} {
		put(t, f, make([]byte, 1024))
	}
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Marshal is the encoding of a message.
func Marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Identity is y = Identity(w) around an initializer.
func Identity(inits ...*onnxpb.TensorProto) *onnxpb.ModelProto {
	return &onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name:        proto.String("g"),
			Initializer: inits,
			Node:        []*onnxpb.NodeProto{{OpType: proto.String("Identity"), Input: []string{"w"}, Output: []string{"y"}}},
			Output:      []*onnxpb.ValueInfoProto{{Name: proto.String("y")}},
		},
	}
}

// Good is a model with nothing wrong about it.
func Good() *onnxpb.ModelProto {
	w := Tensor(float, 2)
	w.FloatData = []float32{1, 2}
	return Identity(w)
}

// Element types, by the standard's numbers.
const (
	float  = int32(onnxpb.TensorProto_FLOAT)
	int64s = int32(onnxpb.TensorProto_INT64)
)

// Tensor is w without elements.
func Tensor(dtype int32, dims ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String("w"), Dims: dims, DataType: &dtype}
}

// External is a tensor whose data is elsewhere; entries are external_data as key, value, key, value.
func External(name string, dims []int64, entries ...string) *onnxpb.TensorProto {
	t := &onnxpb.TensorProto{Name: &name, Dims: dims, DataType: proto.Int32(float), DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}
	for i := 0; i < len(entries); i += 2 {
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: &entries[i], Value: &entries[i+1]})
	}
	return t
}

// Node is a node of the default domain.
func Node(op string, in, out []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: &op, Input: in, Output: out, Attribute: attrs}
}

// GraphAttr is an attribute that holds a graph.
func GraphAttr(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, G: g, Type: onnxpb.AttributeProto_GRAPH.Enum()}
}

// message is a model of one message.
func message(id, name, says string, make func() *onnxpb.ModelProto) Model {
	return Model{ID: id, Name: id + " " + name, Says: says,
		data: func(t testing.TB, _ string) []byte { return Marshal(t, make()) }}
}

// wrong is a model that is refused for what its fields say.
func wrong(id, name, says string, make func() *onnxpb.ModelProto) Model {
	m := message(id, name, says, make)
	m.Findings = true
	return m
}
