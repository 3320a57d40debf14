package onnxtest

import (
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/encoding/protowire"

	"graft/onnx"
)

// Recorded is a value of a recorded case: a tensor, a sequence of tensors, or an optional of either.
type Recorded struct {
	Tensor   *onnx.Tensor
	Sequence []*onnx.Tensor
	Absent   bool // an optional that holds nothing
}

// Values reads the first data set, whatever its values are, by the types of the graph's inputs and outputs.
func (c Case) Values(m *onnx.Model) (inputs, outputs []Recorded, err error) {
	var free []*onnx.Value
	for _, v := range m.Graph.Inputs() {
		if !v.IsInitializer() {
			free = append(free, v)
		}
	}
	if inputs, err = c.values("input", free); err != nil {
		return nil, nil, err
	}
	outputs, err = c.values("output", m.Graph.Outputs())
	return inputs, outputs, err
}

func (c Case) values(kind string, of []*onnx.Value) ([]Recorded, error) {
	list := make([]Recorded, len(of))
	for i, v := range of {
		data, err := os.ReadFile(filepath.Join(c.Dir, "test_data_set_0", fmt.Sprintf("%s_%d.pb", kind, i)))
		if err != nil {
			return nil, err
		}
		if list[i], err = decodeRecorded(data, v.Type); err != nil {
			return nil, fmt.Errorf("%s %d: %w", kind, i, err)
		}
	}
	return list, nil
}

func decodeRecorded(data []byte, t onnx.TensorType) (Recorded, error) {
	switch {
	case t.Of == nil:
		x, err := onnx.DecodeTensor(data)
		return Recorded{Tensor: x}, err
	case t.Of.Kind == onnx.Optional: // OptionalProto: 3 is a tensor, 5 a sequence
		field := protowire.Number(3)
		if t.Of.Elem.Of != nil {
			field = 5
		}
		held, err := fields(data, field)
		if err != nil || len(held) == 0 {
			return Recorded{Absent: true}, err
		}
		return decodeRecorded(held[0], t.Of.Elem)
	}
	parts, err := fields(data, 3) // SequenceProto: 3 are tensors
	r := Recorded{Sequence: []*onnx.Tensor{}}
	for _, p := range parts {
		x, e := onnx.DecodeTensor(p)
		if e != nil {
			return r, e
		}
		r.Sequence = append(r.Sequence, x)
	}
	return r, err
}

// fields gives the contents of a message's fields of a number.
func fields(data []byte, number protowire.Number) (list [][]byte, err error) {
	for len(data) > 0 {
		n, kind, size := protowire.ConsumeTag(data)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		data = data[size:]
		if n == number && kind == protowire.BytesType {
			b, size := protowire.ConsumeBytes(data)
			if size < 0 {
				return nil, protowire.ParseError(size)
			}
			list, data = append(list, b), data[size:]
			continue
		}
		if size = protowire.ConsumeFieldValue(n, kind, data); size < 0 {
			return nil, protowire.ParseError(size)
		}
		data = data[size:]
	}
	return list, nil
}
