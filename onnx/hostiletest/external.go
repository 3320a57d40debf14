package hostiletest

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// Beside is a model with nothing wrong about it whose weight of four elements lies in the file at location, from byte 8 on.
func Beside(location string) *onnxpb.ModelProto {
	m := Identity(External("w", []int64{4}, "location", location, "offset", "8", "length", "16"))
	four := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: 4}}
	m.Graph.Output[0].Type = &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{
		ElemType: proto.Int32(float), Shape: &onnxpb.TensorShapeProto{Dim: []*onnxpb.TensorShapeProto_Dimension{four}}}}}
	return m
}

// entry is a model with a tensor of 16 bytes in another file.
func entry(id, name, says string, entries ...string) Model {
	return message(id, name, says, func() *onnxpb.ModelProto { return Identity(External("w", []int64{4}, entries...)) })
}

// located is a model with a tensor in the file at a location.
func located(id, name, says, location string) Model {
	return entry(id, name, says, "location", location)
}

// external are attacks by the location, offset and length of data.
func external() []Model {
	list := []Model{
		located("E01", "parent folder", "outside", "../secret"),
		located("E02", "parent of a folder that is not there", "outside", "a/../../secret"),
		located("E02", "parent of a folder", "outside", "sub/../../secret"),
		located("E03", "absolute", "outside", "/etc/passwd"),
		{ID: "E03", Name: "E03 absolute, in the folder", Says: "outside", data: func(t testing.TB, folder string) []byte {
			return Marshal(t, Identity(External("w", []int64{4}, "location", filepath.Join(folder, "w.bin"))))
		}},
		located("E04", "drive", "Windows", `C:\x`),
		located("E04", "drive with a slash", "Windows", "c:/x"),
		located("E04", "share", "Windows", `\\host\share`),
		located("E04", "backslash", "Windows", `..\secret`),
		located("E04", "file URL", "URL", "file:///etc/passwd"),
		located("E04", "http URL", "URL", "http://host/w.bin"),
		located("E10", "a folder", "regular", "sub"),
		located("E10", "a folder by its slash", "folder", "sub/"),
		located("E10", "empty", "missing", ""),
		located("E10", "the folder", "folder", "."),
		located("E10", "NUL", "NUL", "a\x00b"),
		located("E10", "64 KiB", "4096", strings.Repeat("a", 64<<10)),
		located("E10", "not there", "does not exist", "none.bin"),
		entry("E10", "no location", "missing", "offset", "0"),
		entry("E11", "negative offset", "offset", "location", "w.bin", "offset", "-1"),
		entry("E11", "most negative offset", "offset", "location", "w.bin", "offset", "-9223372036854775808"),
		entry("E12", "negative length", "length", "location", "w.bin", "length", "-1"),
		entry("E13", "length 2^60", "length is 1152921504606846976", "location", "w.bin", "length", "1152921504606846976"),
		message("E13", "length and dims 2^60", "1024", func() *onnxpb.ModelProto {
			return Identity(External("w", []int64{1 << 58}, "location", "w.bin", "length", "1152921504606846976"))
		}),
		entry("E13", "offset at the end", "1024", "location", "w.bin", "offset", "1024"),
		entry("E14", "sum above 2^63", "overflow", "location", "w.bin", "offset", "9223372036854775807", "length", "16"),
		entry("E14", "offset 2^63", "offset", "location", "w.bin", "offset", "9223372036854775808"),
	}
	for _, n := range []string{"1e3", " 4", "0x10", "+4", "4 ", "", "٤", "1_0", "010"} {
		list = append(list, entry("E15", "offset "+strconv.Quote(n), "offset", "location", "w.bin", "offset", n),
			entry("E15", "length "+strconv.Quote(n), "length", "location", "w.bin", "length", n))
	}
	list = append(list,
		entry("E16", "unknown key", "unknown key", "location", "w.bin", "colour", "red"),
		entry("E16", "a key that is a member", "unknown key", "location", "w.bin", "__class__", "x"),
		entry("E16", "location twice", "twice", "location", "w.bin", "location", "w.bin"),
		entry("E16", "offset twice", "twice", "location", "w.bin", "offset", "0", "offset", "0"),
		entry("E17", "length above the shape's", "asks for 16", "location", "w.bin", "length", "17"),
		entry("E17", "length below the shape's", "asks for 16", "location", "w.bin", "length", "15"),
		entry("E17", "length 0", "asks for 16", "location", "w.bin", "length", "0"))
	for _, h := range Hiding(External("x", []int64{4}, "location", "../secret")) {
		list = append(list, message("E18", h.Where, "outside", func() *onnxpb.ModelProto { return h.Model }))
	}
	return append(list,
		located("E19", "address in memory", "address in memory", "*/_ORT_MEM_ADDR_/*"),
		entry("W04", "offset 2^40", "1024", "location", "w.bin", "offset", "1099511627776"),
		located("W06", "the model as its data", "the model itself", File))
}

