package language

import (
	"fmt"
	"math"
	"slices"
	"strings"

	net "graft/graphs/language"
	"graft/onnx"
	"graft/onnx/gguf"
	"graft/onnx/limits"
	"graft/onnx/precision"
)

// entry is a tensor of a source that is read when it is wanted.
type entry struct {
	name string
	dims []int64
	read func() (*onnx.Tensor, error)
}

// Source is a pretrained model that has been opened.
type Source struct {
	Config  net.Config
	Options net.Options       // for the task that the model says it is for
	Files   map[string][]byte // what goes along: config.json, generation_config.json, tokenizer files
	Notes   []string          // what a user should know of the source
	Ignored []string          // tensors that a model for Options does not have: buffers, copies, other heads

	name    string     // in errors
	keys    []gguf.Key // of the tokenizer, where the source is a GGUF file
	network bool       // the weights are those of a network, which has constants besides
	taskErr error
	entries []entry
	index   map[string]int
	close   func() error
}

// Close closes the files.
func (s *Source) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// SetTask chooses another task than the model says, one of Tasks.
func (s *Source) SetTask(task string) error {
	if err := setTask(&s.Options, task); err != nil {
		return err
	}
	s.taskErr = nil
	if known := net.Tasks(s.Config.ModelType); !slices.Contains(known, s.Options.Task) {
		return fmt.Errorf("%s has no task %s: there are %s", s.Config.ModelType, task, strings.Join(known, ", "))
	}
	return nil
}

func (s *Source) add(name string, dims []int64, read func() (*onnx.Tensor, error)) {
	if s.index == nil {
		s.index = map[string]int{}
	}
	s.index[name] = len(s.entries)
	s.entries = append(s.entries, entry{name, dims, read})
}

// Model builds the network with the source's weights. All tensors that are missing, not known or of another shape are in the
// one error.
func (s *Source) Model(o net.Options) (*onnx.Model, error) {
	o, found, err := s.find(o)
	if err != nil {
		return nil, limits.InFile(s.name, err)
	}
	m, err := s.Config.Build(o, func(p net.Parameter) (*onnx.Tensor, error) { return found[p.Name].float32s() })
	return m, limits.InFile(s.name, err)
}

// find gives the tensors that a form of the model is made of, which has a pooler where the source has one.
func (s *Source) find(o net.Options) (net.Options, map[string]*entry, error) {
	if s.taskErr != nil {
		return o, nil, limits.Refuse("", "%v", s.taskErr)
	}
	prefix := net.Prefix(s.Config.ModelType)
	if (o.Task == net.FeatureExtraction || o.Task == "") && net.HasPooler(s.Config.ModelType) {
		for _, name := range spellings(prefix+"pooler.dense.weight", prefix) {
			if _, ok := s.index[name]; ok {
				o.Pooler = true
			}
		}
	}
	params, err := s.Config.Parameters(o)
	if err != nil {
		return o, nil, limits.Refuse("", "%v", err)
	}
	found, err := s.match(params)
	return o, found, err
}

// Parameters is the number of weights of the model for Options.
func (s *Source) Parameters() (n int64, err error) {
	o, _, err := s.find(s.Options)
	if err != nil {
		return 0, limits.InFile(s.name, err)
	}
	params, err := s.Config.Parameters(o)
	for _, p := range params {
		k, _ := onnx.ElementCount(p.Dims)
		n += k
	}
	return n, err
}

func (e *entry) float32s() (*onnx.Tensor, error) {
	t, err := e.read()
	if err != nil {
		return nil, err
	}
	return float32s(t)
}

