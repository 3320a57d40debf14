package onnx

import (
	"bytes"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
	"graft/onnx/limits/limitstest"
)

// refuseBytes decodes hostile bytes within a second and a bounded heap.
func refuseBytes(t *testing.T, data []byte, want string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var err error
	took := limitstest.CPU(t, func() { _, err = Decode(data) })
	runtime.ReadMemStats(&after)
	mustRefuse(t, err, want)
	if took > time.Second {
		t.Errorf("took %v", took)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20+16*uint64(len(data)) {
		t.Errorf("allocated %d bytes for %d", grown, len(data))
	}
}

func refuseModel(t *testing.T, m *onnxpb.ModelProto, want string) {
	t.Helper()
	refuseBytes(t, marshal(t, m), want)
}

func wTensor(d DataType, dims ...int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String("w"), Dims: dims, DataType: proto.Int32(int32(d))}
}

func refuseTensor(t *testing.T, x *onnxpb.TensorProto, want string) {
	t.Helper()
	refuseModel(t, identityModel(x), want)
	_, err := DecodeTensor(marshal(t, x))
	mustRefuse(t, err, want)
}

func goodModel() *onnxpb.ModelProto {
	w := wTensor(Float, 2)
	w.FloatData = []float32{1, 2}
	return identityModel(w)
}

func pbNode(op string, in, out []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: &op, Input: in, Output: out, Attribute: attrs}
}

func graphAttr(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, G: g, Type: onnxpb.AttributeProto_GRAPH.Enum()}
}

func TestHostileO01Truncated(t *testing.T) {
	data := marshal(t, goodModel())
	refuseBytes(t, nil, "empty")
	if _, err := Decode(data); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < len(data); n++ {
		if m, err := Decode(data[:n]); err == nil { // cut between fields: what is left must be a model
			if _, err := m.Encode(); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		} else {
			mustRefuse(t, err, "")
		}
	}
	for b := range 256 {
		if _, err := Decode([]byte{byte(b)}); err == nil {
			t.Errorf("accepted the byte %#x", b)
		}
	}
}

func TestHostileO02Lengths(t *testing.T) {
	for _, n := range []uint64{1 << 31, 1<<31 - 1, 1 << 63, math.MaxUint64} {
		for _, field := range []protowire.Number{2, 7, 8, 99} {
			data := protowire.AppendTag(nil, field, protowire.BytesType)
			data = append(protowire.AppendVarint(data, n), "abc"...)
			refuseBytes(t, data, "claims")
			inner := protowire.AppendTag(nil, 7, protowire.BytesType)
			refuseBytes(t, protowire.AppendBytes(inner, data), "claims")
		}
	}
	overlong := append([]byte{0x3a}, bytes.Repeat([]byte{0xff}, 11)...)
	refuseBytes(t, overlong, "damaged")
}

// nest wraps data in the fields of path, from the inside out, n times.
func nest(data []byte, n int, path ...protowire.Number) []byte {
	var head []byte // written backwards: lengths first need what is inside
	size := len(data)
	var parts [][]byte
	for range n {
		for _, f := range path {
			part := protowire.AppendVarint(protowire.AppendTag(nil, f, protowire.BytesType), uint64(size))
			parts = append(parts, part)
			size += len(part)
		}
	}
	for i := len(parts) - 1; i >= 0; i-- {
		head = append(head, parts[i]...)
	}
	return append(head, data...)
}

func TestHostileO03NestedMessages(t *testing.T) {
	refuseBytes(t, nest(nest(nil, 50_000, 6, 5, 1), 1, 7), "nested")     // attribute.g in node.attribute in graph.node
	refuseBytes(t, nest(nest(nil, 50_000, 1, 4), 1, 2, 11, 7), "nested") // sequence_type of sequence_type
}

func TestHostileO04Groups(t *testing.T) {
	refuseBytes(t, bytes.Repeat(protowire.AppendTag(nil, 99, protowire.StartGroupType), 5_000_000), "groups")
	refuseBytes(t, protowire.AppendTag(nil, 99, protowire.EndGroupType), "groups")
}

