package language

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Config says what a model is made of, in the words of Hugging Face's config.json. Where architectures have words of their own
// (n_embd, dim, ...), those of BERT and Llama stand for them.
type Config struct {
	ModelType             string // one of ModelTypes
	VocabSize             int64
	HiddenSize            int64
	IntermediateSize      int64
	NumHiddenLayers       int64
	NumAttentionHeads     int64
	NumKeyValueHeads      int64 // Llama; elsewhere as many as NumAttentionHeads
	HeadDim               int64 // Llama; elsewhere HiddenSize / NumAttentionHeads
	MaxPositionEmbeddings int64
	TypeVocabSize         int64 // BERT, RoBERTa
	HiddenAct             string
	NormEps               float64 // layer_norm_eps, layer_norm_epsilon, rms_norm_eps
	PadTokenID            int64   // -1: none. RoBERTa counts positions from it, classifiers of decoders look for it
	TieWordEmbeddings     bool    // the head's weight is the table of words
	NumLabels             int64   // of a classifier

	AttentionBias, MLPBias bool    // Llama: linear layers have biases
	RopeTheta              float64 // Llama
	RopeScaling            *RopeScaling

	// PrunedHeads are the heads of attention that are not there any more, by layer. Llama's keys and values go where no head is left to
	// read them.
	PrunedHeads map[int64][]int64

	UnscaledAttention   bool // GPT-2's scale_attn_weights is false
	ScaleByInverseLayer bool // GPT-2's scale_attn_by_inverse_layer_idx
}

// RopeScaling stretches the rotary embedding beyond the length that a model was trained with.
type RopeScaling struct {
	Type              string  // linear or llama3
	Factor            float64 // frequencies are divided by it
	LowFreq, HighFreq float64 // llama3: wavelengths between Original/LowFreq and Original/HighFreq are in between
	Original          int64   // llama3: original_max_position_embeddings
}

// architecture is what the package knows of a model type.
type architecture struct {
	prefix     string // of the parameters below the head
	tasks      []string
	decoder    bool // causal: tokens see those before them, and positions are an input
	segments   bool // it has a table of segments, and a pooler
	segmented  bool // token_type_ids are an input
	parameters func(*list)
	build      func(*net) *built
}

// rows are the model types.
func rows() map[string]architecture {
	return map[string]architecture{"bert": bert, "roberta": roberta, "distilbert": distilbert, "gpt2": gpt2, "llama": llama}
}

func architectureOf(modelType string) (architecture, error) {
	a, ok := rows()[modelType]
	if !ok {
		return a, fmt.Errorf("unknown model type %q: there are %s", modelType, strings.Join(ModelTypes(), ", "))
	}
	return a, nil
}

// ModelTypes lists the model types that there are.
func ModelTypes() []string { return []string{"bert", "distilbert", "gpt2", "llama", "roberta"} }

// The tasks, which say what head a model has, in Optimum's words.
const (
	FeatureExtraction  = "feature-extraction"  // last_hidden_state
	FillMask           = "fill-mask"           // logits of every token over the vocabulary
	TextClassification = "text-classification" // logits of a text over the labels
	TextGeneration     = "text-generation"     // logits of the token behind every token
)

// Tasks lists the tasks of a model type; none for one that is unknown.
func Tasks(modelType string) []string { return slices.Clone(rows()[modelType].tasks) }

// Prefix begins the names of the parameters that a model type has below its head: "bert.".
func Prefix(modelType string) string { return rows()[modelType].prefix }

// Decoder reports whether tokens see those before them alone.
func Decoder(modelType string) bool { return rows()[modelType].decoder }

// Defaults fills in what follows from other fields: key-value heads, width of a head, width between the linear layers of GPT-2,
// Llama's rotary base.
func (c Config) Defaults() Config {
	if c.NumKeyValueHeads == 0 {
		c.NumKeyValueHeads = c.NumAttentionHeads
	}
	if c.HeadDim == 0 && c.NumAttentionHeads > 0 {
		c.HeadDim = c.HiddenSize / c.NumAttentionHeads
	}
	if c.IntermediateSize == 0 && c.ModelType == "gpt2" {
		c.IntermediateSize = 4 * c.HiddenSize
	}
	if c.RopeTheta == 0 && c.ModelType == "llama" {
		c.RopeTheta = 10000
	}
	return c
}

