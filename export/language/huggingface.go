package language

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/safetensors"
)

// Layout is a model in another form than a network: files that hold it.
type Layout struct {
	Files map[string][]byte // small ones, whole
	Name  string            // of the large one
	Bytes int64             // of the large one
	Write func(w io.Writer) error
}

// HuggingFace lays the model out as transformers has it: model.safetensors in float32, config.json and what goes along. A weight
// that the head shares with the table of words is there once, under the table's name. Heads that were removed are zeros: since its
// fifth version transformers has all heads.
func (s *Source) HuggingFace() (*Layout, error) {
	o, found, err := s.find(s.Options)
	if err != nil {
		return nil, limits.InFile(s.name, err)
	}
	params, weight, err := s.whole(o, found)
	if err != nil {
		return nil, err
	}
	config, err := s.encodedConfig(o)
	if err != nil {
		return nil, limits.InFile(s.name, err)
	}
	l := &Layout{Files: maps.Clone(s.Files), Name: safeFile}
	l.Files[ConfigName] = config
	entries := make([]safetensors.Entry, len(params))
	for i, p := range params {
		name := p.Name
		if o.Task == net.FeatureExtraction { // a model without a head has no prefix
			name = strings.TrimPrefix(name, net.Prefix(s.Config.ModelType))
		}
		entries[i] = safetensors.Entry{Name: name, DType: onnx.Float, Dims: p.Dims}
	}
	about := map[string]string{"format": "pt"}
	if l.Bytes, err = safetensors.Size(entries, about); err != nil {
		return nil, err
	}
	l.Write = func(w io.Writer) error {
		return safetensors.WriteEach(w, entries, about, func(i int) (*onnx.Tensor, error) {
			t, err := weight(params[i])
			if err != nil {
				return nil, limits.InFile(s.name, err)
			}
			named := *t
			named.Name = entries[i].Name
			return &named, nil
		})
	}
	return l, nil
}

// encodedConfig is the source's config.json for the head of options, and weights in float32.
func (s *Source) encodedConfig(o net.Options) ([]byte, error) {
	c, err := parseJSON(s.Files[ConfigName])
	if err != nil {
		return nil, err
	}
	own := architectureNames[s.Config.ModelType][o.Task]
	f := &fields{o: c}
	if list := f.texts("architectures"); len(list) == 0 || !slices.Contains(list, own) {
		if task, err := taskOf(list); len(list) == 0 || err != nil || task != o.Task {
			c["architectures"] = []string{own}
		}
	}
	delete(c, "torch_dtype")
	delete(c, prunedKey)
	c["dtype"] = "float32"
	data, err := json.MarshalIndent(c, "", "  ")
	return append(data, '\n'), err
}
