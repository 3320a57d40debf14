package rewrite

import (
	"bytes"
	"hash/maphash"
	"slices"
	"strconv"

	"graft/onnx"
)

// A pool keeps one initializer of the main graph for all constants that hold the same.
type pool struct {
	graph  *onnx.Graph
	seed   maphash.Seed
	byHash map[uint64][]*onnx.Value
	merged int
}

// open enters the initializers of the main graph, and makes one of those that hold the same.
func (p *pool) open(s *simplifier) {
	if p.graph == nil {
		p.graph, p.seed = s.model.Graph, maphash.MakeSeed()
	}
	p.byHash = map[uint64][]*onnx.Value{}
	outputs := map[*onnx.Value]bool{}
	for _, v := range p.graph.Outputs() {
		outputs[v] = true
	}
	replaced := map[*onnx.Value]*onnx.Value{}
	for _, v := range p.graph.Initializers() {
		if v.Const == nil || outputs[v] || v.Const.Check() != nil {
			continue
		}
		key := p.key(v.Const)
		first := p.find(key, v.Const)
		if first == nil {
			p.byHash[key] = append(p.byHash[key], v)
			continue
		}
		if p.graph.ReplaceUses(v, first) == nil {
			replaced[v] = first
			p.merged++
		}
	}
	p.graph.ReplaceHandedOut(replaced)
}

// key is by type, dimensions and elements: of a large tensor, those at both ends.
func (p *pool) key(t *onnx.Tensor) uint64 {
	const end = 1 << 12
	var h maphash.Hash
	h.SetSeed(p.seed)
	head := strconv.AppendInt(nil, int64(t.DType), 10)
	for _, d := range t.Dims {
		head = strconv.AppendInt(append(head, ' '), d, 10)
	}
	h.Write(head)
	if len(t.Data) <= 2*end {
		h.Write(t.Data)
	} else {
		h.Write(t.Data[:end])
		h.Write(t.Data[len(t.Data)-end:])
	}
	for _, e := range t.Strings {
		h.WriteString(e)
		h.WriteByte(0)
	}
	return h.Sum64()
}

func (p *pool) find(key uint64, t *onnx.Tensor) *onnx.Value {
	const most = 64 // large tensors that differ in the middle alone
	for i, v := range p.byHash[key] {
		if i < most && v.Const.DType == t.DType && slices.Equal(v.Const.Dims, t.Dims) && bytes.Equal(v.Const.Data, t.Data) && slices.Equal(v.Const.Strings, t.Strings) {
			return v
		}
	}
	return nil
}

// value is the initializer that holds t.
func (p *pool) value(t *onnx.Tensor) *onnx.Value {
	v, _ := p.valueWithin(t, int64(len(t.Data)))
	return v
}

// valueWithin is value where it adds no more than that many bytes, else nil; added says how many.
func (p *pool) valueWithin(t *onnx.Tensor, most int64) (v *onnx.Value, added int64) {
	key := p.key(t)
	if v := p.find(key, t); v != nil {
		return v, 0
	}
	if added = int64(len(t.Data)); added > most {
		return nil, 0
	}
	v = p.graph.AddInitializer("", t)
	p.byHash[key] = append(p.byHash[key], v)
	return v, added
}
