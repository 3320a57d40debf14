package onnx

import (
	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// valueType sets the type of v from its message. Types that are not a dense tensor's are carried along.
func (d *decoder) valueType(v *Value, pb *onnxpb.TypeProto) {
	if pb == nil {
		return
	}
	t, exact := tensorType(pb)
	v.Type = t
	switch {
	case exact:
	case pb.Value == nil || pb.GetTensorType() != nil:
		v.typeExact = rest(pb)
		if v.typeExact == nil {
			v.typeExact = Opaque{}
		}
	default:
		v.typeProto = rest(pb)
	}
}

// tensorType reads the type of a dense tensor, or of sequences and optionals of them; exact is false when the message says
// something that TensorType cannot.
func tensorType(pb *onnxpb.TypeProto) (t TensorType, exact bool) {
	t, ok := containedType(pb, 0)
	return t, ok && proto.Equal(pb, typeMessage(t))
}

// containedType is false for what is not a tensor in the end.
func containedType(pb *onnxpb.TypeProto, depth int) (t TensorType, ok bool) {
	var inner *onnxpb.TypeProto
	wrap := SequenceOf
	switch v := pb.GetValue().(type) {
	case *onnxpb.TypeProto_SequenceType:
		inner = v.SequenceType.GetElemType()
	case *onnxpb.TypeProto_OptionalType:
		inner, wrap = v.OptionalType.GetElemType(), OptionalOf
	case *onnxpb.TypeProto_TensorType:
		return denseType(v.TensorType), true
	}
	if inner == nil || depth >= maxContainers {
		return TensorType{}, false
	}
	if t, ok = containedType(inner, depth+1); !ok {
		return TensorType{}, false
	}
	return wrap(t), true
}

func denseType(pt *onnxpb.TypeProto_Tensor) (t TensorType) {
	t.DType = DataType(pt.GetElemType())
	if pt.Shape != nil {
		t.Shape = make(Shape, 0, len(pt.Shape.Dim))
		for _, dim := range pt.Shape.Dim {
			k := UnknownDim
			switch v := dim.Value.(type) {
			case *onnxpb.TensorShapeProto_Dimension_DimValue:
				k = Dim{Size: max(v.DimValue, -1)}
			case *onnxpb.TensorShapeProto_Dimension_DimParam:
				if v.DimParam != "" {
					k = Dim{Symbol: v.DimParam}
				}
			}
			t.Shape = append(t.Shape, k)
		}
	}
	return t
}
