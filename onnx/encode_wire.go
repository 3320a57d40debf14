package onnx

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"graft/onnx/internal/onnxpb"
)

// Numbers of the fields that are written without a message made for them: of a model, a graph, a tensor, a node, a value's
// description, its type, the shape and its dimensions.
const (
	fieldGraph = 7

	fieldNode        = 1
	fieldInitializer = 5
	fieldInput       = 11
	fieldOutput      = 12
	fieldValueInfo   = 13

	fieldName, fieldType, fieldDoc = 1, 2, 3

	fieldTensorType              = 1
	fieldElemType, fieldShape    = 1, 2
	fieldDim                     = 1
	fieldDimValue, fieldDimParam = 1, 2
)

// wireGraph is the main graph on its way into a file. Of the messages that a graph of ten thousand nodes has most of, nodes
// and descriptions of values, only those that say something unusual are made; the others are bytes at once.
type wireGraph struct {
	rest                          *onnxpb.GraphProto // what is in none of the others
	nodes, inputs, outputs, infos wireList
}

// wireList is a field of messages.
type wireList struct {
	field   protowire.Number
	parts   []wirePart
	size    int
	scratch []byte
}

// wirePart is the bytes of some messages with what stands in front of each, or one message that may be large.
type wirePart struct {
	data    []byte
	message proto.Message
}

func (e *encoder) wireGraph(g *Graph) *wireGraph {
	w := &wireGraph{nodes: wireList{field: fieldNode}, inputs: wireList{field: fieldInput}, outputs: wireList{field: fieldOutput},
		infos: wireList{field: fieldValueInfo}}
	w.rest = e.parts(g, graphParts{
		node:   func(n *Node) { w.nodes.node(e, n) },
		input:  func(v *Value) { w.inputs.value(e, v) },
		output: func(v *Value) { w.outputs.value(e, v) },
		info:   func(v *Value) { w.infos.value(e, v) },
	})
	return w
}

// size is that of the graph's message.
func (w *wireGraph) size() int {
	return proto.Size(w.rest) + w.nodes.size + w.inputs.size + w.outputs.size + w.infos.size
}

// add appends a message whose bytes are given. They may be the list's scratch.
func (w *wireList) add(body []byte) {
	size := protowire.SizeTag(w.field) + protowire.SizeBytes(len(body))
	n := len(w.parts)
	if n == 0 || cap(w.parts[n-1].data)-len(w.parts[n-1].data) < size { // what is there is not copied to grow
		w.parts = append(w.parts, wirePart{data: make([]byte, 0, max(min(w.size, 64<<10), size, 512))})
	} else {
		n--
	}
	w.parts[n].data = protowire.AppendBytes(protowire.AppendTag(w.parts[n].data, w.field, protowire.BytesType), body)
	w.size += size
	w.scratch = body[:0]
}

// addMessage appends a message that is encoded when it is written: its tensors are not copied before.
func (w *wireList) addMessage(m proto.Message) {
	w.parts = append(w.parts, wirePart{message: m})
	w.size += protowire.SizeTag(w.field) + protowire.SizeBytes(proto.Size(m))
}

// node appends what e.node gives.
func (w *wireList) node(e *encoder, n *Node) {
	if !n.plain() {
		w.addMessage(e.node(n))
		return
	}
	const input, output, name, op, attribute, doc, domain, overload = 1, 2, 3, 4, 5, 6, 7, 8
	b := w.scratch
	for _, v := range n.inputs {
		b = protowire.AppendTag(b, input, protowire.BytesType)
		b = protowire.AppendString(b, e.inputName(n, v))
	}
	for _, v := range n.outputs {
		b = protowire.AppendTag(b, output, protowire.BytesType)
		b = protowire.AppendString(b, nameOf(v))
	}
	b = appendText(b, name, n.Name)
	b = appendText(b, op, n.Op)
	for _, a := range n.Attrs {
		pb := e.attr(a, n)
		b = protowire.AppendTag(b, attribute, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(proto.Size(pb)))
		b = e.append(b, pb)
	}
	b = appendText(b, doc, n.Doc)
	b = appendText(b, domain, n.Domain)
	w.add(appendText(b, overload, n.Overload))
}

// plain reports whether n holds nothing but names and numbers.
func (n *Node) plain() bool {
	for _, a := range n.Attrs {
		switch a.Value.(type) {
		case int64, float32, string, []int64, []float32:
		default:
			return false
		}
	}
	return len(n.extra) == 0 && len(n.Metadata) == 0
}

// value appends what e.valueInfo gives.
func (w *wireList) value(e *encoder, v *Value) {
	if v.typeProto != nil || v.typeExact != nil || v.Type.Of != nil || len(v.extra) > 0 {
		w.addMessage(e.valueInfo(v))
		return
	}
	b := appendText(w.scratch, fieldName, v.Name)
	if v.Type.complete() {
		tensor := sizeTensorType(v.Type)
		b = protowire.AppendTag(b, fieldType, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(protowire.SizeTag(fieldTensorType)+protowire.SizeBytes(tensor)))
		b = protowire.AppendTag(b, fieldTensorType, protowire.BytesType)
		b = appendTensorType(protowire.AppendVarint(b, uint64(tensor)), v.Type)
	}
	w.add(appendText(b, fieldDoc, v.Doc))
}

// appendTensorType appends the message of a tensor's type: TypeProto.Tensor.
func appendTensorType(b []byte, t TensorType) []byte {
	b = protowire.AppendTag(b, fieldElemType, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(int64(t.DType)))
	if t.Shape == nil {
		return b
	}
	b = protowire.AppendTag(b, fieldShape, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(sizeShape(t.Shape)))
	for _, d := range t.Shape {
		b = protowire.AppendTag(b, fieldDim, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(sizeDim(d)))
		switch {
		case d.Symbol != "":
			b = appendText(b, fieldDimParam, d.Symbol)
		case d.Size >= 0:
			b = protowire.AppendTag(b, fieldDimValue, protowire.VarintType)
			b = protowire.AppendVarint(b, uint64(d.Size))
		}
	}
	return b
}

func sizeTensorType(t TensorType) int {
	size := protowire.SizeTag(fieldElemType) + protowire.SizeVarint(uint64(int64(t.DType)))
	if t.Shape != nil {
		size += protowire.SizeTag(fieldShape) + protowire.SizeBytes(sizeShape(t.Shape))
	}
	return size
}

func sizeShape(s Shape) int {
	size := 0
	for _, d := range s {
		size += protowire.SizeTag(fieldDim) + protowire.SizeBytes(sizeDim(d))
	}
	return size
}

func sizeDim(d Dim) int {
	switch {
	case d.Symbol != "":
		return protowire.SizeTag(fieldDimParam) + protowire.SizeBytes(len(d.Symbol))
	case d.Size >= 0:
		return protowire.SizeTag(fieldDimValue) + protowire.SizeVarint(uint64(d.Size))
	}
	return 0
}

// appendText appends an optional string field: absent when empty.
func appendText(b []byte, field protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

// append encodes a message behind b.
func (e *encoder) append(b []byte, m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(b, m)
	if err != nil {
		e.fail("%w", err)
	}
	return b
}
