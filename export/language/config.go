package language

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	net "graft/graphs/language"
	"graft/onnx/limits"
)

// words are what a model type calls its numbers in config.json, where that is not the name of BERT and Llama, and what
// transformers takes for those that are absent.
type words struct {
	names    map[string]string
	defaults map[string]int64
	act      string
	eps      string // "": the epsilon is always that of standard
	standard float64
	tied     bool
}

var wordsOf = map[string]words{
	"bert": {defaults: map[string]int64{"vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
		"max_position_embeddings": 512, "type_vocab_size": 2, "pad_token_id": 0}, act: "gelu", eps: "layer_norm_eps", standard: 1e-12, tied: true},
	"roberta": {defaults: map[string]int64{"vocab_size": 50265, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
		"max_position_embeddings": 512, "type_vocab_size": 2, "pad_token_id": 1}, act: "gelu", eps: "layer_norm_eps", standard: 1e-12, tied: true},
	"distilbert": {names: map[string]string{"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads", "intermediate_size": "hidden_dim", "hidden_act": "activation"},
		defaults: map[string]int64{"vocab_size": 30522, "hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 3072,
			"max_position_embeddings": 512, "pad_token_id": 0}, act: "gelu", standard: 1e-12, tied: true},
	"gpt2": {names: map[string]string{"hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "intermediate_size": "n_inner",
		"max_position_embeddings": "n_positions", "hidden_act": "activation_function"},
		defaults: map[string]int64{"vocab_size": 50257, "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 0,
			"max_position_embeddings": 1024, "pad_token_id": -1}, act: "gelu_new", eps: "layer_norm_epsilon", standard: 1e-5, tied: true},
	"llama": {defaults: map[string]int64{"vocab_size": 32000, "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 11008,
		"max_position_embeddings": 2048, "pad_token_id": -1}, act: "silu", eps: "rms_norm_eps", standard: 1e-6},
}

// word is what a model type calls a number.
func (w words) word(name string) string {
	if own := w.names[name]; own != "" {
		return own
	}
	return name
}

