package onnx

import (
	"fmt"
	"io"
	"strings"

	"graft/onnx/internal/onnxpb"
)

// TextOptions say how much of a model Text writes.
type TextOptions struct {
	// Full writes every tensor element and every node name. Otherwise tensors of more than 32 elements are elided, as
	// {...}, and so are node names of the form that AssignNames gives; Parse refuses elided tensors.
	Full bool
}

// Text is m in ONNX's textual syntax, elided for reading. Values and nodes without a name get one. Doc strings, metadata
// and sparse initializers of graphs have no place in the syntax.
func (m *Model) Text() string {
	var b strings.Builder
	_ = m.WriteText(&b, TextOptions{})
	return b.String()
}

// WriteText writes m in ONNX's textual syntax. What Parse makes of the full form is the same network.
func (m *Model) WriteText(w io.Writer, o TextOptions) error {
	pb, err := m.message()
	if err != nil {
		fmt.Fprintf(w, "# %v\n", err)
		return fmt.Errorf("write model as text: %w", err)
	}
	p := printer{full: o.Full}
	p.model(pb)
	_, err = io.WriteString(w, p.b.String())
	return err
}

// Text is g in ONNX's textual syntax, elided for reading.
func (g *Graph) Text() string {
	g.AssignNames()
	var e encoder
	var p printer
	p.graph(e.graph(g), 0)
	p.b.WriteByte('\n')
	if e.err != nil {
		return fmt.Sprintf("# %v\n%s", e.err, p.b.String())
	}
	return p.b.String()
}

type printer struct {
	b    strings.Builder
	full bool
}

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

func (p *printer) model(pb *onnxpb.ModelProto) {
	p.printf("<\n   ir_version: %d,\n   opset_import: ", pb.GetIrVersion())
	p.opsets(pb.OpsetImport)
	for _, f := range []struct {
		key   string
		value *string
	}{{"producer_name", pb.ProducerName}, {"producer_version", pb.ProducerVersion}, {"domain", pb.Domain}} {
		if f.value != nil {
			p.printf(",\n   %s: %s", f.key, quoted(*f.value))
		}
	}
	if pb.ModelVersion != nil {
		p.printf(",\n   model_version: %d", *pb.ModelVersion)
	}
	if pb.DocString != nil {
		p.printf(",\n   doc_string: %s", quoted(*pb.DocString))
	}
	if len(pb.MetadataProps) > 0 {
		p.printf(",\n   metadata_props: [")
		for i, kv := range pb.MetadataProps {
			p.separate(i)
			p.printf("%s: %s", quoted(kv.GetKey()), quoted(kv.GetValue()))
		}
		p.printf("]")
	}
	p.printf("\n>\n")
	p.graph(pb.Graph, 0)
	p.printf("\n")
	for _, f := range pb.Functions {
		p.function(f)
	}
}

func (p *printer) separate(i int) {
	if i > 0 {
		p.b.WriteString(", ")
	}
}

func (p *printer) opsets(list []*onnxpb.OperatorSetIdProto) {
	p.printf("[")
	for i, o := range list {
		p.separate(i)
		p.printf("%s : %d", quoted(o.GetDomain()), o.GetVersion())
	}
	p.printf("]")
}

func (p *printer) function(f *onnxpb.FunctionProto) {
	p.printf("<\n   domain: %s,\n", quoted(f.GetDomain()))
	if f.Overload != nil {
		p.printf("   overload: %s,\n", quoted(f.GetOverload()))
	}
	if f.DocString != nil {
		p.printf("   doc_string: %s,\n", quoted(f.GetDocString()))
	}
	p.printf("   opset_import: ")
	p.opsets(f.OpsetImport)
	p.printf("\n>\n%s ", identifier(f.GetName()))
	if len(f.Attribute)+len(f.AttributeProto) > 0 {
		p.printf("<")
		for i, a := range f.Attribute {
			p.separate(i)
			p.printf("%s", identifier(a))
		}
		for i, a := range f.AttributeProto {
			p.separate(i + len(f.Attribute))
			p.attr(a, 0)
		}
		p.printf("> ")
	}
	p.names("(", f.Input, ")")
	p.printf(" => ")
	p.names("(", f.Output, ")")
	p.printf("\n")
	if len(f.ValueInfo) > 0 {
		p.printf("<")
		for i, v := range f.ValueInfo {
			p.separate(i)
			p.valueInfo(v)
		}
		p.printf(">\n")
	}
	p.nodes(f.Node, 0)
	p.printf("\n")
}

