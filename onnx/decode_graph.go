package onnx

import (
	"fmt"

	"graft/onnx/internal/onnxpb"
)

// scope is what the names of a graph mean while it is decoded.
type scope struct {
	names map[string]definition
	outer *scope
	at    int // place of the node of the outer graph whose subgraph this is

	unsorted bool // a node stands before one that it reads
}

// definition is a value and the place of the node that makes it; -1 for inputs and initializers.
type definition struct {
	value *Value
	at    int
}

// resolve finds what a name means here. Inner definitions win.
func (s *scope) resolve(name string) *Value {
	for ; s != nil; s = s.outer {
		if def, ok := s.names[name]; ok {
			return def.value
		}
	}
	return nil
}

// visible reports whether a graph around s defines name before the node that holds s.
func (s *scope) visible(name string) bool {
	for ; s.outer != nil; s = s.outer {
		if def, ok := s.outer.names[name]; ok && def.at < s.at {
			return true
		}
	}
	return false
}

func (d *decoder) graph(pb *onnxpb.GraphProto, where string, s *scope) *Graph {
	if s == nil {
		s = &scope{}
	}
	s.names = make(map[string]definition, len(pb.Initializer)+len(pb.Node))
	g := &Graph{Name: pb.GetName(), Doc: pb.GetDocString(), Metadata: d.metadata(pb.MetadataProps, where)}
	define := func(v *Value, at int, what string) {
		switch _, twice := s.names[v.Name]; {
		case v.Name == "":
			d.problem("%s: %s has no name", where, what)
		case twice:
			d.problem("%s: %q is defined twice, the second time by %s", where, v.Name, what)
		case s.visible(v.Name):
			d.problem("%s: %q is defined by %s and in a graph around it", where, v.Name, what)
		default:
			s.names[v.Name] = definition{v, at}
		}
	}
	for i, info := range pb.Input {
		v := &Value{Name: info.GetName()}
		d.sizes(info, where+": input ")
		d.describe(v, info)
		define(v, -1, fmt.Sprintf("input %d", i))
		g.inputs = append(g.inputs, v)
	}
	d.initializers(pb, g, s, where, define)
	pb.Node = d.lastConstants(pb.Node, where)
	for i, n := range pb.Node {
		node := &Node{}
		g.enter(node)
		for j, name := range n.Output {
			if name == "" {
				node.outputs = append(node.outputs, nil)
				continue
			}
			v := &Value{Name: name, producer: node, index: j}
			define(v, i, fmt.Sprintf("node %d (%s)", i, n.GetOpType()))
			node.outputs = append(node.outputs, v)
		}
	}
	d.outputs(pb, g, s, where)
	infos := pb.ValueInfo[:0]
	for _, info := range pb.ValueInfo {
		def, ok := s.names[info.GetName()]
		if !ok || def.value.listed {
			infos = append(infos, info)
			continue
		}
		def.value.listed = true
		d.describe(def.value, info)
	}
	for i, n := range pb.Node {
		d.node(n, g.nodes[i], i, where, s)
	}
	if n := g.Cycle(); n != nil {
		d.problem("%s: node %q depends on its own output", where, n)
	}
	pb.Name, pb.DocString, pb.MetadataProps, pb.Input, pb.Output, pb.Initializer, pb.SparseInitializer, pb.Node =
		nil, nil, nil, nil, nil, nil, nil, nil
	pb.ValueInfo = infos
	g.extra = rest(pb)
	return g
}

// lastConstants drops each Constant node whose output a later Constant makes again: ONNX Runtime reads the last one, and
// its own tools write such files. Any other second definition is refused.
func (d *decoder) lastConstants(nodes []*onnxpb.NodeProto, where string) []*onnxpb.NodeProto {
	constant := func(n *onnxpb.NodeProto) bool {
		return n.GetOpType() == "Constant" && canonicalDomain(n.GetDomain()) == "" && len(n.Input) == 0 && len(n.Output) == 1
	}
	last := map[string]int{}
	for i, n := range nodes {
		if constant(n) {
			last[n.Output[0]] = i
		}
	}
	var kept []*onnxpb.NodeProto
	for i, n := range nodes {
		if constant(n) && last[n.Output[0]] > i && n.Output[0] != "" {
			d.note(where, "ssa", "two Constant nodes make %q, the last one counts", n.Output[0])
			continue
		}
		kept = append(kept, n)
	}
	return kept
}