func TestHostileO05Amplification(t *testing.T) {
	for field, path := range map[protowire.Number][]protowire.Number{1: {7}, 5: {7}, 11: {7}, 13: {7}, 25: {}, 14: {}, 15: {7}, 20: {}} {
		data := bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), nil), 1<<20/2)
		data = append(data, data...)
		refuseBytes(t, nest(data, 1, path...), "")
	}
}

func TestHostileO06Dims(t *testing.T) {
	refuseTensor(t, wTensor(Float, 1<<62, 4), "overflow")
	refuseTensor(t, wTensor(Float, 1<<62), "overflow")
	refuseTensor(t, wTensor(Float, -1), "negative")
	refuseTensor(t, wTensor(Float, 0, math.MinInt64), "negative")
	refuseTensor(t, wTensor(Float, make([]int64, 1<<20)...), "rank")
}

func TestHostileO07Sources(t *testing.T) {
	x := wTensor(Float, 2)
	refuseTensor(t, x, "no data")
	x.RawData = make([]byte, 4)
	refuseTensor(t, x, "asks for 8")
	x.RawData = make([]byte, 12)
	refuseTensor(t, x, "asks for 8")
	x.RawData, x.FloatData = make([]byte, 8), []float32{1, 2}
	refuseTensor(t, x, "only one")
	x.RawData, x.Int64Data = nil, []int64{1, 2}
	refuseTensor(t, x, "only one")
	x.FloatData = nil
	refuseTensor(t, x, "belong in float_data")
	x = wTensor(Int64, 3)
	x.Int64Data = []int64{1, 2}
	refuseTensor(t, x, "asks for 3")
	x = wTensor(Int8, 1)
	x.Int32Data = []int32{256}
	refuseTensor(t, x, "does not fit")
	x = wTensor(Uint32, 1)
	x.Uint64Data = []uint64{1 << 32}
	refuseTensor(t, x, "does not fit")
	refuseTensor(t, wTensor(Undefined, 1), "element type")
}

// TestHostileO07Carried finds bad tensors where nothing of the graph reads them.
func TestHostileO07Carried(t *testing.T) {
	bad := &onnxpb.TensorProto{Name: proto.String("x"), Dims: []int64{4}, DataType: proto.Int32(1), RawData: make([]byte, 15)}
	for name, m := range hiding(bad) {
		_, err := Decode(marshal(t, m))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		mustRefuse(t, err, "15 bytes")
	}
}

func TestHostileO08NarrowElements(t *testing.T) {
	for d, size := range map[DataType]int{Int4: 3, Uint4: 3, Float4E2M1: 3, Int2: 2, Uint2: 2, Bool: 5, Float8E4M3FN: 5, Float8E8M0: 5} {
		for _, n := range []int{size - 1, size + 1} {
			x := wTensor(d, 5)
			x.RawData = make([]byte, n)
			refuseTensor(t, x, "asks for")
			x.RawData, x.Int32Data = nil, make([]int32, n)
			refuseTensor(t, x, "asks for")
		}
		x := wTensor(d, 5)
		x.Int32Data = make([]int32, size)
		if _, err := DecodeTensor(marshal(t, x)); err != nil {
			t.Errorf("%v: %v", d, err)
		}
	}
	x := wTensor(Bool, 1)
	x.RawData = []byte{2}
	refuseTensor(t, x, "neither 0 nor 1")
}

func TestHostileO09RawSize(t *testing.T) {
	x := wTensor(Double, 2)
	x.RawData = make([]byte, 15)
	refuseTensor(t, x, "asks for 16")
}

func TestHostileO10Strings(t *testing.T) {
	x := wTensor(String, 1<<40)
	x.StringData = [][]byte{{'a'}}
	refuseTensor(t, x, "asks for")
	x = wTensor(String, 1)
	x.RawData = []byte("a")
	refuseTensor(t, x, "strings in raw_data")
}

func function(name, overload string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
	return &onnxpb.FunctionProto{Name: &name, Domain: proto.String("f"), Overload: &overload, Node: nodes, Input: []string{"x"},
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}}}
}

