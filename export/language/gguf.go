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
	"graft/onnx/llama2c"
)

// turn is what a tensor of a GGUF file goes through to be Hugging Face's.
type turn int

const (
	asIs       turn = iota
	transposed      // GPT-2's weights are [in, out], in GGUF [out, in]
	halved          // rows of a head that turn together are neighbours in GGUF, and half a head apart at Hugging Face
	halvedKV        // the same, with key-value heads
)

// gguf's names of tensors without "weight" and "bias", as GGUF's architectures have them: "%" is the layer.
type ggufName struct {
	name, ours string
	turn       turn
}

type ggufArchitecture struct {
	task  string
	eps   string // key of the epsilon
	names []ggufName
}

var ggufArchitectures = map[string]ggufArchitecture{
	"llama": {task: PastTask, eps: "attention.layer_norm_rms_epsilon", names: []ggufName{
		{"token_embd", "model.embed_tokens", asIs}, {"output_norm", "model.norm", asIs}, {"output", "lm_head", asIs},
		{"blk.%.attn_norm", "model.layers.%.input_layernorm", asIs}, {"blk.%.ffn_norm", "model.layers.%.post_attention_layernorm", asIs},
		{"blk.%.attn_q", "model.layers.%.self_attn.q_proj", halved}, {"blk.%.attn_k", "model.layers.%.self_attn.k_proj", halvedKV},
		{"blk.%.attn_v", "model.layers.%.self_attn.v_proj", asIs}, {"blk.%.attn_output", "model.layers.%.self_attn.o_proj", asIs},
		{"blk.%.ffn_gate", "model.layers.%.mlp.gate_proj", asIs}, {"blk.%.ffn_up", "model.layers.%.mlp.up_proj", asIs},
		{"blk.%.ffn_down", "model.layers.%.mlp.down_proj", asIs},
	}},
	"gpt2": {task: PastTask, eps: "attention.layer_norm_epsilon", names: []ggufName{
		{"token_embd", "transformer.wte", asIs}, {"position_embd", "transformer.wpe", asIs}, {"output_norm", "transformer.ln_f", asIs},
		{"output", "lm_head", asIs}, {"blk.%.attn_norm", "transformer.h.%.ln_1", asIs}, {"blk.%.ffn_norm", "transformer.h.%.ln_2", asIs},
		{"blk.%.attn_qkv", "transformer.h.%.attn.c_attn", transposed}, {"blk.%.attn_output", "transformer.h.%.attn.c_proj", transposed},
		{"blk.%.ffn_up", "transformer.h.%.mlp.c_fc", transposed}, {"blk.%.ffn_down", "transformer.h.%.mlp.c_proj", transposed},
	}},
	"bert": {task: net.FeatureExtraction, eps: "attention.layer_norm_epsilon", names: []ggufName{
		{"token_embd", "bert.embeddings.word_embeddings", asIs}, {"position_embd", "bert.embeddings.position_embeddings", asIs},
		{"token_types", "bert.embeddings.token_type_embeddings", asIs}, {"token_embd_norm", "bert.embeddings.LayerNorm", asIs},
		{"blk.%.attn_q", "bert.encoder.layer.%.attention.self.query", asIs}, {"blk.%.attn_k", "bert.encoder.layer.%.attention.self.key", asIs},
		{"blk.%.attn_v", "bert.encoder.layer.%.attention.self.value", asIs}, {"blk.%.attn_output", "bert.encoder.layer.%.attention.output.dense", asIs},
		{"blk.%.attn_output_norm", "bert.encoder.layer.%.attention.output.LayerNorm", asIs}, {"blk.%.ffn_up", "bert.encoder.layer.%.intermediate.dense", asIs},
		{"blk.%.ffn_down", "bert.encoder.layer.%.output.dense", asIs}, {"blk.%.layer_output_norm", "bert.encoder.layer.%.output.LayerNorm", asIs},
	}},
}

// layered puts a layer's number into a name.
func layered(name, layer string) string { return strings.Replace(name, "%", layer, 1) }

