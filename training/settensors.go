package training

import (
	"graft/onnx"
)

// SetTensors puts tensors in the places of the model's initializers of the same names: what was trained, into the network that it was
// trained of. Tensors of other names are left out.
func SetTensors(m *onnx.Model, tensors []*onnx.Tensor) {
	for _, t := range tensors {
		if v := m.Graph.Lookup(t.Name); v != nil && v.Const != nil {
			v.Const = t
		}
	}
}

// Trained is a copy of a model with packed weights and running statistics in it; nil statistics are those of the model.
func (g *Gated) Trained(m *onnx.Model, weights *onnx.Tensor, buffers map[string]*onnx.Tensor) *onnx.Model {
	m = m.Clone()
	SetTensors(m, g.plan.packing.Unpack(weights))
	for name, t := range buffers {
		SetTensors(m, []*onnx.Tensor{{Name: name, DType: t.DType, Dims: t.Dims, Data: t.Data}})
	}
	return m
}