func call(name, overload, out string) *onnxpb.NodeProto {
	n := pbNode(name, []string{"x"}, []string{out})
	n.Domain, n.Overload = proto.String("f"), &overload
	return n
}

func withFunctions(fs ...*onnxpb.FunctionProto) *onnxpb.ModelProto {
	m := goodModel()
	m.Functions = fs
	return m
}

func TestHostileO11FunctionCycles(t *testing.T) {
	refuseModel(t, withFunctions(function("a", "", call("a", "", "y"))), "calls itself")
	refuseModel(t, withFunctions(function("a", "", call("b", "", "y")), function("b", "", call("a", "", "y"))), "calls itself")
	branch := graphAttr("then_branch", &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{call("a", "", "z")}})
	refuseModel(t, withFunctions(function("a", "", pbNode("If", []string{"x"}, []string{"y"}, branch))), "calls itself")
	refuseModel(t, withFunctions(function("a", ""), function("a", "")), "defined twice")
	if _, err := Decode(marshal(t, withFunctions(function("a", "", call("a", "other", "y")), function("a", "other")))); err != nil {
		t.Errorf("another overload: %v", err)
	}
}

// chain is n functions of which each calls the next, times times.
func chain(n, times int) *onnxpb.ModelProto {
	var fs []*onnxpb.FunctionProto
	for i := range n {
		var calls []*onnxpb.NodeProto
		for k := range times {
			if i+1 < n {
				calls = append(calls, call(fmt.Sprint("f", i+1), "", fmt.Sprint("y", k)))
			}
		}
		fs = append(fs, function(fmt.Sprint("f", i), "", calls...))
	}
	return withFunctions(fs...)
}

func TestHostileO12FunctionCounts(t *testing.T) {
	refuseModel(t, chain(10_001, 0), "10001 functions")
	refuseModel(t, chain(101, 1), "deep")
	if _, err := Decode(marshal(t, chain(100, 1))); err != nil {
		t.Error(err)
	}
}

func TestHostileO13Depth(t *testing.T) {
	deep := func(n int) *onnxpb.ModelProto {
		m := goodModel()
		g := m.Graph
		for range n {
			inner := &onnxpb.GraphProto{}
			g.Node = append(g.Node, pbNode("If", nil, nil, graphAttr("then_branch", inner)))
			g = inner
		}
		return m
	}
	if _, err := Decode(marshal(t, deep(32))); err != nil {
		t.Error(err)
	}
	refuseModel(t, deep(33), "32 deep")
	refuseModel(t, deep(1000), "deep")
	twice := chain(40, 2)
	twice.Graph.Node = append(twice.Graph.Node, pbNode("Identity", []string{"w"}, []string{"x"}), call("f0", "", "z"))
	refuseModel(t, twice, "expanded")
}

func TestHostileO14Graph(t *testing.T) {
	m := goodModel()
	m.Graph.Node = []*onnxpb.NodeProto{pbNode("Add", []string{"w", "b"}, []string{"y"}), pbNode("Neg", []string{"y"}, []string{"b"})}
	refuseModel(t, m, "depends on its own output")
	m.Graph.Node = []*onnxpb.NodeProto{pbNode("Add", []string{"y", "y"}, []string{"y"})}
	refuseModel(t, m, "depends on its own output")
	m.Graph.Node = []*onnxpb.NodeProto{pbNode("If", []string{"w"}, []string{"y"}, graphAttr("then_branch",
		&onnxpb.GraphProto{Node: []*onnxpb.NodeProto{pbNode("Neg", []string{"y"}, []string{"z"})}}))}
	refuseModel(t, m, "depends on its own output")
	m.Graph.Node = []*onnxpb.NodeProto{pbNode("Neg", []string{"nothing"}, []string{"y"})}
	refuseModel(t, m, `"nothing", which nothing defines`)
	m.Graph.Node = []*onnxpb.NodeProto{pbNode("Neg", []string{"w"}, []string{"y"}), pbNode("Abs", []string{"w"}, []string{"y"})}
	refuseModel(t, m, `"y" is defined twice`)
	m.Graph.Node = []*onnxpb.NodeProto{pbNode("Neg", []string{"w"}, []string{"w"})}
	refuseModel(t, m, `"w" is defined twice`)
	m.Graph.Node = []*onnxpb.NodeProto{pbNode("If", []string{"w"}, []string{"y"}, graphAttr("then_branch",
		&onnxpb.GraphProto{Node: []*onnxpb.NodeProto{pbNode("Neg", []string{"w"}, []string{"w"})}}))}
	refuseModel(t, m, "in a graph around it")
	m = goodModel()
	m.Graph.Initializer = append(m.Graph.Initializer, m.Graph.Initializer[0])
	refuseModel(t, m, "defined twice")
	m = goodModel()
	m.Graph.Output[0].Name = proto.String("z")
	refuseModel(t, m, `"z", is not defined`)
	m = goodModel()
	m.Graph.Initializer[0].Name = nil
	refuseModel(t, m, "no name")
}