// readConfig makes a configuration of what config.json holds. All that is wrong is in the error.
func readConfig(o object) (net.Config, error) {
	f := &fields{o: o}
	model := f.text("model_type", "")
	w, ok := wordsOf[model]
	if !ok {
		what := "model_type is missing"
		if model != "" {
			what = fmt.Sprintf("unknown model_type %s", limits.Name(model))
		}
		if list := f.texts("architectures"); len(list) > 0 {
			what += fmt.Sprintf(", architecture %s", limits.Names(list, 3))
		}
		return net.Config{}, limits.Refuse("", "%s: there are %s", what, strings.Join(net.ModelTypes(), ", "))
	}
	n := func(name string) int64 {
		key := w.word(name)
		if !f.has(key) && f.has(name) { // transformers takes both
			key = name
		}
		return f.whole(key, w.defaults[name])
	}
	c := net.Config{ModelType: model, VocabSize: n("vocab_size"), HiddenSize: n("hidden_size"), IntermediateSize: n("intermediate_size"),
		NumHiddenLayers: n("num_hidden_layers"), NumAttentionHeads: n("num_attention_heads"), MaxPositionEmbeddings: n("max_position_embeddings"),
		TypeVocabSize: n("type_vocab_size"), PadTokenID: n("pad_token_id"), HiddenAct: f.text(w.word("hidden_act"), w.act), NormEps: w.standard,
		TieWordEmbeddings: f.truth("tie_word_embeddings", w.tied), NumLabels: 2}
	if w.eps != "" {
		c.NormEps = f.number(w.eps, w.standard)
	}
	if labels := f.object("id2label"); labels != nil {
		c.NumLabels = int64(len(labels))
	}
	c.NumLabels = f.whole("num_labels", c.NumLabels)
	c.PrunedHeads = f.prunedHeads()
	switch model {
	case "gpt2":
		c.UnscaledAttention, c.ScaleByInverseLayer = !f.truth("scale_attn_weights", true), f.truth("scale_attn_by_inverse_layer_idx", false)
	case "llama":
		c.NumKeyValueHeads, c.HeadDim = n("num_key_value_heads"), n("head_dim")
		c.AttentionBias, c.MLPBias = f.truth("attention_bias", false), f.truth("mlp_bias", false)
		f.rotary(&c)
	}
	f.notBuilt()
	if err := f.err(); err != nil {
		return c, err
	}
	if err := c.Check(); err != nil {
		return c, limits.Refuse("", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return c, nil
}

// rotary reads rope_theta and rope_scaling, or rope_parameters, which newer versions write in their place.
func (f *fields) rotary(c *net.Config) {
	in := &fields{o: f.object("rope_parameters")}
	if in.o == nil {
		in.o = f.object("rope_scaling")
	}
	c.RopeTheta = in.number("rope_theta", f.number("rope_theta", 10000))
	kind := in.text("rope_type", in.text("type", "default"))
	if kind != "default" {
		c.RopeScaling = &net.RopeScaling{Type: kind, Factor: in.number("factor", 0), LowFreq: in.number("low_freq_factor", 0),
			HighFreq: in.number("high_freq_factor", 0), Original: in.whole("original_max_position_embeddings", 0)}
	}
	if part := f.number("partial_rotary_factor", 1); part != 1 {
		f.bad("partial_rotary_factor", "is %g: heads that turn in part are not built", part)
	}
	for _, w := range in.wrong {
		f.wrong = append(f.wrong, "rope: "+w)
	}
}

// notBuilt refuses settings that change what a network computes.
func (f *fields) notBuilt() {
	if kind := f.text("position_embedding_type", "absolute"); kind != "absolute" {
		f.bad("position_embedding_type", "is %s: absolute ones are built", limits.Name(kind))
	}
	for _, key := range []string{"is_decoder", "add_cross_attention", "is_encoder_decoder"} {
		if f.truth(key, false) {
			f.bad(key, "is true, which is not built")
		}
	}
	if f.has("quantization_config") {
		f.bad("quantization_config", "the weights are in a quantized form that is not read: give the model before it was quantized")
	}
}

// heads are the ends of the names of architectures, with the tasks that they are for.
var heads = []struct{ end, task string }{
	{"ForMaskedLM", net.FillMask}, {"ForPreTraining", net.FillMask}, {"ForSequenceClassification", net.TextClassification},
	{"ForCausalLM", net.TextGeneration}, {"LMHeadModel", net.TextGeneration}, {"Model", net.FeatureExtraction},
}

// taskOf is the task that the first of the architectures is for; "" where its head is not known.
func taskOf(architectures []string) (task string, err error) {
	if len(architectures) == 0 {
		return net.FeatureExtraction, nil
	}
	for _, h := range heads {
		if strings.HasSuffix(architectures[0], h.end) {
			return h.task, nil
		}
	}
	return "", fmt.Errorf("the head of %s is not built: --task gives another", limits.Name(architectures[0]))
}

// architectureNames are the names that transformers has for a model type's heads.
var architectureNames = map[string]map[string]string{
	"bert":       {net.FeatureExtraction: "BertModel", net.FillMask: "BertForMaskedLM", net.TextClassification: "BertForSequenceClassification"},
	"roberta":    {net.FeatureExtraction: "RobertaModel", net.FillMask: "RobertaForMaskedLM", net.TextClassification: "RobertaForSequenceClassification"},
	"distilbert": {net.FeatureExtraction: "DistilBertModel", net.FillMask: "DistilBertForMaskedLM", net.TextClassification: "DistilBertForSequenceClassification"},
	"gpt2":       {net.FeatureExtraction: "GPT2Model", net.TextGeneration: "GPT2LMHeadModel", net.TextClassification: "GPT2ForSequenceClassification"},
	"llama":      {net.FeatureExtraction: "LlamaModel", net.TextGeneration: "LlamaForCausalLM", net.TextClassification: "LlamaForSequenceClassification"},
}

// PastTask is the task text-generation with a cache of keys and values, in Optimum's words.
const PastTask = "text-generation-with-past"

// Tasks lists the tasks that a model may be exported for.
func Tasks() []string {
	return []string{net.FeatureExtraction, net.FillMask, net.TextClassification, net.TextGeneration, PastTask}
}

// setTask puts a task's name into options.
func setTask(o *net.Options, task string) error {
	if !slices.Contains(Tasks(), task) {
		return errors.New("unknown task " + limits.Name(task))
	}
	o.Task, o.Cache = task, false
	if task == PastTask {
		o.Task, o.Cache = net.TextGeneration, true
	}
	return nil
}
