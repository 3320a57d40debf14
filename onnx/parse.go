package onnx

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// maxTextBytes bounds what Parse reads.
const maxTextBytes = 256 << 20

// Parse reads a model in ONNX's textual syntax, as onnx.parser does:
//
//	<ir_version: 10, opset_import: ["" : 21]>
//	agraph (float[N,3] x) => (float[N,2] y) <float[3,2] w = {1, 2, 3, 4, 5, 6}> {
//	   y = MatMul (x, w)
//	}
//
// Types go before names, float is a scalar, float[] has unknown rank. Names that are no identifiers go in quotes. The error
// is a *SyntaxError for the text, or as Decode's for the model that it says.
func Parse(text string) (*Model, error) {
	if len(text) > maxTextBytes {
		return nil, refuse("%d bytes of text, at most %d are read", len(text), maxTextBytes)
	}
	p := textParser{textScanner: textScanner{src: text}}
	pb, err := p.model()
	if err != nil {
		return nil, err
	}
	if err := refuseExternal(pb); err != nil {
		return nil, err
	}
	var d decoder
	m := d.model(pb)
	if err := d.err(); err != nil {
		return nil, err
	}
	return m, nil
}

// ParseGraph reads a graph without a model around it: "agraph (float[N] x) => (float[N] y) { y = Relu (x) }".
func ParseGraph(text string) (*Graph, error) {
	if len(text) > maxTextBytes {
		return nil, refuse("%d bytes of text, at most %d are read", len(text), maxTextBytes)
	}
	p := textParser{textScanner: textScanner{src: text}}
	pb, err := p.graph(0)
	if err == nil && p.peek() != 0 {
		err = p.expected("the end of the graph")
	}
	if err != nil {
		return nil, err
	}
	if err := refuseExternal(&onnxpb.ModelProto{Graph: pb}); err != nil {
		return nil, err
	}
	var d decoder
	g := d.graph(pb, "graph", nil)
	if err := d.err(); err != nil {
		return nil, err
	}
	return g, nil
}

// textParser reads messages; what their names mean is the decoder's to find out.
type textParser struct {
	textScanner
}

// each reads items with commas between, up to close.
func (p *textParser) each(close string, item func() error) error {
	if p.take(close) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if p.take(close) {
			return nil
		}
		if !p.take(",") {
			return p.expected("\",\" or \"" + close + "\"")
		}
	}
}

func (p *textParser) int64() (int64, error) {
	p.skip()
	from := p.at
	s, float, err := p.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || float {
		p.at = from
		return 0, p.expected("an integer of 64 bits")
	}
	return n, nil
}

func (p *textParser) model() (*onnxpb.ModelProto, error) {
	pb := &onnxpb.ModelProto{}
	text := map[string]**string{"producer_name": &pb.ProducerName, "producer_version": &pb.ProducerVersion,
		"domain": &pb.Domain, "doc_string": &pb.DocString}
	numbers := map[string]**int64{"ir_version": &pb.IrVersion, "model_version": &pb.ModelVersion}
	if p.take("<") {
		err := p.each(">", func() error {
			key, err := p.key()
			if err != nil {
				return err
			}
			switch {
			case text[key] != nil:
				return p.text(text[key])
			case numbers[key] != nil:
				n, err := p.int64()
				*numbers[key] = &n
				return err
			case key == "opset_import":
				pb.OpsetImport, err = p.opsets()
				return err
			case key == "metadata_props":
				pb.MetadataProps, err = p.entries()
				return err
			}
			return p.unknownKey(key)
		})
		if err != nil {
			return nil, err
		}
	}
	var err error
	if pb.Graph, err = p.graph(0); err != nil {
		return nil, err
	}
	for p.peek() != 0 {
		f, err := p.function()
		if err != nil {
			return nil, err
		}
		pb.Functions = append(pb.Functions, f)
	}
	return pb, nil
}

// key reads "word:".
func (p *textParser) key() (string, error) {
	w := p.word()
	if w == "" {
		return "", p.expected("a key")
	}
	return w, p.expect(":")
}

func (p *textParser) unknownKey(key string) error {
	p.at = strings.LastIndex(p.src[:p.at], key)
	return p.fail("unknown key %q", key)
}

func (p *textParser) text(to **string) error {
	s, err := p.str()
	*to = &s
	return err
}

func (p *textParser) opsets() ([]*onnxpb.OperatorSetIdProto, error) {
	var out []*onnxpb.OperatorSetIdProto
	if err := p.expect("["); err != nil {
		return nil, err
	}
	err := p.each("]", func() error {
		o := &onnxpb.OperatorSetIdProto{}
		out = append(out, o)
		if err := p.text(&o.Domain); err != nil {
			return err
		}
		if err := p.expect(":"); err != nil {
			return err
		}
		n, err := p.int64()
		o.Version = &n
		return err
	})
	return out, err
}

