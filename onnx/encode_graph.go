package onnx

import (
	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

func (e *encoder) graph(g *Graph) *onnxpb.GraphProto {
	e.inside++
	defer func() { e.inside-- }()
	var nodes []*onnxpb.NodeProto
	var inputs, outputs, infos []*onnxpb.ValueInfoProto
	pb := e.parts(g, graphParts{
		node:   func(n *Node) { nodes = append(nodes, e.node(n)) },
		input:  func(v *Value) { inputs = append(inputs, e.valueInfo(v)) },
		output: func(v *Value) { outputs = append(outputs, e.valueInfo(v)) },
		info:   func(v *Value) { infos = append(infos, e.valueInfo(v)) },
	})
	pb.Node, pb.Input, pb.Output, pb.ValueInfo = nodes, inputs, outputs, append(infos, pb.ValueInfo...)
	return pb
}

// graphParts takes what a graph has many of, each list in its order.
type graphParts struct {
	node                func(*Node)
	input, output, info func(*Value)
}

// parts hands out the nodes and described values of g, and gives the message of all else. Descriptions that the file had of
// nothing in the graph are in that: they stand behind the others.
func (e *encoder) parts(g *Graph, to graphParts) *onnxpb.GraphProto {
	pb := &onnxpb.GraphProto{Name: text(g.Name), DocString: text(g.Doc), MetadataProps: e.metadata(g.Metadata)}
	inputs := make(map[*Value]bool, len(g.inputs))
	for _, v := range g.inputs {
		to.input(v)
		inputs[v] = true
	}
	outputs := make(map[*Value]bool, len(g.outputs))
	for _, v := range g.outputs {
		to.output(v)
		outputs[v] = true
	}
	for _, v := range g.inputs {
		if v.listed {
			to.info(v)
		}
	}
	for _, v := range g.initializers {
		if v.Sparse != nil {
			pb.SparseInitializer = append(pb.SparseInitializer, e.sparse(v.Sparse, v.Name))
		} else {
			pb.Initializer = append(pb.Initializer, e.placed(v.Const, v.Name, true))
		}
		if v.listed && !inputs[v] {
			to.info(v)
		}
	}
	for _, n := range g.Nodes() {
		to.node(n)
		for _, v := range n.outputs {
			if v != nil && (v.listed || v.typed() && !outputs[v]) {
				to.info(v)
			}
		}
	}
	e.merge(pb, g.extra)
	return pb
}

// typed reports whether enough is known of v's type to be written: a shape without an element type is no type of the format.
func (v *Value) typed() bool {
	return v.Type.complete() || v.typeProto != nil || v.typeExact != nil
}

func (e *encoder) valueInfo(v *Value) *onnxpb.ValueInfoProto {
	pb := &onnxpb.ValueInfoProto{Name: text(v.Name), Type: e.valueType(v), DocString: text(v.Doc)}
	e.merge(pb, v.extra)
	return pb
}

// valueType is the type as read where the IR cannot say it, as long as nobody changed it since.
func (e *encoder) valueType(v *Value) *onnxpb.TypeProto {
	if v.typeProto != nil {
		pb := &onnxpb.TypeProto{}
		e.merge(pb, v.typeProto)
		if t, _ := tensorType(pb); v.Type.Of == nil || v.Type.Equal(t) {
			return pb
		}
	}
	if v.typeExact != nil {
		pb := &onnxpb.TypeProto{}
		e.merge(pb, v.typeExact)
		if t, _ := tensorType(pb); t.Equal(v.Type) {
			return pb
		}
	}
	return typeMessage(v.Type)
}

// typeMessage is nil without an element type, for then it is no type of the format.
func typeMessage(t TensorType) *onnxpb.TypeProto {
	if !t.complete() {
		return nil
	}
	if t.Of != nil {
		elem := typeMessage(t.Of.Elem)
		if t.Of.Kind == Optional {
			return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OptionalType{OptionalType: &onnxpb.TypeProto_Optional{ElemType: elem}}}
		}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: elem}}}
	}
	pt := &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(int32(t.DType))}
	if t.Shape != nil {
		pt.Shape = &onnxpb.TensorShapeProto{}
		for _, d := range t.Shape {
			dim := &onnxpb.TensorShapeProto_Dimension{}
			switch {
			case d.Symbol != "":
				dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.Symbol}
			case d.Size >= 0:
				dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d.Size}
			}
			pt.Shape.Dim = append(pt.Shape.Dim, dim)
		}
	}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: pt}}
}

