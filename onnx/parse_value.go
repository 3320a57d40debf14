package onnx

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// nextIsType reports whether a type comes next, and not a name.
func (p *textParser) nextIsType() bool { return isTypeName(p.peekWord()) }

// valueInfo reads "float[N] x" or "x".
func (p *textParser) valueInfo() (*onnxpb.ValueInfoProto, error) {
	v := &onnxpb.ValueInfoProto{}
	if p.nextIsType() {
		t, err := p.typeProto(0)
		if err != nil {
			return nil, err
		}
		v.Type = t
	}
	name, err := p.name()
	v.Name = &name
	return v, err
}

func (p *textParser) elementType() (int32, error) {
	p.skip()
	from := p.at
	w := p.word()
	d, ok := ParseDataType(w)
	if !ok || d.String() != w {
		p.at = from
		return 0, p.expected("an element type")
	}
	return int32(d), nil
}

func (p *textParser) typeProto(depth int) (*onnxpb.TypeProto, error) {
	if depth > maxSubgraphDepth {
		return nil, p.fail("types are nested more than %d deep", maxSubgraphDepth)
	}
	inner := func() (*onnxpb.TypeProto, error) {
		t, err := p.typeProto(depth + 1)
		if err != nil {
			return nil, err
		}
		return t, p.expect(")")
	}
	keyword := p.peekWord()
	switch keyword {
	case "seq", "map", "optional", "sparse_tensor", "opaque":
		p.word()
		if err := p.expect("("); err != nil {
			return nil, err
		}
	}
	switch keyword {
	case "seq":
		t, err := inner()
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: &onnxpb.TypeProto_Sequence{ElemType: t}}}, err
	case "optional":
		t, err := inner()
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OptionalType{OptionalType: &onnxpb.TypeProto_Optional{ElemType: t}}}, err
	case "map":
		key, err := p.elementType()
		if err != nil {
			return nil, err
		}
		if err := p.expect(","); err != nil {
			return nil, err
		}
		t, err := inner()
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_MapType{MapType: &onnxpb.TypeProto_Map{KeyType: &key, ValueType: t}}}, err
	case "sparse_tensor":
		elem, shape, err := p.tensorType()
		if err != nil {
			return nil, err
		}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SparseTensorType{
			SparseTensorType: &onnxpb.TypeProto_SparseTensor{ElemType: &elem, Shape: shape}}}, p.expect(")")
	case "opaque":
		o := &onnxpb.TypeProto_Opaque{}
		var parts []string
		for p.peek() != ')' {
			w, err := p.name()
			if err != nil {
				return nil, err
			}
			parts = append(parts, w)
			if p.take(",") {
				o.Domain = proto.String(strings.Join(parts, "."))
				parts = nil
			} else if !p.take(".") {
				break
			}
		}
		if len(parts) > 0 {
			o.Name = proto.String(strings.Join(parts, "."))
		}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OpaqueType{OpaqueType: o}}, p.expect(")")
	}
	elem, shape, err := p.tensorType()
	if err != nil {
		return nil, err
	}
	return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: &elem, Shape: shape}}}, nil
}

func (p *textParser) tensorType() (elem int32, shape *onnxpb.TensorShapeProto, err error) {
	if elem, err = p.elementType(); err != nil {
		return 0, nil, err
	}
	if !p.take("[") {
		return elem, &onnxpb.TensorShapeProto{}, nil
	}
	if p.take("]") {
		return elem, nil, nil
	}
	shape = &onnxpb.TensorShapeProto{}
	return elem, shape, p.each("]", func() error {
		d := &onnxpb.TensorShapeProto_Dimension{}
		shape.Dim = append(shape.Dim, d)
		c := p.peek()
		switch {
		case p.take("?"):
		case c == '"' || isIdentifier(string(rune(c))):
			s, err := p.name()
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: s}
			return err
		default:
			n, err := p.int64()
			if err != nil {
				return err
			}
			d.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: n}
		}
		return nil
	})
}

// tensor reads the elements of a tensor of a type that stands before it.
func (p *textParser) tensor(t *onnxpb.TypeProto, name string) (*onnxpb.TensorProto, error) {
	pt := t.GetTensorType()
	if pt == nil {
		return nil, p.fail("an initializer needs a tensor type before its name")
	}
	pb := &onnxpb.TensorProto{Name: text(name), DataType: pt.ElemType}
	if pt.Shape == nil {
		return nil, p.fail("an initializer needs the sizes of its dimensions")
	}
	for _, d := range pt.Shape.Dim {
		size, ok := d.Value.(*onnxpb.TensorShapeProto_Dimension_DimValue)
		if !ok {
			return nil, p.fail("an initializer needs the sizes of its dimensions")
		}
		pb.Dims = append(pb.Dims, size.DimValue)
	}
	if p.peek() == '[' {
		pb.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		var err error
		pb.ExternalData, err = p.entries()
		return pb, err
	}
	if strings.HasPrefix(p.src[p.at:], "{...}") {
		return nil, p.expected("elements")
	}
	if err := p.expect("{"); err != nil {
		return nil, err
	}
	return pb, p.each("}", func() error { return p.element(pb) })
}

