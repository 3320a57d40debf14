package onnx

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"graft/onnx/internal/onnxpb"
)

// elided is how many elements of a tensor the short form prints.
const elided = 32

// typeText is a type in the textual syntax, empty when it is not known. A scalar is "float", unknown rank "float[]".
func typeText(t *onnxpb.TypeProto) string {
	switch v := t.GetValue().(type) {
	case *onnxpb.TypeProto_TensorType:
		if !DataType(v.TensorType.GetElemType()).Valid() {
			return ""
		}
		return tensorTypeText(v.TensorType.GetElemType(), v.TensorType.Shape)
	case *onnxpb.TypeProto_SparseTensorType:
		return "sparse_tensor(" + tensorTypeText(v.SparseTensorType.GetElemType(), v.SparseTensorType.Shape) + ")"
	case *onnxpb.TypeProto_SequenceType:
		return "seq(" + typeText(v.SequenceType.GetElemType()) + ")"
	case *onnxpb.TypeProto_OptionalType:
		return "optional(" + typeText(v.OptionalType.GetElemType()) + ")"
	case *onnxpb.TypeProto_MapType:
		return "map(" + DataType(v.MapType.GetKeyType()).String() + ", " + typeText(v.MapType.GetValueType()) + ")"
	case *onnxpb.TypeProto_OpaqueType:
		s := v.OpaqueType.GetName()
		if d := v.OpaqueType.GetDomain(); d != "" {
			s = d + "," + s
		}
		return "opaque(" + s + ")"
	}
	return ""
}

func tensorTypeText(elem int32, shape *onnxpb.TensorShapeProto) string {
	s := DataType(elem).String()
	switch {
	case shape == nil:
		return s + "[]"
	case len(shape.Dim) == 0:
		return s
	}
	dims := make([]string, len(shape.Dim))
	for i, d := range shape.Dim {
		switch v := d.Value.(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			dims[i] = strconv.FormatInt(v.DimValue, 10)
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			dims[i] = identifier(v.DimParam)
		default:
			dims[i] = "?"
		}
	}
	return s + "[" + strings.Join(dims, ",") + "]"
}

func (p *printer) attr(a *onnxpb.AttributeProto, depth int) {
	kind := a.GetType()
	p.printf("%s: %s = ", identifier(a.GetName()), strings.ToLower(kind.String()))
	if a.GetRefAttrName() != "" {
		p.printf("@%s", identifier(a.GetRefAttrName()))
		return
	}
	switch kind {
	case onnxpb.AttributeProto_FLOAT:
		p.b.WriteString(floatText(float64(a.GetF()), 32))
	case onnxpb.AttributeProto_INT:
		p.printf("%d", a.GetI())
	case onnxpb.AttributeProto_STRING:
		p.b.WriteString(quoted(string(a.GetS())))
	case onnxpb.AttributeProto_TENSOR:
		p.tensor(a.T, " ")
	case onnxpb.AttributeProto_GRAPH:
		p.graph(a.G, depth)
	case onnxpb.AttributeProto_TYPE_PROTO:
		p.b.WriteString(typeText(a.Tp))
	case onnxpb.AttributeProto_FLOATS:
		list(p, "[", a.Floats, "]", func(v float32) { p.b.WriteString(floatText(float64(v), 32)) })
	case onnxpb.AttributeProto_INTS:
		list(p, "[", a.Ints, "]", func(v int64) { p.printf("%d", v) })
	case onnxpb.AttributeProto_STRINGS:
		list(p, "[", a.Strings, "]", func(v []byte) { p.b.WriteString(quoted(string(v))) })
	case onnxpb.AttributeProto_TENSORS:
		list(p, "[", a.Tensors, "]", func(v *onnxpb.TensorProto) { p.tensor(v, " ") })
	case onnxpb.AttributeProto_GRAPHS:
		list(p, "[", a.Graphs, "]", func(v *onnxpb.GraphProto) { p.graph(v, depth) })
	case onnxpb.AttributeProto_TYPE_PROTOS:
		list(p, "[", a.TypeProtos, "]", func(v *onnxpb.TypeProto) { p.b.WriteString(typeText(v)) })
	default: // sparse tensors have no syntax
		p.b.WriteString("...")
	}
}

func list[T any](p *printer, open string, values []T, close string, print func(T)) {
	p.b.WriteString(open)
	for i, v := range values {
		p.separate(i)
		print(v)
	}
	p.b.WriteString(close)
}

// tensor prints type, name and elements. Elements of a narrow or a 16-bit float type appear as the integers that carry
// their bits, as they do in int32_data.
func (p *printer) tensor(pb *onnxpb.TensorProto, assign string) {
	d := DataType(pb.GetDataType())
	p.b.WriteString(d.String())
	if len(pb.Dims) > 0 {
		p.b.WriteString(strings.ReplaceAll(fmt.Sprint(pb.Dims), " ", ","))
	}
	if pb.GetName() != "" {
		p.printf(" %s", identifier(pb.GetName()))
	}
	p.b.WriteString(assign)
	n, err := ElementCount(pb.Dims)
	if err != nil || !d.Valid() || (!p.full && n > elided) {
		p.b.WriteString("{...}")
		return
	}
	if d == String {
		list(p, "{", pb.StringData, "}", func(v []byte) { p.b.WriteString(quoted(string(v))) })
		return
	}
	t := &Tensor{DType: d, Dims: pb.Dims, Data: pb.RawData}
	switch d {
	case Float:
		elements(p, t, func(v float32) string { return floatText(float64(v), 32) })
	case Double:
		elements(p, t, func(v float64) string { return floatText(v, 64) })
	case Complex64:
		elements(p, &Tensor{DType: Float, Data: t.Data}, func(v float32) string { return floatText(float64(v), 32) })
	case Complex128:
		elements(p, &Tensor{DType: Double, Data: t.Data}, func(v float64) string { return floatText(v, 64) })
	case Int8:
		elements(p, t, decimalText[int8])
	case Int16:
		elements(p, t, decimalText[int16])
	case Int32:
		elements(p, t, decimalText[int32])
	case Int64:
		elements(p, t, decimalText[int64])
	case Uint16, Float16, BFloat16:
		elements(p, t, decimalText[uint16])
	case Uint32:
		elements(p, t, decimalText[uint32])
	case Uint64:
		elements(p, t, decimalText[uint64])
	default:
		elements(p, &Tensor{DType: Uint8, Data: t.Data}, decimalText[uint8])
	}
}

func elements[T Element](p *printer, t *Tensor, text func(T) string) {
	list(p, "{", View[T](t), "}", func(v T) { p.b.WriteString(text(v)) })
}

func decimalText[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](v T) string {
	return fmt.Sprint(v)
}

// floatText is the shortest text that reads back as v.
func floatText(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}
