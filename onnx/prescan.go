package onnx

import (
	"math"
	"reflect"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"graft/onnx/internal/onnxpb"
)

// Limits of a file. They are far above what exporters write, and keep what a file can make the reader allocate to a small
// multiple of its size.
const (
	maxFileBytes     = math.MaxInt32 // protobuf's own limit
	maxSubgraphDepth = 32            // as in ONNX Runtime
	maxMessageDepth  = 160           // 32 subgraphs at three messages each, and a type or a tensor inside
	maxMessages      = 4_000_000
	maxProblems      = 100
	maxMetadata      = 65_536 // entries of one metadata_props
	maxRank          = 1024
	freeBytes        = 32 << 20 // what decoding may always allocate
	bytesPerByte     = 24       // and what it may allocate more per byte of the file
)

// prescan walks the encoding before anything is allocated for it: it refuses damaged and endless nesting, groups, and
// files whose messages would take many times their own size in memory.
func prescan(data []byte, root protoreflect.FullName) error {
	if len(data) == 0 {
		return refuse("the file is empty")
	}
	if len(data) > maxFileBytes {
		return refuse("%d bytes, an ONNX file has at most %d", len(data), maxFileBytes)
	}
	s := scanner{data: data, budget: freeBytes + bytesPerByte*int64(len(data))}
	return s.message(kinds()[root], 0, len(data), 0, 0)
}

type scanner struct {
	data     []byte
	budget   int64
	messages int
}

// kind is what the scan knows of a message type.
type kind struct {
	name  protoreflect.Name
	size  int64 // of the Go struct
	sub   map[protowire.Number]*kind
	bytes map[protowire.Number]bool  // strings and bytes
	fixed map[protowire.Number]bool  // repeated floats and doubles
	width map[protowire.Number]int64 // repeated varints: bytes of one element in memory
	graph bool
}

var kinds = sync.OnceValue(func() map[protoreflect.FullName]*kind {
	all := map[protoreflect.FullName]*kind{}
	var build func(d protoreflect.MessageDescriptor) *kind
	build = func(d protoreflect.MessageDescriptor) *kind {
		if k := all[d.FullName()]; k != nil {
			return k
		}
		k := &kind{name: d.Name(), size: 96, sub: map[protowire.Number]*kind{}, bytes: map[protowire.Number]bool{},
			fixed: map[protowire.Number]bool{}, width: map[protowire.Number]int64{}, graph: d.Name() == "GraphProto"}
		if t, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName()); err == nil {
			k.size = int64(reflect.TypeOf(t.Zero().Interface()).Elem().Size()) + 8
		}
		all[d.FullName()] = k
		for i := range d.Fields().Len() {
			f := d.Fields().Get(i)
			switch {
			case f.Message() != nil:
				k.sub[f.Number()] = build(f.Message())
			case f.Kind() == protoreflect.StringKind || f.Kind() == protoreflect.BytesKind:
				k.bytes[f.Number()] = true
			case f.Kind() == protoreflect.FloatKind || f.Kind() == protoreflect.DoubleKind:
				k.fixed[f.Number()] = f.IsList()
			case f.IsList() && f.Kind() == protoreflect.Int32Kind:
				k.width[f.Number()] = 4
			case f.IsList():
				k.width[f.Number()] = 8
			}
		}
		return k
	}
	build((*onnxpb.ModelProto)(nil).ProtoReflect().Descriptor())
	return all
})

// message scans data[from:to] as a message of kind k.
func (s *scanner) message(k *kind, from, to, depth, graphs int) error {
	s.messages++
	s.budget -= k.size
	if k.graph {
		graphs++
	}
	switch {
	case s.messages > maxMessages:
		return refuse("more than %d protobuf messages", maxMessages)
	case s.budget < 0:
		return refuse("%d protobuf messages in the first %d of %d bytes would take many times the file's size in memory",
			s.messages, from, len(s.data))
	case depth > maxMessageDepth:
		return refuse("messages nested more than %d deep, at byte %d", maxMessageDepth, from)
	case graphs > maxSubgraphDepth+1:
		return refuse("subgraphs nested more than %d deep, at byte %d", maxSubgraphDepth, from)
	}
	entries := 0
	for at := from; at < to; {
		num, typ, n := protowire.ConsumeTag(s.data[at:to])
		if n < 0 {
			return refuse("damaged protobuf at byte %d of %s: %v", at, k.name, protowire.ParseError(n))
		}
		tag := at
		at += n
		switch typ {
		case protowire.StartGroupType, protowire.EndGroupType:
			return refuse("damaged protobuf at byte %d of %s: ONNX has no groups", tag, k.name)
		case protowire.BytesType:
			size, n := protowire.ConsumeVarint(s.data[at:to])
			if n < 0 {
				return refuse("damaged protobuf at byte %d of %s: %v", tag, k.name, protowire.ParseError(n))
			}
			at += n
			if size > uint64(to-at) {
				return refuse("damaged protobuf at byte %d: field %d of %s claims %d bytes, %d are left",
					tag, num, k.name, size, to-at)
			}
			end := at + int(size)
			switch {
			case k.sub[num] != nil:
				if k.sub[num].name == "StringStringEntryProto" {
					if entries++; entries > maxMetadata {
						return refuse("more than %d entries of metadata in one %s", maxMetadata, k.name)
					}
				}
				if err := s.message(k.sub[num], at, end, depth+1, graphs); err != nil {
					return err
				}
			case k.bytes[num]:
				s.budget -= 40
			case k.width[num] > 0:
				s.budget -= k.width[num] * varints(s.data[at:end])
			case k.fixed[num]:
				s.budget -= int64(size)
			}
			at = end
		default:
			n := protowire.ConsumeFieldValue(num, typ, s.data[at:to])
			if n < 0 {
				return refuse("damaged protobuf at byte %d of %s: %v", tag, k.name, protowire.ParseError(n))
			}
			at += n
			s.budget -= 16
		}
	}
	return nil
}

// varints counts the numbers of a packed field.
func varints(data []byte) (n int64) {
	for _, b := range data {
		if b < 0x80 {
			n++
		}
	}
	return n
}