func TestHostileO15Opsets(t *testing.T) {
	set := func(versions ...int64) *onnxpb.ModelProto {
		m := goodModel()
		m.OpsetImport = nil
		for _, v := range versions {
			m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Version: &v})
		}
		return m
	}
	refuseModel(t, set(), "no operator set")
	for _, v := range []int64{0, -1, 1 << 31, math.MaxInt64} {
		refuseModel(t, set(v), fmt.Sprint(v))
	}
	refuseModel(t, set(17, 18), "imported twice")
	m := set(17, 18)
	m.OpsetImport[0].Domain = proto.String("ai.onnx")
	refuseModel(t, m, "imported twice")
}

func TestHostileO16IRVersion(t *testing.T) {
	for _, v := range []int64{0, -1, 1 << 31, math.MaxInt64} {
		m := goodModel()
		m.IrVersion = &v
		refuseModel(t, m, "ir_version")
	}
}

func TestHostileO22CustomOperator(t *testing.T) {
	m := goodModel()
	n := pbNode("Gelu", []string{"w"}, []string{"y"})
	n.Domain = proto.String("com.microsoft")
	n.Attribute = []*onnxpb.AttributeProto{{Name: proto.String("library"), S: []byte("/tmp/evil.so"), Type: onnxpb.AttributeProto_STRING.Enum()}}
	m.Graph.Node = []*onnxpb.NodeProto{n}
	got, err := Decode(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if f := Check(got); len(f) == 0 || f[0].Rule != "opset-import" {
		t.Errorf("findings: %v", f)
	}
}

func TestHostileO23Metadata(t *testing.T) {
	m := goodModel()
	for range 1 << 20 {
		m.MetadataProps = append(m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String("k"), Value: proto.String("v")})
	}
	refuseModel(t, m, "")
	m.MetadataProps = m.MetadataProps[:maxMetadata+1]
	refuseModel(t, m, "metadata")
	m.MetadataProps = m.MetadataProps[:2]
	got, err := Decode(marshal(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(Check(got)), `key "k" occurs twice`) {
		t.Errorf("findings: %v", Check(got))
	}
	for _, name := range []string{"\x1b[2J", "<script>", "]]>", "a\nb", "\xff", "\u202e", strings.Repeat("a", 1<<20)} {
		m := goodModel()
		m.Graph.Node[0].Input[0] = name
		_, err := Decode(marshal(t, m))
		mustRefuse(t, err, "which nothing defines")
		for _, r := range err.Error() {
			if r < ' ' || r == 0x202e || r == 0xfffd {
				t.Errorf("%q: the message has the rune %q", name, r)
			}
		}
		if len(err.Error()) > 1000 {
			t.Errorf("a message of %d bytes", len(err.Error()))
		}
	}
}

func TestHostileO24NotONNX(t *testing.T) {
	refuseBytes(t, protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "hello"), "no graph")
	refuseBytes(t, append(marshal(t, goodModel()), "PK\x03\x04\x14\x00\x00\x00\x08\x00"...), "damaged")
	refuseBytes(t, []byte("PK\x03\x04 a zip"), "damaged")
	refuseBytes(t, []byte("<!DOCTYPE html><html>"), "")
	refuseBytes(t, []byte("version https://git-lfs.github.com/spec/v1\n"), "")
}
