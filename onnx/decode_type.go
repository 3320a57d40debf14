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

// tensorType reads a dense tensor's type; exact is false when the message says something that TensorType cannot.
func tensorType(pb *onnxpb.TypeProto) (t TensorType, exact bool) {
	pt := pb.GetTensorType()
	if pt == nil {
		return TensorType{}, false
	}
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
	return t, proto.Equal(pb, typeMessage(t))
}
