package language

import (
	"encoding/json"

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

// Replace puts another configuration, which may have lost heads, and other weights in the place of those of the same names, and adds the
// names that there are not: what is written of the source has them.
func (s *Source) Replace(c net.Config, weights map[string]*onnx.Tensor) error {
	if err := s.setHeads(c.PrunedHeads); err != nil {
		return limits.InFile(s.name, err)
	}
	s.Config = c
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
		e.dims, e.read = t.Dims, read
	}
	return nil
}

// Untie has the model's configuration say that the head's weight is not the table of words.
func (s *Source) Untie() error {
	c, err := parseJSON(s.Files[ConfigName])
	if err != nil {
		return err
	}
	c["tie_word_embeddings"] = false
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	s.Config.TieWordEmbeddings, s.Files[ConfigName] = false, append(data, '\n')
	return nil
}
