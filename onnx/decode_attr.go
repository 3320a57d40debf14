package onnx

import (
	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// attr reads an attribute of node n, the at-th of its graph.
func (d *decoder) attr(pb *onnxpb.AttributeProto, n *Node, at int, where string, s *scope) Attr {
	a := Attr{Name: pb.GetName(), Ref: pb.GetRefAttrName(), Doc: pb.GetDocString()}
	if a.Name == "" {
		d.problem("%s: node %q has an attribute without a name", where, n)
	}
	pb.Name, pb.RefAttrName, pb.DocString = nil, nil, nil
	kind := pb.GetType()
	if pb.Type == nil || kind == onnxpb.AttributeProto_UNDEFINED {
		if kind = populated(pb); d.ir > 1 {
			d.broken(where+": node "+n.String(), "attribute", "attribute %q has no type, which ir_version 2 and later ask for", a.Name)
		}
	}
	if a.Ref != "" {
		a.kind = int32(kind)
	}
	here := func() string { return where + ": node " + n.String() + ": attribute " + a.Name }
	subgraph := func(g *onnxpb.GraphProto) *Graph {
		return d.graph(g, where+"/"+n.String()+"."+a.Name, &scope{outer: s, at: at})
	}
	switch kind {
	case onnxpb.AttributeProto_FLOAT:
		a.Value = pb.GetF()
		pb.F = nil
	case onnxpb.AttributeProto_INT:
		a.Value = pb.GetI()
		pb.I = nil
	case onnxpb.AttributeProto_STRING:
		a.Value = string(pb.GetS())
		pb.S = nil
	case onnxpb.AttributeProto_FLOATS:
		a.Value = append([]float32{}, pb.Floats...)
		pb.Floats = nil
	case onnxpb.AttributeProto_INTS:
		a.Value = append([]int64{}, pb.Ints...)
		pb.Ints = nil
	case onnxpb.AttributeProto_STRINGS:
		list := make([]string, len(pb.Strings))
		for i, b := range pb.Strings {
			list[i] = string(b)
		}
		a.Value, pb.Strings = list, nil
	case onnxpb.AttributeProto_TENSOR:
		var t *Tensor
		switch {
		case pb.T != nil:
			t = d.tensor(pb.T, here())
		case a.Ref == "":
			d.problem("%s: the tensor is missing", here())
		}
		a.Value, pb.T = t, nil
	case onnxpb.AttributeProto_TENSORS:
		list := make([]*Tensor, len(pb.Tensors))
		for i, t := range pb.Tensors {
			list[i] = d.tensor(t, here())
		}
		a.Value, pb.Tensors = list, nil
	case onnxpb.AttributeProto_GRAPH:
		var g *Graph
		switch {
		case pb.G != nil:
			g = subgraph(pb.G)
		case a.Ref == "":
			d.problem("%s: the graph is missing", here())
		}
		a.Value, pb.G = g, nil
	case onnxpb.AttributeProto_GRAPHS:
		list := make([]*Graph, len(pb.Graphs))
		for i, g := range pb.Graphs {
			list[i] = subgraph(g)
		}
		a.Value, pb.Graphs = list, nil
	case onnxpb.AttributeProto_TYPE_PROTO:
		if t, exact := tensorType(pb.Tp); pb.Tp != nil && exact {
			a.Value, pb.Tp = t, nil
			break
		}
		return d.opaque(a, pb)
	default:
		return d.opaque(a, pb)
	}
	pb.Type = nil
	if other := populated(pb); other != onnxpb.AttributeProto_UNDEFINED {
		d.broken(where+": node "+n.String(), "attribute", "attribute %q has type %v and values of type %v too", a.Name, kind, other)
	}
	a.extra = rest(pb)
	return a
}

// opaque carries the attribute's value along unread. Sparse tensors in it are checked.
func (d *decoder) opaque(a Attr, pb *onnxpb.AttributeProto) Attr {
	for _, t := range append([]*onnxpb.SparseTensorProto{pb.SparseTensor}, pb.SparseTensors...) {
		if t != nil {
			d.sparse(proto.CloneOf(t), "attribute "+a.Name)
		}
	}
	a.Value = rest(pb)
	return a
}

// populated tells the type of an attribute of IR version 1, which has no type field.
func populated(pb *onnxpb.AttributeProto) onnxpb.AttributeProto_AttributeType {
	switch {
	case pb.F != nil:
		return onnxpb.AttributeProto_FLOAT
	case pb.I != nil:
		return onnxpb.AttributeProto_INT
	case pb.S != nil:
		return onnxpb.AttributeProto_STRING
	case pb.T != nil:
		return onnxpb.AttributeProto_TENSOR
	case pb.G != nil:
		return onnxpb.AttributeProto_GRAPH
	case len(pb.Floats) > 0:
		return onnxpb.AttributeProto_FLOATS
	case len(pb.Ints) > 0:
		return onnxpb.AttributeProto_INTS
	case len(pb.Strings) > 0:
		return onnxpb.AttributeProto_STRINGS
	case len(pb.Tensors) > 0:
		return onnxpb.AttributeProto_TENSORS
	case len(pb.Graphs) > 0:
		return onnxpb.AttributeProto_GRAPHS
	}
	return onnxpb.AttributeProto_UNDEFINED
}