// theirs finds the row of a tensor's name, and what we call it; ok is false where there is none.
func (a ggufArchitecture) theirs(name string) (ours string, row ggufName, ok bool) {
	stem, kind, ok := cutLast(name)
	if !ok || kind != "weight" && kind != "bias" {
		return "", row, false
	}
	layer := ""
	if rest, is := strings.CutPrefix(stem, "blk."); is {
		number, part, _ := strings.Cut(rest, ".")
		stem, layer = "blk.%."+part, number
	}
	i := slices.IndexFunc(a.names, func(n ggufName) bool { return n.name == stem })
	if i < 0 {
		return "", row, false
	}
	return layered(a.names[i].ours, layer) + "." + kind, a.names[i], true
}

func cutLast(name string) (stem, kind string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// OpenGGUF opens a GGUF file of a language model, block-quantized weights of which become float32, and whose vocabulary
// becomes a tokenizer.json.
func OpenGGUF(path string) (*Source, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Source{name: path, close: f.Close, Files: map[string][]byte{}}
	if err := s.fromGGUF(f); err != nil {
		f.Close()
		return nil, limits.InFile(path, err)
	}
	return s, nil
}

func (s *Source) fromGGUF(f *gguf.File) error {
	kind, _ := f.String("general.architecture")
	a, ok := ggufArchitectures[kind]
	if !ok {
		return limits.Refuse("general.architecture", "%s is not known: there are bert, gpt2, llama", limits.Name(kind))
	}
	m := &metadata{f: f, prefix: kind + "."}
	c := net.Config{ModelType: kind, HiddenSize: m.whole("embedding_length", -1), NumHiddenLayers: m.whole("block_count", -1),
		NumAttentionHeads: m.whole("attention.head_count", -1), IntermediateSize: m.whole("feed_forward_length", -1),
		MaxPositionEmbeddings: m.whole("context_length", -1), NormEps: m.number(a.eps, -1), PadTokenID: -1, NumLabels: 2}
	c.VocabSize, c.TypeVocabSize = rows(f, "token_embd.weight"), rows(f, "token_types.weight")
	_, own := f.Entry("output.weight")
	c.TieWordEmbeddings = !own
	switch kind {
	case "llama":
		m.llama(f, &c)
	case "gpt2":
		c.HiddenAct = "gelu_new"
	case "bert":
		c.HiddenAct, c.TieWordEmbeddings, c.PadTokenID = "gelu", true, 0
		if model, _ := f.String("tokenizer.ggml.model"); model != "bert" {
			m.bad("tokenizer.ggml.model", "is %s: BERT's own is wanted, others count positions otherwise", limits.Name(model))
		}
	}
	if len(m.wrong) > 0 {
		return limits.Refuse("metadata", "%s", strings.Join(m.wrong, "; "))
	}
	if n := m.token("padding_token_id"); n >= 0 && n < c.VocabSize {
		c.PadTokenID = n
	}
	if err := c.Check(); err != nil {
		return limits.Refuse("metadata", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	s.Config = c.Defaults()
	if err := s.SetTask(a.task); err != nil {
		return err
	}
	for _, e := range f.Entries() {
		if e.Type.DType() == onnx.Undefined {
			_, err := f.Tensor(e.Name) // says why
			return err
		}
		name, row, ok := a.theirs(e.Name)
		switch {
		case e.Name == "rope_freqs.weight": // read as part of the configuration
			continue
		case !ok:
			name = e.Name
		}
		s.addGGUF(f, e, name, row.turn)
	}
	for _, k := range f.Keys() {
		if strings.HasPrefix(k.Name, "tokenizer.") || k.Name == "general.name" {
			s.keys = append(s.keys, k)
		}
	}
	if err := s.fromGGUFTokenizer(f); err != nil {
		return err
	}
	data, err := encodeConfig(s.Config, s.Options.Task, map[string]int64{"bos_token_id": m.token("bos_token_id"), "eos_token_id": m.token("eos_token_id")})
	s.Files[ConfigName] = data
	return err
}

// addGGUF adds a tensor under our name, in our order.
func (s *Source) addGGUF(f *gguf.File, e gguf.Entry, name string, t turn) {
	dims := slices.Clone(e.Dims)
	if t == transposed && len(dims) == 2 {
		slices.Reverse(dims)
	}
	heads := s.Config.NumAttentionHeads
	if t == halvedKV {
		heads = s.Config.NumKeyValueHeads
	}
	s.add(name, dims, func() (*onnx.Tensor, error) {
		x, err := f.Tensor(e.Name)
		if err == nil {
			x, err = float32s(x)
		}
		switch {
		case err != nil:
			return nil, err
		case t == transposed && len(x.Dims) == 2:
			return transpose(x), nil
		case t == halved, t == halvedKV:
			return halves(x, heads), nil
		}
		return x, nil
	})
}

// rows is the first dimension of a tensor; 0 where there is none.
func rows(f *gguf.File, name string) int64 {
	if e, ok := f.Entry(name); ok {
		return e.Dims[0]
	}
	return 0
}

// transpose is the transpose of a float matrix.
func transpose(x *onnx.Tensor) *onnx.Tensor {
	n, m := int(x.Dims[0]), int(x.Dims[1])
	y := onnx.NewTensor(onnx.Float, x.Dims[1], x.Dims[0])
	from, to := x.Float32s(), y.Float32s()
	const block = 32
	for i0 := 0; i0 < n; i0 += block {
		for j0 := 0; j0 < m; j0 += block {
			for i := i0; i < min(i0+block, n); i++ {
				for j := j0; j < min(j0+block, m); j++ {
					to[j*n+i] = from[i*m+j]
				}
			}
		}
	}
	return y
}

// halves puts the even rows of each head in front of its odd ones; neighbours is the inverse. Rows that are not whole heads of
// pairs stay: the shape is refused elsewhere.
func halves(x *onnx.Tensor, heads int64) *onnx.Tensor {
	return reorder(x, heads, func(i, half int64) int64 { return i%half*2 + i/half })
}

func neighbours(x *onnx.Tensor, heads int64) *onnx.Tensor {
	return reorder(x, heads, func(i, half int64) int64 { return i%2*half + i/2 })
}

// reorder makes row i of each head from its row from(i).
func reorder(x *onnx.Tensor, heads int64, from func(i, half int64) int64) *onnx.Tensor {
	if heads < 1 || x.Dims[0]%(2*heads) != 0 {
		return x
	}
	y := onnx.NewTensor(x.DType, x.Dims...)
	size, row := x.Dims[0]/heads, int64(len(x.Data))/x.Dims[0]
	for h := range heads {
		for i := range size {
			at := h*size + from(i, size/2)
			copy(y.Data[(h*size+i)*row:], x.Data[at*row:(at+1)*row])
		}
	}
	return y
}

// metadata reads keys of an architecture, and gathers what is wrong.
type metadata struct {
	f      *gguf.File
	prefix string
	wrong  []string
}

func (m *metadata) bad(key, format string, args ...any) {
	m.wrong = append(m.wrong, key+": "+fmt.Sprintf(format, args...))
}

// whole is an integer; -1 as what holds otherwise means that it must be there.
func (m *metadata) whole(key string, otherwise int64) int64 {
	v, ok := m.f.Value(m.prefix + key)
	if !ok && otherwise >= 0 {
		return otherwise
	}
	if n, is := integer(v); is {
		return n
	}
	if ok {
		m.bad(m.prefix+key, "wants one whole number")
	} else {
		m.bad(m.prefix+key, "is missing")
	}
	return max(otherwise, 0)
}

func integer(v any) (int64, bool) {
	switch n := v.(type) {
	case uint8:
		return int64(n), true
	case int8:
		return int64(n), true
	case uint16:
		return int64(n), true
	case int16:
		return int64(n), true
	case uint32:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(min(n, math.MaxInt64)), true
	}
	return 0, false
}

func (m *metadata) number(key string, otherwise float64) float64 {
	v, ok := m.f.Value(m.prefix + key)
	switch n := v.(type) {
	case float32:
		return shortest(n)
	case float64:
		return n
	}
	if n, is := integer(v); is {
		return float64(n)
	}
	switch {
	case ok:
		m.bad(m.prefix+key, "wants one number")
	case otherwise < 0:
		m.bad(m.prefix+key, "is missing")
	}
	return max(otherwise, 0)
}

// token is a token's number; -1 where it is not said.
func (m *metadata) token(name string) int64 {
	v, _ := m.f.Value("tokenizer.ggml." + name)
	if n, ok := integer(v); ok && n >= 0 && n <= math.MaxInt32 {
		return n
	}
	return -1
}

// llama reads what Llama alone has.
func (m *metadata) llama(f *gguf.File, c *net.Config) {
	c.HiddenAct = "silu"
	c.NumKeyValueHeads = m.whole("attention.head_count_kv", c.NumAttentionHeads)
	c.HeadDim = m.whole("attention.key_length", 0)
	if v := m.whole("attention.value_length", c.HeadDim); v != c.HeadDim {
		m.bad(m.prefix+"attention.value_length", "is %d, keys have %d", v, c.HeadDim)
	}
	c.RopeTheta = m.number("rope.freq_base", 10000)
	width := c.HeadDim
	if width == 0 && c.NumAttentionHeads > 0 {
		width = c.HiddenSize / c.NumAttentionHeads
	}
	if d := m.whole("rope.dimension_count", width); d != width {
		m.bad(m.prefix+"rope.dimension_count", "is %d of %d: heads that turn in part are not built", d, width)
	}
	if n := m.whole("expert_count", 0); n > 0 {
		m.bad(m.prefix+"expert_count", "is %d: mixtures of experts are not built", n)
	}
	_, c.AttentionBias = f.Entry("blk.0.attn_q.bias")
	_, c.MLPBias = f.Entry("blk.0.ffn_up.bias")
	kind, _ := f.String(m.prefix + "rope.scaling.type")
	switch kind {
	case "", "none":
	case "linear":
		c.RopeScaling = &net.RopeScaling{Type: kind, Factor: m.number("rope.scaling.factor", -1)}
	default:
		m.bad(m.prefix+"rope.scaling.type", "is %s: there are none and linear", limits.Name(kind))
	}
	if e, ok := f.Entry("rope_freqs.weight"); ok && len(m.wrong) == 0 {
		m.factors(f, e, c)
	}
}

// factors finds the settings of llama3's scaling that a file has the outcome of: those of Llama 3.1 and later.
func (m *metadata) factors(f *gguf.File, e gguf.Entry, c *net.Config) {
	t, err := f.Tensor(e.Name)
	if err != nil || t.DType != onnx.Float || t.Len() == 0 || t.Len() > 1<<14 {
		m.bad(e.Name, "cannot be read")
		return
	}
	list := t.Float32s()
	c.RopeScaling = &net.RopeScaling{Type: "llama3", Factor: float64(slices.Max(list)), LowFreq: 1, HighFreq: 4, Original: 8192}
	for i, want := range c.Defaults().RotaryFactors() {
		if i >= len(list) || math.Abs(float64(list[i])-want) > 1e-4*want {
			m.bad(e.Name, "the frequencies are not those of llama3's scaling with factors 1 and 4 of 8192 positions, which alone is read")
			return
		}
	}
}

// shortest is the number that prints as v does: 1e-05, and not the float64 that is nearest to the float32.
func shortest(v float32) float64 {
	var x float64
	if _, err := fmt.Sscan(fmt.Sprint(v), &x); err != nil {
		return float64(v)
	}
	return x
}

// OpenLlama2c opens a file of llama2.c, in its first layout.
func OpenLlama2c(path string) (*Source, error) {
	f, err := llama2c.Open(path)
	if err != nil {
		return nil, err
	}
	s := &Source{name: path, close: f.Close, Files: map[string][]byte{}}
	s.Config = net.Config{ModelType: "llama", VocabSize: int64(f.Vocabulary), HiddenSize: int64(f.Width), IntermediateSize: int64(f.Hidden),
		NumHiddenLayers: int64(f.Layers), NumAttentionHeads: int64(f.Heads), NumKeyValueHeads: int64(f.KVHeads),
		MaxPositionEmbeddings: int64(f.Sequence), HiddenAct: "silu", NormEps: 1e-5, PadTokenID: -1, NumLabels: 2, TieWordEmbeddings: !f.OwnClassifier}.Defaults()
	err = s.Config.Check()
	if err != nil {
		err = limits.Refuse("llama2.c header", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	} else if err = s.SetTask(PastTask); err == nil {
		s.Files[ConfigName], err = encodeConfig(s.Config, s.Options.Task, map[string]int64{"bos_token_id": 1, "eos_token_id": 2})
	}
	if err != nil {
		f.Close()
		return nil, limits.InFile(path, err)
	}
	for _, e := range f.Entries() {
		s.add(e.Name, e.Dims, func() (*onnx.Tensor, error) { return f.Tensor(e.Name) })
	}
	return s, nil
}