// Hidden is a model in which a tensor lies where readers forget to look.
type Hidden struct {
	Where string
	Model *onnxpb.ModelProto
}

// Hiding hides a tensor.
func Hiding(x *onnxpb.TensorProto) []Hidden {
	w := func() *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: proto.String("w"), Dims: []int64{1}, DataType: proto.Int32(float), FloatData: []float32{1}}
	}
	index := func() *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Dims: []int64{4}, DataType: proto.Int32(int64s), Int64Data: []int64{0, 1, 2, 3}}
	}
	value := func() *onnxpb.TensorProto {
		return &onnxpb.TensorProto{Name: proto.String("s"), Dims: []int64{4}, DataType: proto.Int32(float), FloatData: []float32{1, 2, 3, 4}}
	}
	node := func(a ...*onnxpb.AttributeProto) *onnxpb.NodeProto { return Node("Constant", nil, []string{"c"}, a...) }
	attr := func(name string) *onnxpb.AttributeProto { return &onnxpb.AttributeProto{Name: &name} }
	withNode := func(n *onnxpb.NodeProto) *onnxpb.ModelProto {
		m := Identity(w())
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
	inSparse := Identity(w())
	inSparse.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: x, Indices: index(), Dims: []int64{8}}}
	inIndex := Identity(w())
	inIndex.Graph.SparseInitializer = []*onnxpb.SparseTensorProto{{Values: value(), Indices: x, Dims: []int64{8}}}
	inFunction := Identity(w())
	inFunction.Functions = []*onnxpb.FunctionProto{{Name: proto.String("f"), Domain: proto.String("d"), Output: []string{"c"},
		Node: []*onnxpb.NodeProto{node(constant)}}}
	inDefault := Identity(w())
	inDefault.Functions = []*onnxpb.FunctionProto{{Name: proto.String("f"), Domain: proto.String("d"),
		AttributeProto: []*onnxpb.AttributeProto{constant}}}
	inTraining := Identity(w())
	inTraining.TrainingInfo = []*onnxpb.TrainingInfoProto{{Algorithm: &onnxpb.GraphProto{Initializer: []*onnxpb.TensorProto{x}}}}
	inStart := Identity(w())
	inStart.TrainingInfo = []*onnxpb.TrainingInfoProto{{Initialization: body}}
	return []Hidden{
		{"Constant.value", withNode(node(constant))}, {"tensors", withNode(node(list))},
		{"Constant.sparse_value", withNode(node(sparseValue))}, {"sparse indices", withNode(node(sparseIndex))},
		{"sparse_tensors", withNode(node(sparseList))}, {"subgraph", withNode(node(sub))}, {"graphs", withNode(node(subs))},
		{"subgraph initializer", withNode(node(subInit))}, {"sparse_initializer", inSparse}, {"sparse_initializer indices", inIndex},
		{"function", inFunction}, {"function default", inDefault}, {"training_info", inTraining}, {"initialization", inStart},
	}
}
