package onnx

import (
	"bytes"
	"crypto/rand"

	"graft/onnx/internal/onnxpb"
)

// EncodeApart is Encode without the data of the initializers of the outermost graph that take least bytes and more, for a
// reader in this process that is handed those as they are: apart lists them by name, their data shared with m's. The bytes
// say that the data lies in a file, of a name that no file has.
func (m *Model) EncodeApart(least int64) (data []byte, apart []*Tensor, err error) {
	nowhere := "none-" + rand.Text()
	e := encoder{}
	e.place = func(pb *onnxpb.TensorProto, initializer bool) {
		if !initializer || e.inside > 0 || int64(len(pb.RawData)) < least {
			return
		}
		apart = append(apart, &Tensor{Name: pb.GetName(), DType: DataType(pb.GetDataType()), Dims: pb.Dims, Data: pb.RawData})
		refer(pb, nowhere, 0, "")
	}
	encoded, err := m.encodingBy(&e)
	if err != nil {
		return nil, nil, err
	}
	to := bytes.NewBuffer(make([]byte, 0, encoded.size))
	if err := encoded.write(to); err != nil {
		return nil, nil, err
	}
	return to.Bytes(), apart, nil
}