// match finds each parameter's tensor.
func (s *Source) match(params []net.Parameter) (map[string]*entry, error) {
	prefix := net.Prefix(s.Config.ModelType)
	found, used := map[string]*entry{}, map[string]bool{}
	var missing, shapes, unknown []string
	for _, p := range params {
		var e *entry
		for _, name := range spellings(p.Name, prefix) {
			if i, ok := s.index[name]; ok {
				e = &s.entries[i]
				break
			}
		}
		switch {
		case e == nil:
			missing = append(missing, p.Name)
			continue
		case !slices.Equal(e.dims, p.Dims):
			shapes = append(shapes, fmt.Sprintf("%s is %v, wants %v", limits.Name(e.name), e.dims, p.Dims))
		}
		found[p.Name], used[e.name] = e, true
	}
	s.Ignored = nil
	unread := s.Config.Unread()
	for i := range s.entries {
		name := s.entries[i].name
		switch {
		case used[name]:
		case s.network:
		case beside(name, prefix), slices.Contains(s.entries[i].dims, 0), slices.Contains(unread, name), slices.Contains(unread, prefix+name):
			s.Ignored = append(s.Ignored, name)
		default:
			unknown = append(unknown, name)
		}
	}
	var wrong []string
	if len(missing) > 0 {
		wrong = append(wrong, fmt.Sprintf("%d missing: %s", len(missing), limits.Names(missing, shown)))
	}
	if len(shapes) > 0 {
		wrong = append(wrong, fmt.Sprintf("%d of another shape: %s", len(shapes), strings.Join(shapes[:min(len(shapes), shown)], ", ")))
	}
	if len(unknown) > 0 {
		wrong = append(wrong, fmt.Sprintf("%d not known: %s", len(unknown), limits.Names(unknown, shown)))
	}
	if len(wrong) > 0 {
		return nil, limits.Refuse("tensors", "%s", strings.Join(wrong, "; "))
	}
	return found, nil
}

// shown is how many tensors of a kind an error lists.
const shown = 400

// spellings are the names that a parameter has in files: models without a head leave the prefix out, and files of the first
// years call the weights of norms gamma and beta. A bias of a head over words has two names, both of which versions have written.
func spellings(name, prefix string) []string {
	list := []string{name}
	if rest, ok := strings.CutPrefix(name, prefix); ok {
		list = append(list, rest)
	}
	if head, ok := strings.CutSuffix(name, "decoder.bias"); ok {
		list = append(list, head+"bias")
	}
	for _, n := range slices.Clone(list) {
		if i := strings.LastIndex(n, "LayerNorm."); i >= 0 {
			old := map[string]string{"weight": "gamma", "bias": "beta"}[n[i+len("LayerNorm."):]]
			list = append(list, n[:i]+"LayerNorm."+old)
		}
	}
	return list
}

// beside reports whether a tensor that a network does not want is one that files of its kind have all the same: a buffer, a copy
// of a shared weight, or a part of another head.
func beside(name, prefix string) bool {
	for _, end := range []string{"position_ids", ".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq", "embeddings.token_type_ids"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	if rest, ok := strings.CutPrefix(name, prefix); ok {
		return strings.HasPrefix(rest, "pooler.")
	}
	for _, head := range []string{"cls.", "lm_head.", "classifier.", "pre_classifier.", "vocab_transform.", "vocab_layer_norm.", "vocab_projector.", "qa_outputs.", "score.", "pooler."} {
		if strings.HasPrefix(name, head) {
			return true
		}
	}
	return false
}

// float32s is t in float32.
func float32s(t *onnx.Tensor) (*onnx.Tensor, error) {
	switch t.DType {
	case onnx.Float:
		return t, nil
	case onnx.Float16, onnx.BFloat16:
		return precision.Round(t, onnx.Float), nil
	case onnx.Double:
		out := onnx.NewTensor(onnx.Float, t.Dims...)
		for i, v := range onnx.Read[float64](t) {
			if out.Float32s()[i] = float32(v); math.IsInf(float64(float32(v)), 0) && !math.IsInf(v, 0) {
				return nil, limits.Refuse("", "%g is beyond float32", v)
			}
		}
		return out, nil
	}
	return nil, limits.Refuse("", "is %v, wants floating-point numbers", t.DType)
}
