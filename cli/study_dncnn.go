package cli

import (
	"fmt"
	"slices"

	"graft/export/pickle"
	"graft/graphs"
	"graft/onnx"
)

// readDnCNN reads the trained weights of a DnCNN for grey pictures, as KAIR saves them, and gives the network with them and
// what identifies the file.
func readDnCNN(path string) (*onnx.Model, string, error) {
	f, err := pickle.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	tensors, err := f.Tensors()
	if err != nil {
		return nil, "", err
	}
	m, err := graphs.DnCNN{Layers: max(2, min(100, int64(len(tensors)/2)))}.Build(0)
	if err != nil {
		return nil, "", err
	}
	wanted := m.Graph.Initializers()
	if len(tensors) != len(wanted) {
		return nil, "", fmt.Errorf("%d tensors: a DnCNN of %d layers has %d", len(tensors), len(wanted)/2, len(wanted))
	}
	for _, t := range tensors {
		v := m.Graph.Lookup(t.Name)
		if v == nil || v.Const == nil {
			return nil, "", fmt.Errorf("tensor %q: a DnCNN has none of that name", t.Name)
		}
		if t.DType != onnx.Float || !slices.Equal(t.Dims, v.Const.Dims) {
			return nil, "", fmt.Errorf("tensor %q is %v, wants %v", t.Name, t.Type(), v.Const.Type())
		}
		v.Const = t
	}
	id, err := fileHash(path)
	return m, id, err
}