func (p *printer) names(open string, list []string, close string) {
	p.b.WriteString(open)
	for i, s := range list {
		p.separate(i)
		p.b.WriteString(identifier(s))
	}
	p.b.WriteString(close)
}

// graph prints g, the braces of its nodes depth levels in.
func (p *printer) graph(g *onnxpb.GraphProto, depth int) {
	indent := strings.Repeat("   ", depth+1)
	p.printf("%s (", identifier(g.GetName()))
	for i, v := range g.Input {
		p.separate(i)
		p.valueInfo(v)
	}
	p.printf(") => (")
	for i, v := range g.Output {
		p.separate(i)
		p.valueInfo(v)
	}
	p.printf(")")
	if len(g.Initializer)+len(g.ValueInfo) > 0 {
		p.printf("\n%s<", indent)
		for i, t := range g.Initializer {
			if i > 0 {
				p.printf(",\n%s ", indent)
			}
			p.tensor(t, " = ")
		}
		for i, v := range g.ValueInfo {
			if i+len(g.Initializer) > 0 {
				p.printf(",\n%s ", indent)
			}
			p.valueInfo(v)
		}
		p.printf(">\n%s", indent[3:])
	} else {
		p.printf(" ")
	}
	for _, t := range g.SparseInitializer {
		p.printf("# sparse initializer %s %s, which the syntax cannot say\n", quoted(printable(t.GetValues().GetName())), dimsText(t.Dims))
	}
	p.nodes(g.Node, depth)
}

func (p *printer) nodes(nodes []*onnxpb.NodeProto, depth int) {
	indent := strings.Repeat("   ", depth+1)
	p.printf("{\n")
	for _, n := range nodes {
		p.b.WriteString(indent)
		if n.Name != nil && (p.full || !derivedName(n.GetName(), n.GetOpType())) {
			p.printf("[%s] ", identifier(n.GetName()))
		}
		p.names("", n.Output, "")
		p.printf(" = ")
		if n.GetDomain() != "" {
			p.printf("%s.", dotted(n.GetDomain()))
		}
		p.b.WriteString(identifier(n.GetOpType()))
		if n.GetOverload() != "" {
			p.printf(":%s", identifier(n.GetOverload()))
		}
		subgraphs := false
		for _, a := range n.Attribute {
			subgraphs = subgraphs || a.G != nil || len(a.Graphs) > 0
		}
		if !subgraphs {
			p.attrs(n.Attribute, depth)
		}
		p.names(" (", n.Input, ")")
		if subgraphs {
			p.attrs(n.Attribute, depth)
		}
		p.printf("\n")
	}
	p.printf("%s}", indent[3:])
}

func (p *printer) attrs(list []*onnxpb.AttributeProto, depth int) {
	if len(list) == 0 {
		return
	}
	p.printf(" <")
	for i, a := range list {
		p.separate(i)
		p.attr(a, depth+1)
	}
	p.printf(">")
}

// derivedName reports whether a node's name is its operator and a number, as AssignNames makes them.
func derivedName(name, op string) bool {
	number, ok := strings.CutPrefix(name, op+"_")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

func (p *printer) valueInfo(v *onnxpb.ValueInfoProto) {
	name := identifier(v.GetName())
	if t := typeText(v.Type); t != "" {
		p.printf("%s %s", t, name)
	} else if isTypeName(name) {
		p.b.WriteString(quoted(name))
	} else {
		p.b.WriteString(name)
	}
}

// isIdentifier reports whether s needs no quotes.
func isIdentifier(s string) bool {
	for i := range len(s) {
		if !isWordByte(s[i], i > 0) {
			return false
		}
	}
	return s != ""
}

func isWordByte(c byte, digits bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digits && c >= '0' && c <= '9'
}

// identifier is s, in quotes where it is not a C identifier.
func identifier(s string) string {
	if isIdentifier(s) {
		return s
	}
	return quoted(s)
}

// dotted is a domain: identifiers with dots between, or a quoted string.
func dotted(s string) string {
	for part := range strings.SplitSeq(s, ".") {
		if !isIdentifier(part) {
			return quoted(s)
		}
	}
	return s
}

// quoted escapes quotes and backslashes and nothing else: that is all the syntax knows.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func isTypeName(s string) bool {
	switch s {
	case "seq", "map", "optional", "sparse_tensor", "opaque":
		return true
	}
	d, ok := ParseDataType(s)
	return ok && d.String() == s
}