func (e *encoder) node(n *Node) *onnxpb.NodeProto {
	pb := &onnxpb.NodeProto{Name: text(n.Name), OpType: text(n.Op), Domain: text(n.Domain), Overload: text(n.Overload),
		DocString: text(n.Doc), MetadataProps: e.metadata(n.Metadata)}
	for _, v := range n.inputs {
		pb.Input = append(pb.Input, e.inputName(n, v))
	}
	for _, v := range n.outputs {
		pb.Output = append(pb.Output, nameOf(v))
	}
	for _, a := range n.Attrs {
		pb.Attribute = append(pb.Attribute, e.attr(a, n))
	}
	e.merge(pb, n.extra)
	return pb
}

// inputName is the name of what n reads, which is defined somewhere.
func (e *encoder) inputName(n *Node, v *Value) string {
	if v != nil && v.Name == "" {
		e.fail("%v reads a value that is not in the graph", n)
	}
	return nameOf(v)
}

// nameOf is empty for an absent value.
func nameOf(v *Value) string {
	if v == nil {
		return ""
	}
	return v.Name
}

func (e *encoder) attr(a Attr, n *Node) *onnxpb.AttributeProto {
	pb := &onnxpb.AttributeProto{}
	kind := onnxpb.AttributeProto_UNDEFINED
	switch v := a.Value.(type) {
	case float32:
		kind, pb.F = onnxpb.AttributeProto_FLOAT, &v
	case int64:
		kind, pb.I = onnxpb.AttributeProto_INT, &v
	case string:
		kind, pb.S = onnxpb.AttributeProto_STRING, []byte(v)
	case []float32:
		kind, pb.Floats = onnxpb.AttributeProto_FLOATS, v
	case []int64:
		kind, pb.Ints = onnxpb.AttributeProto_INTS, v
	case []string:
		kind = onnxpb.AttributeProto_STRINGS
		for _, s := range v {
			pb.Strings = append(pb.Strings, []byte(s))
		}
	case *Tensor:
		kind = onnxpb.AttributeProto_TENSOR
		if v != nil {
			pb.T = e.placed(v, v.Name, false)
		}
	case []*Tensor:
		kind = onnxpb.AttributeProto_TENSORS
		for _, t := range v {
			pb.Tensors = append(pb.Tensors, e.placed(t, t.Name, false))
		}
	case *Graph:
		kind = onnxpb.AttributeProto_GRAPH
		if v != nil {
			pb.G = e.graph(v)
		}
	case []*Graph:
		kind = onnxpb.AttributeProto_GRAPHS
		for _, g := range v {
			pb.Graphs = append(pb.Graphs, e.graph(g))
		}
	case TensorType:
		kind, pb.Tp = onnxpb.AttributeProto_TYPE_PROTO, typeMessage(v)
	case Opaque:
		e.merge(pb, v)
		kind = pb.GetType()
	default:
		e.fail("%v: attribute %q: a value of type %T cannot be written", n, a.Name, a.Value)
	}
	if a.Ref != "" { // the value is the caller's to give
		pb.F, pb.I, pb.S = nil, nil, nil
		if a.kind != 0 {
			kind = onnxpb.AttributeProto_AttributeType(a.kind)
		}
	}
	if kind != onnxpb.AttributeProto_UNDEFINED {
		pb.Type = kind.Enum()
	}
	pb.Name, pb.RefAttrName, pb.DocString = text(a.Name), text(a.Ref), text(a.Doc)
	e.merge(pb, a.extra)
	return pb
}
