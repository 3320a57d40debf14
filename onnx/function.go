package onnx

import (
	"slices"

	"graft/onnx/internal/onnxpb"
)

// Function is an operator that a model defines by a graph of others. Attributes of the body's nodes may refer to the
// function's own by Attr.Ref.
type Function struct {
	Domain, Name, Overload string
	Doc                    string
	Attributes             []string // those without a default
	Opsets                 []Opset
	Metadata               Metadata
	Body                   *Graph

	extra Opaque // attribute defaults, and fields of the file that the IR does not know
}

// Functions lists the functions that m defines.
func (m *Model) Functions() []*Function { return slices.Clone(m.functions) }

// SetFunctions replaces the functions that m defines.
func (m *Model) SetFunctions(fs ...*Function) { m.functions = slices.Clone(fs) }

// functionKey is what a node names a function by.
type functionKey struct{ domain, name, overload string }

func (f *Function) key() functionKey {
	return functionKey{canonicalDomain(f.Domain), f.Name, f.Overload}
}

func (n *Node) key() functionKey { return functionKey{canonicalDomain(n.Domain), n.Op, n.Overload} }

func (f *Function) clone() *Function {
	c := *f
	c.Attributes, c.Opsets, c.Metadata = slices.Clone(f.Attributes), slices.Clone(f.Opsets), slices.Clone(f.Metadata)
	c.Body, _ = f.Body.Clone()
	return &c
}

func (d *decoder) function(pb *onnxpb.FunctionProto) *Function {
	f := &Function{Domain: pb.GetDomain(), Name: pb.GetName(), Overload: pb.GetOverload(), Doc: pb.GetDocString(),
		Attributes: pb.Attribute}
	where := "function " + f.Domain + "." + f.Name
	f.Metadata = d.metadata(pb.MetadataProps, where)
	f.Opsets = d.opsets(pb.OpsetImport)
	body := &onnxpb.GraphProto{Node: pb.Node, ValueInfo: pb.ValueInfo}
	for _, name := range pb.Input {
		body.Input = append(body.Input, &onnxpb.ValueInfoProto{Name: &name})
	}
	for _, name := range pb.Output {
		body.Output = append(body.Output, &onnxpb.ValueInfoProto{Name: &name})
	}
	f.Body = d.graph(body, where, nil)
	pb.Domain, pb.Name, pb.Overload, pb.DocString, pb.Attribute, pb.MetadataProps = nil, nil, nil, nil, nil, nil
	pb.OpsetImport, pb.Node, pb.ValueInfo, pb.Input, pb.Output = nil, nil, nil, nil, nil
	f.extra = rest(pb)
	return f
}

func (e *encoder) function(f *Function) *onnxpb.FunctionProto {
	pb := &onnxpb.FunctionProto{Domain: text(f.Domain), Name: text(f.Name), Overload: text(f.Overload),
		DocString: text(f.Doc), Attribute: f.Attributes, MetadataProps: e.metadata(f.Metadata), OpsetImport: e.opsets(f.Opsets)}
	body := e.graph(f.Body)
	for _, v := range body.Input {
		pb.Input = append(pb.Input, v.GetName())
	}
	for _, v := range body.Output {
		pb.Output = append(pb.Output, v.GetName())
	}
	pb.Node, pb.ValueInfo = body.Node, body.ValueInfo
	e.merge(pb, f.extra)
	return pb
}