// Check refuses what no model can be. All that is wrong is in the error.
func (c Config) Check() error {
	a, err := architectureOf(c.ModelType)
	if err != nil {
		return err
	}
	c = c.Defaults()
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, f := range []struct {
		word            string
		is, least, most int64
	}{
		{"vocab_size", c.VocabSize, 1, 1 << 22}, {"hidden_size", c.HiddenSize, 1, 1 << 16}, {"intermediate_size", c.IntermediateSize, 1, 1 << 20},
		{"num_hidden_layers", c.NumHiddenLayers, 1, 512}, {"num_attention_heads", c.NumAttentionHeads, 1, 1 << 10},
		{"num_key_value_heads", c.NumKeyValueHeads, 1, 1 << 10}, {"head_dim", c.HeadDim, 1, 1 << 14},
		{"max_position_embeddings", c.MaxPositionEmbeddings, 1, 1 << 24}, {"num_labels", c.NumLabels, 0, 1 << 20},
		{"pad_token_id", c.PadTokenID, -1, max(c.VocabSize, 1) - 1},
	} {
		if f.is < f.least || f.is > f.most {
			bad("%s is %d, wants %d to %d", f.word, f.is, f.least, f.most)
		}
	}
	if a.segments && (c.TypeVocabSize < 1 || c.TypeVocabSize > 1<<16) {
		bad("type_vocab_size is %d, wants 1 to %d", c.TypeVocabSize, 1<<16)
	}
	if h := c.NumAttentionHeads; h > 0 && c.ModelType != "llama" && (c.HiddenSize%h != 0 || c.HeadDim != c.HiddenSize/h) {
		bad("hidden_size %d is no multiple of %d heads", c.HiddenSize, h)
	}
	if kv := c.NumKeyValueHeads; kv > 0 && (c.NumAttentionHeads%kv != 0 || c.ModelType != "llama" && kv != c.NumAttentionHeads) {
		bad("%d heads for %d key-value heads", c.NumAttentionHeads, kv)
	}
	if !(c.NormEps > 0 && c.NormEps < 1) {
		bad("epsilon of norms is %g, wants more than 0 and less than 1", c.NormEps)
	}
	if _, ok := activations[c.HiddenAct]; !ok {
		bad("unknown hidden_act %q: there are %s", c.HiddenAct, strings.Join(Activations(), ", "))
	}
	if c.ModelType == "llama" {
		errs = append(errs, c.checkRotary()...)
	}
	if c.ModelType == "roberta" && c.PadTokenID < 0 {
		bad("pad_token_id is missing: positions are counted from it")
	}
	errs = append(errs, c.checkHeads()...)
	if len(errs) == 0 && c.size() > 1<<40 {
		bad("its parameters are more than %d numbers", int64(1)<<40)
	}
	return errors.Join(errs...)
}

func (c Config) checkRotary() (errs []error) {
	if c.HeadDim%2 != 0 {
		errs = append(errs, fmt.Errorf("head_dim is %d: a rotary embedding turns pairs", c.HeadDim))
	}
	if !(c.RopeTheta > 1 && c.RopeTheta <= 1e12) {
		errs = append(errs, fmt.Errorf("rope_theta is %g, wants more than 1", c.RopeTheta))
	}
	if s := c.RopeScaling; s != nil {
		switch {
		case s.Type != "linear" && s.Type != "llama3":
			errs = append(errs, fmt.Errorf("unknown rope_type %q: there are default, linear, llama3", s.Type))
		case !(s.Factor >= 1 && s.Factor <= 1e6):
			errs = append(errs, fmt.Errorf("factor of rope_scaling is %g, wants 1 or more", s.Factor))
		case s.Type == "llama3" && !(s.LowFreq > 0 && s.HighFreq > s.LowFreq && !math.IsInf(s.HighFreq, 0) && s.Original > 0):
			errs = append(errs, errors.New("rope_scaling of llama3 wants low_freq_factor, high_freq_factor above it, and original_max_position_embeddings"))
		}
	}
	return errs
}

// size is the number of parameters, roughly: the numbers that Check bounds cannot overflow it.
func (c Config) size() int64 {
	layer := 4*c.HiddenSize*c.HeadDim*c.NumAttentionHeads + 3*c.HiddenSize*c.IntermediateSize
	return c.NumHiddenLayers*layer + (2*c.VocabSize+c.MaxPositionEmbeddings+c.NumLabels)*c.HiddenSize
}

func (c Config) layerNames(prefix string) []string {
	names := make([]string, c.NumHiddenLayers)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d.", prefix, i)
	}
	return names
}

// HasPooler reports whether the features of a model type may be pooled.
func HasPooler(modelType string) bool { return rows()[modelType].segments }

// HasSegments reports whether token_type_ids are an input of models of a type.
func HasSegments(modelType string) bool { return rows()[modelType].segmented }
