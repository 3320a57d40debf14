package oes

import (
	"graft/masking"
	"graft/onnx"
	"graft/training"
)

// PackMask packs the masks of a set as the network's parameters are.
func PackMask(m *onnx.Model, set *masking.Set) ([]bool, error) {
	var names []string
	for _, v := range training.Parameters(m.Graph) {
		names = append(names, v.Name)
	}
	return set.Flat(names)
}

// UnpackMask names the parts of a packed mask: the inverse of PackMask.
func UnpackMask(m *onnx.Model, keep []bool) (*masking.Set, error) {
	var names []string
	var dims [][]int64
	for _, v := range training.Parameters(m.Graph) {
		names, dims = append(names, v.Name), append(dims, v.Const.Dims)
	}
	return masking.FromFlat(names, dims, keep)
}

// DeadLayers names the weights of which a mask keeps nothing although nothing comes through without. keep is packed as the parameters.
func DeadLayers(m *onnx.Model, keep []bool) []string {
	return masking.FlowOf(Masked(m, keep).Graph).Empty
}

// LayerKept is how much of a parameter a mask keeps.
type LayerKept struct {
	Name  string `json:"name"`
	Total int64  `json:"total"`
	Kept  int64  `json:"kept"`
}

// KeptLayers says for every parameter how much of it a packed mask keeps.
func KeptLayers(m *onnx.Model, keep []bool) []LayerKept {
	var list []LayerKept
	for _, v := range training.Parameters(m.Graph) {
		n := min(int(v.Const.Len()), len(keep))
		list = append(list, LayerKept{v.Name, int64(n), kept(keep[:n])})
		keep = keep[n:]
	}
	return list
}

// Masked is the network with zeros where a packed mask keeps nothing.
func Masked(m *onnx.Model, keep []bool) *onnx.Model {
	m = m.Clone()
	for _, v := range training.Parameters(m.Graph) {
		t := v.Const.Clone()
		x := t.Float32s()
		for i := range min(len(x), len(keep)) {
			if !keep[i] {
				x[i] = 0
			}
		}
		keep = keep[min(len(x), len(keep)):]
		v.Const = t
	}
	return m
}

func kept(keep []bool) int64 {
	n := int64(0)
	for _, k := range keep {
		if k {
			n++
		}
	}
	return n
}
