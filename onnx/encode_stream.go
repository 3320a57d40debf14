package onnx

import (
	"bufio"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// EncodeTo writes what Encode gives, without a copy of the initializers in memory.
func (m *Model) EncodeTo(w io.Writer) error {
	write, _, err := m.encoding()
	if err != nil {
		return err
	}
	return write(w)
}

// encoding is what EncodeTo does once the model has been found fit for a file, and how many bytes it writes.
func (m *Model) encoding() (write func(io.Writer) error, size int, err error) {
	var e encoder
	pb, err := m.header(&e)
	if err != nil {
		return nil, 0, fmt.Errorf("encode model: %w", err)
	}
	g := e.wireGraph(m.Graph)
	e.merge(pb, m.extra)
	if e.err != nil {
		return nil, 0, fmt.Errorf("encode model: %w", e.err)
	}
	inside := g.size()
	size = proto.Size(pb) + protowire.SizeTag(fieldGraph) + protowire.SizeBytes(inside)
	if err := checkSize(size); err != nil {
		return nil, 0, err
	}
	return func(w io.Writer) error {
		s := &streamer{w: bufio.NewWriterSize(w, 64<<10)}
		s.fields(pb, 0, fieldGraph)
		s.begin(fieldGraph, inside)
		s.graph(g)
		s.fields(pb, fieldGraph, lastField)
		if s.err == nil {
			s.err = s.w.Flush()
		}
		return s.err
	}, size, nil
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

// lastField is behind every field, and the unknown ones are too.
const lastField = protowire.MaxValidNumber + 1

// fields writes those of a message from one number to before another.
func (s *streamer) fields(m proto.Message, from, to protowire.Number) {
	all := m.ProtoReflect()
	some := all.New()
	all.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Number() >= from && f.Number() < to {
			some.Set(f, v)
		}
		return true
	})
	if to == lastField {
		some.SetUnknown(all.GetUnknown())
	}
	s.message(some.Interface())
}

func (s *streamer) graph(g *wireGraph) {
	s.list(&g.nodes)
	s.fields(g.rest, 0, fieldInitializer)
	for _, t := range g.rest.Initializer {
		s.begin(fieldInitializer, proto.Size(t))
		if len(t.RawData) < smallTensor {
			s.message(t)
			continue
		}
		s.fields(t, 0, rawData)
		s.begin(rawData, len(t.RawData))
		s.write(t.RawData)
		s.fields(t, rawData+1, lastField)
	}
	s.fields(g.rest, fieldInitializer+1, fieldInput)
	s.list(&g.inputs)
	s.list(&g.outputs)
	s.list(&g.infos)
	s.fields(g.rest, fieldInput, lastField)
}

func (s *streamer) list(l *wireList) {
	for _, p := range l.parts {
		s.write(p.data)
		if p.message != nil {
			s.begin(l.field, proto.Size(p.message))
			s.message(p.message)
		}
	}
}

func (s *streamer) message(m proto.Message) {
	if s.err != nil {
		return
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		s.err = fmt.Errorf("encode model: %w", err)
		return
	}
	s.write(data)
}

// checkSize refuses a model that protobuf cannot hold.
func checkSize(size int) error {
	if size > maxFileBytes || size < 0 {
		return fmt.Errorf("encode model: %d bytes, a protobuf file has at most %d: store the weights beside it or in a narrower type", size, maxFileBytes)
	}
	return nil
}
