package onnx

import (
	"bufio"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"graft/onnx/internal/onnxpb"
)

// EncodeTo writes what Encode gives, without a copy of the initializers in memory.
func (m *Model) EncodeTo(w io.Writer) error {
	write, err := m.encoding()
	if err != nil {
		return err
	}
	return write(w)
}

// encoding is what EncodeTo does once the model has been found fit for a file.
func (m *Model) encoding() (write func(io.Writer) error, err error) {
	pb, err := m.message()
	if err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	if err := checkSize(pb); err != nil {
		return nil, err
	}
	return func(w io.Writer) error { return stream(pb, w) }, nil
}

func stream(pb *onnxpb.ModelProto, w io.Writer) error {
	s := &streamer{w: bufio.NewWriterSize(w, 64<<10)}
	const graph, initializer, raw = 7, 5, rawData // numbers of the fields that hold each other
	s.around(pb.ProtoReflect(), graph, func() {
		s.begin(graph, proto.Size(pb.Graph))
		s.around(pb.Graph.ProtoReflect(), initializer, func() {
			for _, t := range pb.Graph.Initializer {
				s.begin(initializer, proto.Size(t))
				s.around(t.ProtoReflect(), raw, func() {
					if t.RawData != nil {
						s.begin(raw, len(t.RawData))
						s.write(t.RawData)
					}
				})
			}
		})
	})
	if s.err == nil {
		s.err = s.w.Flush()
	}
	return s.err
}

// streamer writes messages whose parts come one after the other. Its error is sticky.
type streamer struct {
	w   *bufio.Writer
	err error
}

func (s *streamer) write(data []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(data)
	}
}

// begin writes what stands in front of a field of bytes.
func (s *streamer) begin(field protowire.Number, size int) {
	s.write(protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.BytesType), uint64(size)))
}

// around writes the fields of a message before the given one, what inside writes, and the fields behind.
func (s *streamer) around(m protoreflect.Message, field protowire.Number, inside func()) {
	before, behind := m.New(), m.New()
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Number() < field:
			before.Set(f, v)
		case f.Number() > field:
			behind.Set(f, v)
		}
		return true
	})
	behind.SetUnknown(m.GetUnknown())
	s.message(before)
	inside()
	s.message(behind)
}

func (s *streamer) message(m protoreflect.Message) {
	if s.err != nil {
		return
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		s.err = fmt.Errorf("encode model: %w", err)
		return
	}
	s.write(data)
}

// checkSize refuses a model that protobuf cannot hold.
func checkSize(pb *onnxpb.ModelProto) error {
	if size := proto.Size(pb); size > maxFileBytes || size < 0 {
		return fmt.Errorf("encode model: %d bytes, a protobuf file has at most %d: store the weights beside it or in a narrower type", size, maxFileBytes)
	}
	return nil
}