// initializers reads the dense and the sparse ones. Up to IR version 3 each is an input as well: then it is one value in
// both lists.
func (d *decoder) initializers(pb *onnxpb.GraphProto, g *Graph, s *scope, where string, define func(*Value, int, string)) {
	inputs := make(map[string]*Value, len(g.inputs))
	for _, v := range g.inputs {
		inputs[v.Name] = v
	}
	add := func(name string, i int) *Value {
		v := inputs[name]
		if v == nil || v.IsInitializer() || name == "" {
			v = &Value{Name: name}
			define(v, -1, fmt.Sprintf("initializer %d", i))
		}
		g.initializers = append(g.initializers, v)
		return v
	}
	for i, t := range pb.Initializer {
		v := add(t.GetName(), i)
		if v.Const = d.tensor(t, where+": initializer"); v.Const == nil {
			v.Const = &Tensor{}
		}
		if v.Type.DType == Undefined && v.IsTensor() {
			v.Type = v.Const.Type()
		}
	}
	for i, t := range pb.SparseInitializer {
		v := add(t.GetValues().GetName(), i)
		if v.Sparse = d.sparse(t, where+": sparse initializer"); v.Sparse == nil {
			v.Sparse = &SparseTensor{}
			continue
		}
		if v.Type.DType == Undefined && v.IsTensor() {
			v.Type = TypeOf(v.Sparse.Values.DType, v.Sparse.Dims...)
		}
	}
}

func (d *decoder) outputs(pb *onnxpb.GraphProto, g *Graph, s *scope, where string) {
	for i, info := range pb.Output {
		v := s.resolve(info.GetName())
		if v == nil || info.GetName() == "" {
			d.problem("%s: output %d, %q, is not defined", where, i, info.GetName())
			continue
		}
		d.sizes(info, where+": output ")
		if own, ok := s.names[v.Name]; ok && own.value == v && own.at >= 0 || v.IsInitializer() && ok {
			d.describe(v, info)
		}
		g.outputs = append(g.outputs, v)
	}
}

// sizes notes negative dimensions, which are read as unknown ones.
func (d *decoder) sizes(info *onnxpb.ValueInfoProto, where string) {
	for i, dim := range info.GetType().GetTensorType().GetShape().GetDim() {
		if n := dim.GetDimValue(); n < 0 {
			d.note(where+info.GetName(), "shape", "dimension %d is %d, read as an unknown one", i, n)
		}
	}
}

// describe fills in what a value_info says of v, as far as nothing else said it before.
func (d *decoder) describe(v *Value, info *onnxpb.ValueInfoProto) {
	if v.Type.DType == Undefined && v.Type.Shape == nil && v.IsTensor() && v.typeExact == nil {
		d.valueType(v, info.Type)
	} else if t, exact := tensorType(info.Type); v.IsInitializer() && v.typeExact == nil && !exact &&
		t.Equal(v.Type) {
		v.typeExact = rest(info.Type)
	}
	if v.Doc == "" {
		v.Doc = info.GetDocString()
	}
	info.Name, info.DocString, info.Type = nil, nil, nil
	if v.extra == nil {
		v.extra = rest(info)
	}
}

func (d *decoder) node(pb *onnxpb.NodeProto, n *Node, at int, where string, s *scope) {
	n.Name, n.Op, n.Domain, n.Overload, n.Doc =
		pb.GetName(), pb.GetOpType(), pb.GetDomain(), pb.GetOverload(), pb.GetDocString()
	if n.Op == "" {
		d.problem("%s: node %d has no op_type", where, at)
	}
	n.Metadata = d.metadata(pb.MetadataProps, where+": node "+n.Name)
	n.inputs, n.places = make([]*Value, len(pb.Input)), make([]int, len(pb.Input))
	for i, name := range pb.Input {
		if name == "" {
			continue
		}
		v := s.resolve(name)
		if v == nil {
			d.problem("%s: node %q reads %q, which nothing defines", where, n, name)
			continue
		}
		n.SetInput(i, v)
		if def, own := s.names[name]; own && def.at >= at && !s.unsorted {
			s.unsorted = true
			d.note(where, "order", "the nodes are not in topological order: %q is read before it is made", name)
		}
	}
	seen := make(map[string]bool, len(pb.Attribute))
	for _, a := range pb.Attribute {
		if seen[a.GetName()] {
			d.problem("%s: node %q has attribute %q twice", where, n, a.GetName())
		}
		seen[a.GetName()] = true
		n.Attrs = append(n.Attrs, d.attr(a, n, at, where, s))
	}
	pb.Name, pb.OpType, pb.Domain, pb.Overload, pb.DocString, pb.MetadataProps = nil, nil, nil, nil, nil, nil
	pb.Input, pb.Output, pb.Attribute = nil, nil, nil
	n.extra = rest(pb)
}
