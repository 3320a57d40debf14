package onnx

import (
	"bytes"
	"crypto/rand"
	"strconv"

	"graft/onnx/internal/onnxpb"
)

// Apart is the data of a weight that is not in a model's bytes. The model says that it is a file of that name, which no file
// has.
type Apart struct {
	File   string
	Data   []byte // the tensor's own
	Mapped bool   // it lies in a mapped file, not in Go's memory
}

// EncodeApart is Encode without the data of the initializers of the outermost graph that take least bytes and more, for a
// reader in this process that is handed those as they are.
func (m *Model) EncodeApart(least int64) (data []byte, apart []Apart, err error) {
	nowhere := "none-" + rand.Text() + "-"
	e := encoder{}
	e.place = func(pb *onnxpb.TensorProto, initializer bool) {
		if !initializer || e.inside > 0 || int64(len(pb.RawData)) < least {
			return
		}
		a := Apart{File: nowhere + strconv.Itoa(len(apart)), Data: pb.RawData}
		in, _ := mappingOf(a.Data)
		a.Mapped = in != nil
		apart = append(apart, a)
		refer(pb, a.File, 0, "")
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