// element reads one element into the typed field that suits. Bits of narrow and 16-bit float types are integers.
func (p *textParser) element(pb *onnxpb.TensorProto) error {
	d := DataType(pb.GetDataType())
	if d == String {
		s, err := p.str()
		pb.StringData = append(pb.StringData, []byte(s))
		return err
	}
	p.skip()
	from := p.at
	s, float, err := p.number()
	if err != nil {
		return err
	}
	bits := 32
	switch fieldOf(d) {
	case "float_data":
		var v float64
		v, err = strconv.ParseFloat(s, 32)
		pb.FloatData = append(pb.FloatData, float32(v))
	case "double_data":
		var v float64
		v, err = strconv.ParseFloat(s, 64)
		pb.DoubleData = append(pb.DoubleData, v)
	case "uint64_data":
		if d == Uint64 {
			bits = 64
		}
		var v uint64
		v, err = strconv.ParseUint(s, 10, bits)
		pb.Uint64Data = append(pb.Uint64Data, v)
	case "int64_data":
		var v int64
		v, err = strconv.ParseInt(s, 10, 64)
		pb.Int64Data = append(pb.Int64Data, v)
	default:
		var v int64
		v, err = strconv.ParseInt(s, 10, 32)
		pb.Int32Data = append(pb.Int32Data, int32(v))
		if float {
			err = strconv.ErrSyntax
		}
	}
	if err != nil {
		p.at = from
		return p.fail("%s does not fit %v", s, d)
	}
	return nil
}

func (p *textParser) attrs(depth int) ([]*onnxpb.AttributeProto, error) {
	if !p.take("<") {
		return nil, nil
	}
	var out []*onnxpb.AttributeProto
	err := p.each(">", func() error {
		a, err := p.attr(depth)
		out = append(out, a)
		return err
	})
	return out, err
}

// attr reads "axis = 1", "axis: int = 1", "axes: ints = []" or, in a function, "axis: int = @axis".
func (p *textParser) attr(depth int) (*onnxpb.AttributeProto, error) {
	a := &onnxpb.AttributeProto{}
	name, err := p.name()
	if err != nil {
		return nil, err
	}
	a.Name = &name
	if p.take(":") {
		p.skip()
		from := p.at
		kind, ok := onnxpb.AttributeProto_AttributeType_value[strings.ToUpper(p.word())]
		if !ok || kind == 0 {
			p.at = from
			return nil, p.expected("the type of an attribute: int, float, string, tensor, graph, ints, ...")
		}
		a.Type = onnxpb.AttributeProto_AttributeType(kind).Enum()
	}
	if err := p.expect("="); err != nil {
		return nil, err
	}
	p.skip()
	from := p.at
	if !p.take("[") {
		v, err := p.single(singular(a.GetType()), depth)
		if err != nil {
			return nil, err
		}
		if a.Type != nil && v.Type != nil && a.GetType() != v.GetType() {
			p.at = from
			return nil, p.fail("attribute %q is declared %s, the value is %s", name, kindText(a.GetType()), kindText(v.GetType()))
		}
		if v.Type == nil {
			v.Type = a.Type
		}
		v.Name = a.Name
		return v, nil
	}
	return a, p.valueList(a, from, depth)
}

