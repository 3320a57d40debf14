package onnx

import (
	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// tensor writes t under a name. Elements go to raw_data, strings to string_data.
func (e *encoder) tensor(t *Tensor, name string) *onnxpb.TensorProto {
	if t == nil {
		e.fail("tensor %q is nil", name)
		return &onnxpb.TensorProto{}
	}
	if t.DType.Valid() {
		if err := t.Check(); err != nil {
			e.fail("%q: %w", name, err)
		}
	}
	pb := &onnxpb.TensorProto{Name: text(name), DataType: proto.Int32(int32(t.DType)), Dims: t.Dims, DocString: text(t.Doc)}
	if t.DType == String {
		for _, s := range t.Strings {
			pb.StringData = append(pb.StringData, []byte(s))
		}
	} else if len(t.Data) > 0 {
		pb.RawData = t.Data
	}
	e.merge(pb, t.extra)
	return pb
}

// placed is a tensor whose data may go into another file.
func (e *encoder) placed(t *Tensor, name string, initializer bool) *onnxpb.TensorProto {
	pb := e.tensor(t, name)
	if e.place != nil && len(pb.RawData) > 0 {
		e.place(pb, initializer)
	}
	return pb
}

func (e *encoder) sparse(t *SparseTensor, name string) *onnxpb.SparseTensorProto {
	if t.Values == nil || t.Indices == nil {
		e.fail("sparse tensor %q lacks its values or its indices", name)
		return &onnxpb.SparseTensorProto{}
	}
	pb := &onnxpb.SparseTensorProto{Values: e.tensor(t.Values, name), Indices: e.tensor(t.Indices, t.Indices.Name), Dims: t.Dims}
	e.merge(pb, t.extra)
	return pb
}
