package onnx

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// Encode writes m as the bytes of an ONNX file: the same model, the same bytes. Values and nodes without a name get one
// first, nodes are written in topological order, and all weights are inline. A model of more than 2 GiB, which protobuf
// cannot hold, is an error.
func (m *Model) Encode() ([]byte, error) {
	encoded, err := m.encoding(nil)
	if err != nil {
		return nil, err
	}
	data := bytes.NewBuffer(make([]byte, 0, encoded.size))
	if err := encoded.write(data); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}

// EncodeTensor writes t as the bytes of a TensorProto, as in the .pb files of ONNX's test data.
func EncodeTensor(t *Tensor) ([]byte, error) {
	var e encoder
	pb := e.tensor(t, t.Name)
	if e.err != nil {
		return nil, e.err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(pb)
}

// message is m as a protobuf message. Its tensors alias m's.
func (m *Model) message() (*onnxpb.ModelProto, error) {
	var e encoder
	pb, err := m.header(&e)
	if err != nil {
		return nil, err
	}
	pb.Graph = e.graph(m.Graph)
	e.merge(pb, m.extra)
	return pb, e.err
}

// header names what has no name, and is the message of all that is not the main graph or carried along.
func (m *Model) header(e *encoder) (*onnxpb.ModelProto, error) {
	if m.Graph == nil {
		return nil, fmt.Errorf("there is no graph")
	}
	m.Graph.AssignNames()
	pb := &onnxpb.ModelProto{
		IrVersion:       proto.Int64(m.IRVersion),
		ProducerName:    text(m.ProducerName),
		ProducerVersion: text(m.ProducerVersion),
		Domain:          text(m.Domain),
		DocString:       text(m.Doc),
	}
	if m.Version != 0 {
		pb.ModelVersion = proto.Int64(m.Version)
	}
	pb.OpsetImport = e.opsets(m.Opsets)
	pb.MetadataProps = e.metadata(m.Metadata)
	for _, f := range m.functions {
		f.Body.AssignNames()
		pb.Functions = append(pb.Functions, e.function(f))
	}
	return pb, nil
}

// encoder turns the IR into messages.
type encoder struct {
	err    error
	place  placer // may be nil
	inside int    // how many graphs are around
}

// placer may put the data of a tensor, which is in raw_data, into another file.
type placer func(pb *onnxpb.TensorProto, initializer bool)

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

// merge puts back what the decoder left of a message.
func (e *encoder) merge(pb proto.Message, extra Opaque) {
	if len(extra) == 0 {
		return
	}
	if err := (proto.UnmarshalOptions{Merge: true, RecursionLimit: maxMessageDepth + 2}).Unmarshal(extra, pb); err != nil {
		e.fail("fields carried along: %w", err)
	}
}

func (e *encoder) opsets(list []Opset) []*onnxpb.OperatorSetIdProto {
	var out []*onnxpb.OperatorSetIdProto
	for _, o := range list {
		k := &onnxpb.OperatorSetIdProto{Domain: proto.String(o.Domain), Version: proto.Int64(o.Version)}
		e.merge(k, Opaque(o.extra))
		out = append(out, k)
	}
	return out
}

func (e *encoder) metadata(m Metadata) []*onnxpb.StringStringEntryProto {
	var out []*onnxpb.StringStringEntryProto
	for _, kv := range m {
		p := &onnxpb.StringStringEntryProto{Key: proto.String(kv.Key), Value: proto.String(kv.Value)}
		e.merge(p, Opaque(kv.extra))
		out = append(out, p)
	}
	return out
}

// text is an optional string field: absent when empty.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
