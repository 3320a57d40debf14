package language

import (
	"encoding/json"

	net "graft/graphs/language"
)

// encodeConfig writes a configuration as config.json, for the head of a task. Tokens are numbers by their names; negative ones
// are left out.
func encodeConfig(c net.Config, task string, tokens map[string]int64) ([]byte, error) {
	w := wordsOf[c.ModelType]
	o := map[string]any{"model_type": c.ModelType, "architectures": []string{architectureNames[c.ModelType][task]}, "dtype": "float32",
		w.word("vocab_size"): c.VocabSize, w.word("hidden_size"): c.HiddenSize, w.word("num_hidden_layers"): c.NumHiddenLayers,
		w.word("num_attention_heads"): c.NumAttentionHeads, w.word("intermediate_size"): c.IntermediateSize,
		w.word("max_position_embeddings"): c.MaxPositionEmbeddings, w.word("hidden_act"): c.HiddenAct, "tie_word_embeddings": c.TieWordEmbeddings}
	if c.TypeVocabSize > 0 {
		o["type_vocab_size"] = c.TypeVocabSize
	}
	if w.eps != "" {
		o[w.eps] = c.NormEps
	}
	if c.PadTokenID >= 0 {
		o["pad_token_id"] = c.PadTokenID
	}
	if len(c.PrunedHeads) > 0 {
		o[prunedKey] = encodedHeads(c.PrunedHeads)
	}
	if task == net.TextClassification {
		o["num_labels"] = c.NumLabels
	}
	switch c.ModelType {
	case "gpt2":
		o["scale_attn_weights"], o["scale_attn_by_inverse_layer_idx"] = !c.UnscaledAttention, c.ScaleByInverseLayer
	case "llama":
		o["num_key_value_heads"], o["head_dim"], o["rope_theta"] = c.NumKeyValueHeads, c.HeadDim, c.RopeTheta
		o["attention_bias"], o["mlp_bias"] = c.AttentionBias, c.MLPBias
		if s := c.RopeScaling; s != nil {
			scaling := map[string]any{"rope_type": s.Type, "factor": s.Factor}
			if s.Type == "llama3" {
				scaling["low_freq_factor"], scaling["high_freq_factor"], scaling["original_max_position_embeddings"] = s.LowFreq, s.HighFreq, s.Original
			}
			o["rope_scaling"] = scaling
		}
	}
	for name, n := range tokens {
		if n >= 0 {
			o[name] = n
		}
	}
	data, err := json.MarshalIndent(o, "", "  ")
	return append(data, '\n'), err
}
