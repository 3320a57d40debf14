package language

import (
	"io"
	"slices"
	"strings"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/gguf"
	"graft/onnx/limits"
)

// GGUFName is the file's name where none is given.
const GGUFName = "model.gguf"

// GGUF lays the model out as a GGUF file for llama.cpp: a decoder with its head over the words, or BERT's encoder. Matrices have the
// type that is asked for (gguf.F32, F16, Q8_0), rows that are not whole blocks float16, and vectors and positions float32. Heads that
// were removed are zeros. The
// tokenizer is that of the GGUF file that the source is, else made of its tokenizer.json; without one the file says that it has
// none.
func (s *Source) GGUF(kind gguf.Type) (*Layout, error) {
	l, err := s.ggufLayout(kind)
	return l, limits.InFile(s.name, err)
}

func (s *Source) ggufLayout(kind gguf.Type) (*Layout, error) {
	c, o := s.Config, s.Options
	a, ok := ggufArchitectures[c.ModelType]
	if !ok {
		return nil, limits.Refuse("", "GGUF has no %s that is written: there are bert, gpt2, llama", c.ModelType)
	}
	if want := strings.TrimSuffix(a.task, "-with-past"); o.Task != want {
		return nil, limits.Refuse("", "GGUF has %s for %s alone, not for %s", c.ModelType, want, o.Task)
	}
	o.Pooler = false
	has, err := c.Parameters(o)
	if err != nil {
		return nil, limits.Refuse("", "%v", err)
	}
	found, err := s.match(has)
	if err != nil {
		return nil, err
	}
	params, weight, err := s.whole(o, found)
	if err != nil {
		return nil, limits.Refuse("", "%v", err)
	}
	keys, err := s.ggufKeys(a, kind)
	if err != nil {
		return nil, err
	}
	var entries []gguf.Entry
	var turns []turn
	for _, p := range params {
		e, t := a.ggufEntry(p, kind)
		entries, turns = append(entries, e), append(turns, t)
	}
	var factors *onnx.Tensor
	if c.RopeScaling != nil && c.RopeScaling.Type == "llama3" {
		factors = onnx.NewTensor(onnx.Float, c.Defaults().HeadDim/2)
		for i, f := range c.Defaults().RotaryFactors() {
			factors.Float32s()[i] = float32(f)
		}
		entries = append(entries, gguf.Entry{Name: "rope_freqs.weight", Type: gguf.F32, Dims: factors.Dims})
	}
	l := &Layout{Files: map[string][]byte{}, Name: GGUFName}
	if l.Bytes, err = gguf.Size(keys, entries); err != nil {
		return nil, limits.Refuse("", "%v", err)
	}
	l.Write = func(w io.Writer) error {
		return gguf.WriteEach(w, keys, entries, func(i int) (*onnx.Tensor, error) {
			if i == len(params) {
				return factors, nil
			}
			x, err := weight(params[i])
			if err != nil {
				return nil, limits.InFile(s.name, err)
			}
			switch turns[i] {
			case transposed:
				if len(x.Dims) == 2 {
					x = transpose(x)
				}
			case halved:
				x = neighbours(x, c.NumAttentionHeads)
			case halvedKV:
				x = neighbours(x, c.Defaults().NumKeyValueHeads)
			}
			return x, nil
		})
	}
	return l, nil
}

// ggufEntry is a parameter as GGUF has it.
func (a ggufArchitecture) ggufEntry(p net.Parameter, kind gguf.Type) (gguf.Entry, turn) {
	stem, what, _ := cutLast(p.Name)
	e := gguf.Entry{Name: p.Name, Type: gguf.F32, Dims: slices.Clone(p.Dims)}
	var t turn
	for _, row := range a.names {
		layer := ""
		if before, after, layered := strings.Cut(row.ours, "%"); layered {
			rest, is := strings.CutPrefix(stem, before)
			layer, is = cutSuffix(rest, after, is)
			if !is || strings.Contains(layer, ".") {
				continue
			}
		} else if row.ours != stem {
			continue
		}
		e.Name, t = layered(row.name, layer)+"."+what, row.turn
	}
	if len(e.Dims) < 2 || e.Name == "position_embd.weight" || e.Name == "token_types.weight" {
		return e, t
	}
	if t == transposed {
		slices.Reverse(e.Dims)
	}
	if e.Type = kind; kind == gguf.Q8_0 && e.Dims[1]%32 != 0 {
		e.Type = gguf.F16
	}
	return e, t
}

func cutSuffix(s, suffix string, also bool) (string, bool) {
	rest, ok := strings.CutSuffix(s, suffix)
	return rest, ok && also
}

// fileTypes are the numbers that general.file_type has for what most matrices are.
var fileTypes = map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q8_0: 7}

// ggufKeys is the metadata.
func (s *Source) ggufKeys(a ggufArchitecture, kind gguf.Type) ([]gguf.Key, error) {
	c := s.Config.Defaults()
	keys := []gguf.Key{{Name: "general.architecture", Value: c.ModelType}, {Name: "general.type", Value: "model"}, {Name: "general.file_type", Value: fileTypes[kind]},
		{Name: "general.quantization_version", Value: uint32(2)}}
	add := func(name string, v any) { keys = append(keys, gguf.Key{Name: c.ModelType + "." + name, Value: v}) }
	add("block_count", uint32(c.NumHiddenLayers))
	add("context_length", uint32(c.MaxPositionEmbeddings))
	add("embedding_length", uint32(c.HiddenSize))
	add("feed_forward_length", uint32(c.IntermediateSize))
	add("attention.head_count", uint32(c.NumAttentionHeads))
	add(a.eps, float32(c.NormEps))
	add("vocab_size", uint32(c.VocabSize))
	switch c.ModelType {
	case "bert":
		if c.HiddenAct != "gelu" {
			return nil, limits.Refuse("", "llama.cpp computes BERT with gelu, this one has %s", c.HiddenAct)
		}
		add("attention.causal", false)
		add("pooling_type", uint32(1)) // the mean
	case "gpt2":
		if c.HiddenAct != "gelu_new" || c.UnscaledAttention || c.ScaleByInverseLayer {
			return nil, limits.Refuse("", "llama.cpp computes GPT-2 with gelu_new and scores by the root of the width alone: this one is another")
		}
	case "llama":
		if c.HiddenAct != "silu" {
			return nil, limits.Refuse("", "llama.cpp computes Llama with silu, this one has %s", c.HiddenAct)
		}
		add("attention.head_count_kv", uint32(c.NumKeyValueHeads))
		add("attention.key_length", uint32(c.HeadDim))
		add("attention.value_length", uint32(c.HeadDim))
		add("rope.dimension_count", uint32(c.HeadDim))
		add("rope.freq_base", float32(c.RopeTheta))
		if r := c.RopeScaling; r != nil && r.Type == "linear" {
			add("rope.scaling.type", "linear")
			add("rope.scaling.factor", float32(r.Factor))
		}
	}
	vocabulary := s.keys
	if vocabulary == nil {
		var err error
		if vocabulary, err = s.vocabularyKeys(); err != nil {
			return nil, err
		}
	}
	return append(keys, vocabulary...), nil
}
