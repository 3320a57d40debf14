package onnx

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// Attr is an attribute of a node. Value is one of int64, float32, string, *Tensor, *Graph, TensorType, []int64,
// []float32, []string, []*Tensor, []*Graph, or Opaque for what the IR carries along unread.
type Attr struct {
	Name  string
	Value any
	Ref   string // in a function body: the function's attribute that is passed on; Value then holds its zero value
	Doc   string
	kind  int32  // AttributeType of a Ref, whose Value cannot tell it
	extra Opaque // fields of the file that the IR does not know
}

// Opaque is an encoded protobuf message that is written back as it was read.
type Opaque []byte

// Int, Ints and the others make attributes.
func Int(name string, v int64) Attr           { return Attr{Name: name, Value: v} }
func Ints(name string, v ...int64) Attr       { return Attr{Name: name, Value: v} }
func Float32(name string, v float32) Attr     { return Attr{Name: name, Value: v} }
func Float32s(name string, v ...float32) Attr { return Attr{Name: name, Value: v} }
func Str(name, v string) Attr                 { return Attr{Name: name, Value: v} }
func TensorAttr(name string, t *Tensor) Attr  { return Attr{Name: name, Value: t} }
func GraphAttr(name string, g *Graph) Attr    { return Attr{Name: name, Value: g} }

// AttrOr gives n's attribute of that name, or def when it is absent or has another type. A type error is the checker's
// to report.
func AttrOr[T int64 | float32 | string | []int64 | []float32 | []string | *Tensor | *Graph | TensorType](n *Node, name string, def T) T {
	if a, ok := n.Attr(name); ok {
		if v, ok := a.Value.(T); ok {
			return v
		}
	}
	return def
}

// String is "axis = 1".
func (a Attr) String() string { return fmt.Sprintf("%s = %v", a.Name, a.Value) }

// kinds of attributes, by their numbers in the format.
var attributeKinds = map[onnxpb.AttributeProto_AttributeType]string{
	onnxpb.AttributeProto_FLOAT: "float", onnxpb.AttributeProto_INT: "int", onnxpb.AttributeProto_STRING: "string",
	onnxpb.AttributeProto_TENSOR: "tensor", onnxpb.AttributeProto_GRAPH: "graph", onnxpb.AttributeProto_FLOATS: "floats",
	onnxpb.AttributeProto_INTS: "ints", onnxpb.AttributeProto_STRINGS: "strings", onnxpb.AttributeProto_TENSORS: "tensors",
	onnxpb.AttributeProto_GRAPHS: "graphs", onnxpb.AttributeProto_SPARSE_TENSOR: "sparse_tensor",
	onnxpb.AttributeProto_SPARSE_TENSORS: "sparse_tensors", onnxpb.AttributeProto_TYPE_PROTO: "type_proto",
	onnxpb.AttributeProto_TYPE_PROTOS: "type_protos",
}

// Kind names the type of a's value as the standard does: "int", "floats", "sparse_tensor". It is empty when that is not known.
func (a Attr) Kind() string {
	if a.Ref != "" {
		return attributeKinds[onnxpb.AttributeProto_AttributeType(a.kind)]
	}
	switch v := a.Value.(type) {
	case float32:
		return "float"
	case int64:
		return "int"
	case string:
		return "string"
	case []float32:
		return "floats"
	case []int64:
		return "ints"
	case []string:
		return "strings"
	case *Tensor:
		return "tensor"
	case []*Tensor:
		return "tensors"
	case *Graph:
		return "graph"
	case []*Graph:
		return "graphs"
	case TensorType:
		return "type_proto"
	case Opaque:
		pb := &onnxpb.AttributeProto{}
		if proto.Unmarshal(v, pb) == nil {
			return attributeKinds[pb.GetType()]
		}
	}
	return ""
}