// valueList reads the values of a list after its bracket.
func (p *textParser) valueList(a *onnxpb.AttributeProto, from, depth int) error {
	if a.Type != nil && a.GetType() == singular(a.GetType()) {
		p.at = from
		return p.fail("attribute %q is declared %s, the value is a list", a.GetName(), kindText(a.GetType()))
	}
	var element onnxpb.AttributeProto_AttributeType
	if a.Type != nil {
		element = singular(a.GetType())
	}
	err := p.each("]", func() error {
		p.skip()
		at := p.at
		v, err := p.single(element, depth)
		if err != nil {
			return err
		}
		if element == onnxpb.AttributeProto_UNDEFINED {
			element = v.GetType()
		}
		if v.GetType() != element {
			p.at = at
			return p.fail("a list of %s holds %s", kindText(element), kindText(v.GetType()))
		}
		switch v.GetType() {
		case onnxpb.AttributeProto_INT:
			a.Ints = append(a.Ints, v.GetI())
			a.Type = onnxpb.AttributeProto_INTS.Enum()
		case onnxpb.AttributeProto_FLOAT:
			a.Floats = append(a.Floats, v.GetF())
			a.Type = onnxpb.AttributeProto_FLOATS.Enum()
		case onnxpb.AttributeProto_STRING:
			a.Strings = append(a.Strings, v.GetS())
			a.Type = onnxpb.AttributeProto_STRINGS.Enum()
		case onnxpb.AttributeProto_TENSOR:
			a.Tensors = append(a.Tensors, v.GetT())
			a.Type = onnxpb.AttributeProto_TENSORS.Enum()
		case onnxpb.AttributeProto_GRAPH:
			a.Graphs = append(a.Graphs, v.GetG())
			a.Type = onnxpb.AttributeProto_GRAPHS.Enum()
		case onnxpb.AttributeProto_TYPE_PROTO:
			a.TypeProtos = append(a.TypeProtos, v.GetTp())
			a.Type = onnxpb.AttributeProto_TYPE_PROTOS.Enum()
		default:
			p.at = at
			return p.expected("a value")
		}
		return nil
	})
	if err == nil && a.Type == nil {
		p.at = from
		return p.fail("an empty list needs its type: %s: ints = []", a.GetName())
	}
	return err
}

// single reads one value. want, when it is known, makes 1 a float.
func (p *textParser) single(want onnxpb.AttributeProto_AttributeType, depth int) (*onnxpb.AttributeProto, error) {
	a := &onnxpb.AttributeProto{}
	c := p.peek()
	word := strings.ToLower(p.peekWord())
	switch {
	case c == '@':
		p.at++
		ref, err := p.name()
		a.RefAttrName = &ref
		return a, err
	case p.nextIsType():
		t, err := p.typeProto(0)
		if err != nil {
			return nil, err
		}
		if c := p.peek(); c != '{' && c != '=' && c != '"' && c != '[' && p.peekWord() == "" {
			a.Type, a.Tp = onnxpb.AttributeProto_TYPE_PROTO.Enum(), t
			return a, nil
		}
		name := ""
		if c := p.peek(); c == '"' || p.peekWord() != "" {
			if name, err = p.name(); err != nil {
				return nil, err
			}
		}
		p.take("=")
		a.Type = onnxpb.AttributeProto_TENSOR.Enum()
		a.T, err = p.tensor(t, name)
		return a, err
	case c == '"' && want != onnxpb.AttributeProto_GRAPH:
		s, err := p.str()
		a.Type, a.S = onnxpb.AttributeProto_STRING.Enum(), []byte(s)
		return a, err
	case c == '"' || word != "" && word != "nan" && word != "inf" && word != "infinity":
		g, err := p.graph(depth + 1)
		a.Type, a.G = onnxpb.AttributeProto_GRAPH.Enum(), g
		return a, err
	}
	from := p.at
	s, float, err := p.number()
	if err != nil {
		return nil, err
	}
	if float || want == onnxpb.AttributeProto_FLOAT {
		v, err := strconv.ParseFloat(s, 32)
		if err != nil {
			p.at = from
			return nil, p.fail("%s does not fit float", s)
		}
		a.Type, a.F = onnxpb.AttributeProto_FLOAT.Enum(), proto.Float32(float32(v))
		return a, nil
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		p.at = from
		return nil, p.fail("%s does not fit int64", s)
	}
	a.Type, a.I = onnxpb.AttributeProto_INT.Enum(), &v
	return a, nil
}

// singular is the type of a list's values; other types are their own.
func singular(t onnxpb.AttributeProto_AttributeType) onnxpb.AttributeProto_AttributeType {
	switch t {
	case onnxpb.AttributeProto_FLOATS:
		return onnxpb.AttributeProto_FLOAT
	case onnxpb.AttributeProto_INTS:
		return onnxpb.AttributeProto_INT
	case onnxpb.AttributeProto_STRINGS:
		return onnxpb.AttributeProto_STRING
	case onnxpb.AttributeProto_TENSORS:
		return onnxpb.AttributeProto_TENSOR
	case onnxpb.AttributeProto_GRAPHS:
		return onnxpb.AttributeProto_GRAPH
	case onnxpb.AttributeProto_SPARSE_TENSORS:
		return onnxpb.AttributeProto_SPARSE_TENSOR
	case onnxpb.AttributeProto_TYPE_PROTOS:
		return onnxpb.AttributeProto_TYPE_PROTO
	}
	return t
}

func kindText(t onnxpb.AttributeProto_AttributeType) string { return strings.ToLower(t.String()) }
