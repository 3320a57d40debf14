package training

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Packing lays named tensors out behind each other in one vector, so that an optimizer is a handful of nodes however many
// parameters there are. Outside the step graph nothing is packed: files and checkpoints go by name.
type Packing struct {
	names   []string
	dims    [][]int64
	offsets []int64 // one more than names: the last is the total
}

// NewPacking lays out values in the order given. All must be float tensors of known size.
func NewPacking(values []*onnx.Value) (*Packing, error) {
	p := &Packing{offsets: []int64{0}}
	for _, v := range values {
		dims, ok := v.Type.Shape.Sizes()
		if !ok || v.Type.DType != onnx.Float {
			return nil, fmt.Errorf("pack %q: wants float of known size, is %v", v.Name, v.Type)
		}
		n, err := onnx.ElementCount(dims)
		if err != nil {
			return nil, fmt.Errorf("pack %q: %w", v.Name, err)
		}
		end, ok := limits.AddInt(p.Len(), n)
		if !ok {
			return nil, fmt.Errorf("pack %q: the number of parameters overflows", v.Name)
		}
		p.names, p.dims, p.offsets = append(p.names, v.Name), append(p.dims, dims), append(p.offsets, end)
	}
	return p, nil
}

// Len is the number of elements of the packed vector.
func (p *Packing) Len() int64 { return p.offsets[len(p.offsets)-1] }

// Names lists the tensors in packed order.
func (p *Packing) Names() []string { return p.names }

// Dims are the dimensions of the i-th tensor.
func (p *Packing) Dims(i int) []int64 { return p.dims[i] }

// Pack copies tensors into one vector, each found by its name.
func (p *Packing) Pack(tensor func(name string) *onnx.Tensor) (*onnx.Tensor, error) {
	tensors := make([]*onnx.Tensor, len(p.names))
	for i, name := range p.names { // all of them before memory is asked for
		t := tensor(name)
		if t == nil {
			return nil, fmt.Errorf("pack %q: no such tensor", name)
		}
		if t.DType != onnx.Float || !slices.Equal(t.Dims, p.dims[i]) || t.Check() != nil {
			return nil, fmt.Errorf("pack %q: wants float %v, is %v", name, p.dims[i], t.Type())
		}
		tensors[i] = t
	}
	flat := onnx.NewTensor(onnx.Float, p.Len())
	for i, t := range tensors {
		copy(flat.Float32s()[p.offsets[i]:], t.Float32s())
	}
	return flat, nil
}

// Unpack cuts a packed vector into named tensors, which are copies.
func (p *Packing) Unpack(flat *onnx.Tensor) []*onnx.Tensor {
	out := make([]*onnx.Tensor, len(p.names))
	for i, name := range p.names {
		out[i] = onnx.FromSlice(flat.Float32s()[p.offsets[i]:p.offsets[i+1]], p.dims[i]...)
		if len(p.dims[i]) == 0 {
			out[i].Dims = []int64{}
		}
		out[i].Name = name
	}
	return out
}

// Join joins values of the tensors' shapes into a packed value, inside a graph.
func (p *Packing) Join(b *op.Builder, values []*onnx.Value) *onnx.Value {
	parts := make([]*onnx.Value, len(values))
	for i, v := range values {
		parts[i] = v
		if len(p.dims[i]) != 1 {
			parts[i] = b.Reshape(v, -1)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return b.Concat(0, parts...)
}

// Split cuts a packed value into values of the tensors' shapes, inside a graph.
func (p *Packing) Split(b *op.Builder, flat *onnx.Value) []*onnx.Value {
	sizes := make([]int64, len(p.names))
	for i := range sizes {
		sizes[i] = p.offsets[i+1] - p.offsets[i]
	}
	parts := []*onnx.Value{flat}
	if len(sizes) > 1 {
		parts = b.Split(flat, 0, sizes...)
	}
	for i := range parts {
		if len(p.dims[i]) != 1 {
			parts[i] = b.Reshape(parts[i], p.dims[i]...)
		}
	}
	return parts
}