func (p *textParser) entries() ([]*onnxpb.StringStringEntryProto, error) {
	var out []*onnxpb.StringStringEntryProto
	if err := p.expect("["); err != nil {
		return nil, err
	}
	err := p.each("]", func() error {
		kv := &onnxpb.StringStringEntryProto{}
		out = append(out, kv)
		if err := p.text(&kv.Key); err != nil {
			return err
		}
		if err := p.expect(":"); err != nil {
			return err
		}
		return p.text(&kv.Value)
	})
	return out, err
}

func (p *textParser) function() (*onnxpb.FunctionProto, error) {
	f := &onnxpb.FunctionProto{}
	text := map[string]**string{"domain": &f.Domain, "overload": &f.Overload, "doc_string": &f.DocString}
	if p.take("<") {
		err := p.each(">", func() error {
			key, err := p.key()
			switch {
			case err != nil:
				return err
			case text[key] != nil:
				return p.text(text[key])
			case key == "opset_import":
				f.OpsetImport, err = p.opsets()
				return err
			}
			return p.unknownKey(key)
		})
		if err != nil {
			return nil, err
		}
	}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	f.Name = &name
	if p.take("<") {
		err := p.each(">", func() error {
			at := p.at
			name, err := p.name()
			if err != nil {
				return err
			}
			if c := p.peek(); c != ':' && c != '=' {
				f.Attribute = append(f.Attribute, name)
				return nil
			}
			p.at = at
			a, err := p.attr(0)
			f.AttributeProto = append(f.AttributeProto, a)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	signature := func(to *[]string) error {
		if err := p.expect("("); err != nil {
			return err
		}
		return p.each(")", func() error {
			v, err := p.valueInfo()
			*to = append(*to, v.GetName())
			if v.GetType() != nil {
				f.ValueInfo = append(f.ValueInfo, v)
			}
			return err
		})
	}
	if err := signature(&f.Input); err != nil {
		return nil, err
	}
	if err := p.expect("=>"); err != nil {
		return nil, err
	}
	if err := signature(&f.Output); err != nil {
		return nil, err
	}
	if p.take("<") {
		err := p.each(">", func() error {
			v, err := p.valueInfo()
			f.ValueInfo = append(f.ValueInfo, v)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	f.Node, err = p.nodes(0)
	return f, err
}

func (p *textParser) graph(depth int) (*onnxpb.GraphProto, error) {
	if depth > maxSubgraphDepth {
		return nil, p.fail("graphs are nested more than %d deep", maxSubgraphDepth)
	}
	g := &onnxpb.GraphProto{}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	g.Name = &name
	// declared reads a value and, after "=", its initializer.
	declared := func(to *[]*onnxpb.ValueInfoProto, always bool) func() error {
		return func() error {
			v, err := p.valueInfo()
			if err != nil {
				return err
			}
			initialized := p.take("=")
			if always || !initialized {
				*to = append(*to, v)
			}
			if initialized {
				t, err := p.tensor(v.Type, v.GetName())
				g.Initializer = append(g.Initializer, t)
				return err
			}
			return nil
		}
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if err := p.each(")", declared(&g.Input, true)); err != nil {
		return nil, err
	}
	if err := p.expect("=>"); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	err = p.each(")", func() error {
		v, err := p.valueInfo()
		g.Output = append(g.Output, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	if p.take("<") {
		if err := p.each(">", declared(&g.ValueInfo, false)); err != nil {
			return nil, err
		}
	}
	g.Node, err = p.nodes(depth)
	return g, err
}

func (p *textParser) nodes(depth int) ([]*onnxpb.NodeProto, error) {
	if err := p.expect("{"); err != nil {
		return nil, err
	}
	var out []*onnxpb.NodeProto
	for !p.take("}") {
		n, err := p.node(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func (p *textParser) node(depth int) (*onnxpb.NodeProto, error) {
	n := &onnxpb.NodeProto{}
	var err error
	if p.take("[") {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		n.Name = &name
		if err := p.expect("]"); err != nil {
			return nil, err
		}
	}
	if n.Output, err = p.names(); err != nil {
		return nil, err
	}
	if err := p.expect("="); err != nil {
		return nil, err
	}
	var parts []string
	for {
		part, err := p.name()
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if !p.take(".") {
			break
		}
	}
	n.OpType = proto.String(parts[len(parts)-1])
	if len(parts) > 1 {
		n.Domain = proto.String(strings.Join(parts[:len(parts)-1], "."))
	}
	if p.take(":") {
		overload, err := p.name()
		if err != nil {
			return nil, err
		}
		n.Overload = &overload
	}
	if n.Attribute, err = p.attrs(depth); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if n.Input, err = p.names(); err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if len(n.Attribute) == 0 {
		n.Attribute, err = p.attrs(depth)
	}
	return n, err
}

// names reads a list of names. An absent one is "", or nothing before a comma.
func (p *textParser) names() ([]string, error) {
	var out []string
	for {
		switch c := p.peek(); {
		case c == '"':
			s, err := p.str()
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		case c == ',':
			out = append(out, "")
		default:
			w := p.word()
			if w == "" {
				return out, nil
			}
			out = append(out, w)
		}
		if !p.take(",") {
			return out, nil
		}
	}
}
