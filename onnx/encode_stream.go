package onnx

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"graft/onnx/internal/onnxpb"
)

// EncodeTo writes what Encode gives, without a copy of the initializers in memory.
func (m *Model) EncodeTo(w io.Writer) error {
	encoded, err := m.encoding(nil)
	if err != nil {
		return err
	}
	return encoded.write(w)
}

// encoding is a model on its way into a file.
type encoding struct {
	rest   *onnxpb.ModelProto // without the graph
	graph  *wireGraph
	inside int // size of the graph
	size   int
}

// encoding makes the messages of m's graph. place may move the data of each tensor that is written elsewhere. A model that is
// too large for a file is a *TooLargeError.
func (m *Model) encoding(place placer) (*encoding, error) {
	return m.encodingBy(&encoder{place: place})
}

func (m *Model) encodingBy(e *encoder) (*encoding, error) {
	pb, err := m.header(e)
	if err != nil {
		return nil, fmt.Errorf("encode model: %w", err)
	}
	g := e.wireGraph(m.Graph)
	e.merge(pb, m.extra)
	if e.err != nil {
		return nil, fmt.Errorf("encode model: %w", e.err)
	}
	inside := g.size()
	size := proto.Size(pb) + protowire.SizeTag(fieldGraph) + protowire.SizeBytes(inside)
	if size > maxFileBytes || size < 0 {
		return nil, &TooLargeError{size}
	}
	return &encoding{pb, g, inside, size}, nil
}

func (e *encoding) write(w io.Writer) error {
	s := &streamer{to: w, w: bufio.NewWriterSize(w, 64<<10)}
	s.fields(e.rest, 0, fieldGraph)
	s.begin(fieldGraph, e.inside)
	s.graph(e.graph)
	s.fields(e.rest, fieldGraph, lastField)
	if s.err == nil {
		s.err = s.w.Flush()
	}
	return s.err
}

// streamer writes messages whose parts come one after the other. Its error is sticky.
type streamer struct {
	to  io.Writer
	w   *bufio.Writer // in front of to
	err error
}

func (s *streamer) write(data []byte) {
	if s.err == nil {
		_, s.err = s.w.Write(data)
	}
}

// data writes the elements of a tensor.
func (s *streamer) data(data []byte) {
	if len(data) < largeData {
		s.write(data)
		return
	}
	if s.err == nil {
		s.err = s.w.Flush()
	}
	if s.err == nil {
		s.err = putData(s.to, data)
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

// bulky writes a message in which tensors may be large: their data is not copied. Fields stand in the order of their numbers,
// as everywhere.
func (s *streamer) bulky(m proto.Message) {
	if proto.Size(m) < largeData {
		s.message(m)
		return
	}
	if t, ok := m.(*onnxpb.TensorProto); ok && len(t.RawData) > 0 {
		s.fields(t, 0, rawData)
		s.begin(rawData, len(t.RawData))
		s.data(t.RawData)
		s.fields(t, rawData+1, lastField)
		return
	}
	all := m.ProtoReflect()
	var numbers []protowire.Number
	all.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f.Message() != nil && f.ContainingOneof() == nil {
			numbers = append(numbers, f.Number())
		}
		return true
	})
	slices.Sort(numbers)
	next := protowire.Number(0)
	for _, number := range numbers {
		if number > next {
			s.fields(m, next, number)
		}
		next = number + 1
		f := all.Descriptor().Fields().ByNumber(number)
		if !f.IsList() {
			s.field(number, all.Get(f).Message().Interface())
			continue
		}
		for list, i := all.Get(f).List(), 0; i < list.Len(); i++ {
			s.field(number, list.Get(i).Message().Interface())
		}
	}
	s.fields(m, next, lastField)
}

// field writes a message as a field of another one.
func (s *streamer) field(number protowire.Number, m proto.Message) {
	s.begin(number, proto.Size(m))
	s.bulky(m)
}

func (s *streamer) graph(g *wireGraph) {
	s.list(&g.nodes)
	s.fields(g.rest, 0, fieldInitializer)
	for _, t := range g.rest.Initializer {
		s.field(fieldInitializer, t)
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
			s.field(l.field, p.message)
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

// TooLargeError says how many bytes the file of a model would have that protobuf cannot hold.
type TooLargeError struct{ Bytes int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("encode model: %d bytes, a protobuf file has at most %d: store the weights beside it or in a narrower type", e.Bytes, maxFileBytes)
}
