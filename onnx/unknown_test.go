package onnx

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"graft/onnx/internal/onnxpb"
)

// richModel has one of everything that a file may hold.
func richModel(t testing.TB) *onnxpb.ModelProto {
	m := mustParse(t, `<ir_version: 12, opset_import: ["" : 21, "f" : 1], producer_name: "p", metadata_props: ["a": "b"]>
		g (float[N,2] x, seq(float[?]) s, map(int64, string) m, opaque(d,n) o, optional(seq(int8)) q, bool c, sparse_tensor(float[3]) z)
		=> (float[N,2] y, float[] r)
		<float[2] w = {1, 2}, string[1] words = {"a"}, float[N,2] h> {
			h = Add (x, w)
			y = f.twice <k: float = 2> (h)
			r = If (c) <then_branch: graph = t () => (a) { a = Neg (h) }, else_branch: graph = e () => (b) <float b = {1}> {}>
			u, "", v = Custom <ts: tensors = [float {1}, int64[2] n {1, 2}], gs: graphs = [g1 () => () {}],
				tp: type_proto = seq(float[2]), tt: type_proto = float[2], tps: type_protos = [float[2]], fs: floats = [1, 2],
				ss: strings = ["a", "b"], none: ints = [], i: int = 1, st: string = "s"> (x, "", w)
		}
		<domain: "f", opset_import: ["" : 21]> twice <k, l: int = 3> (a) => (b) {
			b = LeakyRelu <alpha: float = @k> (a)
		}`)
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	pb := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, pb); err != nil {
		t.Fatal(err)
	}
	entry := func() []*onnxpb.StringStringEntryProto {
		return []*onnxpb.StringStringEntryProto{{Key: proto.String("k"), Value: proto.String("v")}}
	}
	g := pb.Graph
	g.MetadataProps, g.Input[0].MetadataProps, g.Node[0].MetadataProps, g.Initializer[0].MetadataProps = entry(), entry(), entry(), entry()
	g.DocString, g.Node[0].DocString, g.Input[0].DocString = proto.String("g"), proto.String("n"), proto.String("v")
	g.Node[0].Name = proto.String("the add")
	g.QuantizationAnnotation = []*onnxpb.TensorAnnotation{{TensorName: proto.String("h"), QuantParameterTensorNames: entry()}}
	g.ValueInfo = append(g.ValueInfo, &onnxpb.ValueInfoProto{Name: proto.String("of nothing"), Type: g.Input[1].Type})
	g.Input[0].Type.Denotation = proto.String("IMAGE")
	g.Input[0].Type.GetTensorType().Shape.Dim[0].Denotation = proto.String("DATA_BATCH")
	sparse := func() *onnxpb.SparseTensorProto {
		return &onnxpb.SparseTensorProto{Dims: []int64{4},
			Values:  &onnxpb.TensorProto{Name: proto.String("sp"), Dims: []int64{1}, DataType: proto.Int32(1), RawData: make([]byte, 4)},
			Indices: &onnxpb.TensorProto{Dims: []int64{1}, DataType: proto.Int32(7), RawData: make([]byte, 8)}}
	}
	g.SparseInitializer = []*onnxpb.SparseTensorProto{sparse()}
	last := g.Node[len(g.Node)-1]
	last.Attribute = append(last.Attribute,
		&onnxpb.AttributeProto{Name: proto.String("sv"), Type: onnxpb.AttributeProto_SPARSE_TENSOR.Enum(), SparseTensor: sparse()},
		&onnxpb.AttributeProto{Name: proto.String("svs"), Type: onnxpb.AttributeProto_SPARSE_TENSORS.Enum(),
			SparseTensors: []*onnxpb.SparseTensorProto{sparse()}, DocString: proto.String("d")},
		&onnxpb.AttributeProto{Name: proto.String("ref"), Type: onnxpb.AttributeProto_GRAPH.Enum(), RefAttrName: proto.String("body")},
		&onnxpb.AttributeProto{Name: proto.String("future"), Type: onnxpb.AttributeProto_AttributeType(99).Enum()})
	pb.TrainingInfo = []*onnxpb.TrainingInfoProto{{Initialization: proto.CloneOf(g.Node[2].Attribute[0].G), UpdateBinding: entry()}}
	pb.Functions[0].MetadataProps, pb.Functions[0].DocString = entry(), proto.String("fn")
	g.Node[1].DocString, g.Node[1].Overload, pb.Functions[0].Overload = proto.String("t"), proto.String("o"), proto.String("o")
	return pb
}

func TestRoundTripKeepsEverything(t *testing.T) {
	want := richModel(t)
	checkKept(t, want)
	// A field that no standard has, in every message.
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 1999, protowire.VarintType), 7)
	unknown = protowire.AppendBytes(protowire.AppendTag(unknown, 2000, protowire.BytesType), []byte("later"))
	n := 0
	var plant func(m protoreflect.Message)
	plant = func(m protoreflect.Message) {
		m.SetUnknown(unknown)
		n++
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case f.Message() != nil && f.IsList():
				for i := range v.List().Len() {
					plant(v.List().Get(i).Message())
				}
			case f.Message() != nil:
				plant(v.Message())
			}
			return true
		})
	}
	plant(want.ProtoReflect())
	if n < 100 {
		t.Fatalf("only %d messages", n)
	}
	checkKept(t, want)
}

func checkKept(t *testing.T, want *onnxpb.ModelProto) {
	t.Helper()
	m, err := Decode(marshal(t, want))
	if err != nil {
		t.Fatal(err)
	}
	clone := m.Clone()
	for _, m := range []*Model{m, clone} {
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := encodedAlike(m, data); err != nil {
			t.Error(err)
		}
		got := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(data, got); err != nil {
			t.Fatal(err)
		}
		want := proto.CloneOf(want)
		normalise(want.ProtoReflect())
		normalise(got.ProtoReflect())
		if !proto.Equal(want, got) {
			t.Errorf("differs: %s", difference(want.ProtoReflect(), got.ProtoReflect(), ""))
		}
	}
}

func TestUnknownElementType(t *testing.T) {
	pb := goodModel()
	pb.Graph.Initializer[0].DataType = proto.Int32(28)
	m, err := Decode(marshal(t, pb))
	if err != nil {
		t.Fatal(err)
	}
	if f := Check(m); len(f) == 0 || f[0].Rule != "type" {
		t.Errorf("findings: %v", f)
	}
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, got); err != nil || !proto.Equal(got.Graph.Initializer[0], pb.Graph.Initializer[0]) {
		t.Errorf("%v: %v", err, got.Graph.Initializer)
	}
}

// TestInitializerInput checks that an initializer that is an input too is one value.
func TestInitializerInput(t *testing.T) {
	m := mustParse(t, `<ir_version: 3, opset_import: ["" : 9]> g (float[2] x, float[2] w = {1, 2}) => (float[2] y) { y = Add (x, w) }`)
	in, init := m.Graph.Inputs(), m.Graph.Initializers()
	if len(in) != 2 || len(init) != 1 || in[1] != init[0] || init[0].NumUses() != 1 {
		t.Errorf("inputs %v, initializers %v", in, init)
	}
	if f := Check(m); len(f) != 0 {
		t.Errorf("findings: %v", f)
	}
}
