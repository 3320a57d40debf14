package language

import (
	"fmt"
	"slices"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/limits"
)

// Weights reads the weights of the network for a form of the model, float, by the network's names for them.
func (s *Source) Weights(o net.Options) (map[string]*onnx.Tensor, error) {
	_, found, err := s.find(o)
	if err != nil {
		return nil, limits.InFile(s.name, err)
	}
	out := map[string]*onnx.Tensor{}
	for name, e := range found {
		t, err := e.float32s()
		if err != nil {
			return nil, limits.InFile(s.name, err)
		}
		named := *t
		named.Name = name
		out[name] = &named
	}
	return out, nil
}

// Replace puts other weights in the place of those of the same names, of the same dims, and adds the names that there are not: what
// is written of the source has them.
func (s *Source) Replace(weights map[string]*onnx.Tensor) error {
	prefix := net.Prefix(s.Config.ModelType)
	for name, t := range weights {
		read := func() (*onnx.Tensor, error) { return t, nil }
		at, known := -1, false
		for _, spelling := range spellings(name, prefix) {
			if at, known = s.index[spelling]; known {
				break
			}
		}
		if !known {
			s.add(name, t.Dims, read)
			continue
		}
		e := &s.entries[at]
		if !slices.Equal(e.dims, t.Dims) {
			return fmt.Errorf("replace %s %v by %v", name, e.dims, t.Dims)
		}
		e.read = read
	}
	return nil
}
