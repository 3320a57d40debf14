package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits/limitstest"
)

// entries are external_data as key, value, key, value.
func externalTensor(name string, dims []int64, entries ...string) *onnxpb.TensorProto {
	t := &onnxpb.TensorProto{Name: &name, Dims: dims, DataType: proto.Int32(int32(Float)),
		DataLocation: onnxpb.TensorProto_EXTERNAL.Enum()}
	for i := 0; i < len(entries); i += 2 {
		t.ExternalData = append(t.ExternalData, &onnxpb.StringStringEntryProto{Key: &entries[i], Value: &entries[i+1]})
	}
	return t
}

// identityModel is y = Identity(w) around an initializer.
func identityModel(inits ...*onnxpb.TensorProto) *onnxpb.ModelProto {
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

func marshal(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// modelDir is a folder "models" with w.bin of 1 KiB beside a file "secret" outside of it.
func modelDir(t testing.TB) string {
	t.Helper()
	top := t.TempDir()
	dir := filepath.Join(top, "models")
	for _, d := range []string{dir, filepath.Join(dir, "sub"), filepath.Join(top, "outside")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{filepath.Join(top, "secret"), filepath.Join(top, "outside", "real.bin"),
		filepath.Join(dir, "w.bin"), filepath.Join(dir, "sub", "w.bin")} {
		put(t, f, make([]byte, 1024))
	}
	return dir
}

func put(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func mustRefuse(t *testing.T, err error, want string) {
	t.Helper()
	var coder interface{ ExitCode() int }
	switch {
	case err == nil:
		t.Fatal("accepted")
	case !errors.As(err, &coder) || coder.ExitCode() != 3:
		t.Fatalf("not an input error: %v", err)
	case strings.Contains(err.Error(), "\n"):
		t.Fatalf("more than one line: %q", err)
	case !strings.Contains(err.Error(), want):
		t.Fatalf("the message lacks %q: %v", want, err)
	}
}

// loadIn writes the model beside its data and loads it.
func loadIn(t *testing.T, dir string, m *onnxpb.ModelProto, o LoadOptions) (*Model, error) {
	t.Helper()
	path := filepath.Join(dir, "model.onnx")
	put(t, path, marshal(t, m))
	var got *Model
	var err error
	if d := limitstest.CPU(t, func() { got, err = Load(path, o) }); d > time.Second {
		t.Errorf("took %v", d)
	}
	return got, err
}

// hiding puts a tensor where readers forget to look.
func hiding(x *onnxpb.TensorProto) map[string]*onnxpb.ModelProto {
	w := func() *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: proto.String("w"), Dims: []int64{1}, DataType: proto.Int32(1), FloatData: []float32{1}}
	}
	index := func() *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Dims: []int64{4}, DataType: proto.Int32(7), Int64Data: []int64{0, 1, 2, 3}}
	}
	value := func() *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: proto.String("s"), Dims: []int64{4}, DataType: proto.Int32(1), FloatData: []float32{1, 2, 3, 4}}
	}
	node := func(a ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{OpType: proto.String("Constant"), Output: []string{"c"}, Attribute: a}
	}
	attr := func(name string) *onnxpb.AttributeProto { return &onnxpb.AttributeProto{Name: &name} }
	withNode := func(n *onnxpb.NodeProto) *onnxpb.ModelProto {
		m := identityModel(w())
		m.Graph.Node = append(m.Graph.Node, n)
		return m
	}
	constant := attr("value")
	constant.T = x
	list := attr("values")
	list.Tensors = []*onnxpb.TensorProto{x}
	sparseValue := attr("sparse_value")
	sparseValue.SparseTensor = &onnxpb.SparseTensorProto{Values: x, Indices: index(), Dims: []int64{8}}
	sparseIndex := attr("sparse_value")
	sparseIndex.SparseTensor = &onnxpb.SparseTensorProto{Values: value(), Indices: x, Dims: []int64{8}}
	sparseList := attr("sparse_values")
	sparseList.SparseTensors = []*onnxpb.SparseTensorProto{{Values: x, Indices: index(), Dims: []int64{8}}}
	body := &onnxpb.GraphProto{Name: proto.String("b"), Node: []*onnxpb.NodeProto{node(constant)},
		Output: []*onnxpb.ValueInfoProto{{Name: proto.String("c")}}}
	sub := attr("body")
	sub.G = body
	subs := attr("bodies")
	subs.Graphs = []*onnxpb.GraphProto{body}
	subInit := attr("body")
	subInit.G = &onnxpb.GraphProto{Name: proto.String("b"), Initializer: []*onnxpb.TensorProto{x}}
	inSparse := identityModel(w())
	inSparse.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: x, Indices: index(), Dims: []int64{8}}}
	inIndex := identityModel(w())
	inIndex.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: value(), Indices: x, Dims: []int64{8}}}
	inFunction := identityModel(w())
	inFunction.Functions = []*onnxpb.FunctionProto{{Name: proto.String("f"), Domain: proto.String("d"), Output: []string{"c"},
		Node: []*onnxpb.NodeProto{node(constant)}}}
	inDefault := identityModel(w())
	inDefault.Functions = []*onnxpb.FunctionProto{{Name: proto.String("f"), Domain: proto.String("d"),
		AttributeProto: []*onnxpb.AttributeProto{constant}}}
	inTraining := identityModel(w())
	inTraining.TrainingInfo = []*onnxpb.TrainingInfoProto{{Algorithm: &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{x}}}}
	inStart := identityModel(w())
	inStart.TrainingInfo = []*onnxpb.TrainingInfoProto{{Initialization: body}}
	return map[string]*onnxpb.ModelProto{
		"Constant.value": withNode(node(constant)), "tensors": withNode(node(list)),
		"Constant.sparse_value": withNode(node(sparseValue)), "sparse indices": withNode(node(sparseIndex)),
		"sparse_tensors": withNode(node(sparseList)), "subgraph": withNode(node(sub)), "graphs": withNode(node(subs)),
		"subgraph initializer": withNode(node(subInit)), "sparse_initializer": inSparse, "sparse_initializer indices": inIndex,
		"function": inFunction, "function default": inDefault, "training_info": inTraining, "initialization": inStart,
	}
}
