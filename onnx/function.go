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
	Defaults               []Attr   // the others
	Opsets                 []Opset
	Metadata               Metadata
	Body                   *Graph

	extra Opaque // fields of the file that the IR does not know
}

// Functions lists the functions that m defines.
func (m *Model) Functions() []*Function { return slices.Clone(m.functions) }

// SetFunctions replaces the functions that m defines.
func (m *Model) SetFunctions(fs ...*Function) { m.functions = slices.Clone(fs) }

// FunctionKey is what a node names a function by. The default domain is "".
type FunctionKey struct{ Domain, Name, Overload string }

// Key is what nodes name f by.
func (f *Function) Key() FunctionKey {
	return FunctionKey{canonicalDomain(f.Domain), f.Name, f.Overload}
}

// Key is the key of the function that n calls, if the model has it.
func (n *Node) Key() FunctionKey { return FunctionKey{canonicalDomain(n.Domain), n.Op, n.Overload} }

// Opset gives the version of a domain that f imports, 0 when it does not.
func (f *Function) Opset(domain string) int64 { return (&Model{Opsets: f.Opsets}).Opset(domain) }

// SetOpset makes f import a version of a domain in place of any other.
func (f *Function) SetOpset(domain string, version int64) {
	m := Model{Opsets: f.Opsets}
	m.SetOpset(domain, version)
	f.Opsets = m.Opsets
}

func (f *Function) clone() *Function {
	c := *f
	c.Attributes, c.Opsets, c.Metadata = slices.Clone(f.Attributes), slices.Clone(f.Opsets), slices.Clone(f.Metadata)
	c.Body, _ = f.Body.Clone()
	c.Defaults = slices.Clone(f.Defaults)
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
	for _, a := range pb.AttributeProto {
		f.Defaults = append(f.Defaults, d.attr(a, &Node{Op: f.Name}, 0, where, nil))
	}
	pb.Domain, pb.Name, pb.Overload, pb.DocString, pb.Attribute, pb.MetadataProps = nil, nil, nil, nil, nil, nil
	pb.OpsetImport, pb.Node, pb.ValueInfo, pb.Input, pb.Output, pb.AttributeProto = nil, nil, nil, nil, nil, nil
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
	for _, a := range f.Defaults {
		pb.AttributeProto = append(pb.AttributeProto, e.attr(a, &Node{Op: f.Name}))
	}
	e.merge(pb, f.extra)
	return pb
}
