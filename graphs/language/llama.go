package language

import "graft/onnx"

// Llama (Touvron et al., arXiv 2302.13971, 2307.09288): a decoder with RMS norms, a rotary embedding, heads that share keys and
// values, and SwiGLU. SmolLM2 is one.
var llama = architecture{prefix: "model.", tasks: []string{FeatureExtraction, TextGeneration, TextClassification}, decoder: true,
	parameters: llamaParameters, build: buildLlama}

func llamaParameters(l *list) {
	h := l.HiddenSize
	rms := func(name string) { l.add(name+".weight", Ones, h) }
	l.table("model.embed_tokens", l.VocabSize, h)
	for i, name := range l.layerNames("model.layers.") {
		of := name + "self_attn."
		l.attention(i, []string{of + "q_proj", of + "k_proj", of + "v_proj"}, of+"o_proj", l.AttentionBias)
		l.linear(name+"mlp.gate_proj", h, l.IntermediateSize, l.MLPBias)
		l.linear(name+"mlp.up_proj", h, l.IntermediateSize, l.MLPBias)
		l.linear(name+"mlp.down_proj", l.IntermediateSize, h, l.MLPBias)
		if len(l.Heads(int64(i))) > 0 {
			rms(name + "input_layernorm")
		}
		rms(name + "post_attention_layernorm")
	}
	rms("model.norm")
	decoderHead(l)
}

func buildLlama(n *net) *built {
	x := n.b.In("model").Gather(n.w("model.embed_tokens.weight"), n.ids, 0)
	turn := n.rotation(n.places())
	n.hideLater()
	x = n.b.In("model").Reshape(x, -1, n.HiddenSize)
	for i, layer := range n.layerNames("model.layers.") {
		attn, mlp := layer+"self_attn", layer+"mlp"
		h := x
		if len(n.Heads(int64(i))) > 0 {
			h = n.rmsNorm(layer+"input_layernorm", x)
		}
		split := func(of string, heads []int64) *onnx.Value {
			return n.split(attn+"."+of, n.linear(attn+"."+of, h), len(heads), 0, 2, 1, 3)
		}
		y := n.mixed(i, attn, attn+".o_proj", n.linear, func() *onnx.Value {
			heads, kv := n.Heads(int64(i)), n.KeyValueHeads(int64(i))
			q, k := n.rotate(attn+".q_proj", split("q_proj", heads), turn), n.rotate(attn+".k_proj", split("k_proj", kv), turn)
			return n.attend(i, attn, q, k, split("v_proj", kv), inverseRoot(n.HeadDim))
		}, 0)
		x = n.plus(attn, x, y)
		h = n.rmsNorm(layer+"post_attention_layernorm", x)
		y = n.b.In(mlp).Mul(n.act(mlp, n.linear(mlp+".gate_proj", h)), n.linear(mlp+".up_proj", h))
		x = n.b.In(mlp).Add(x, n.linear(mlp+".down_proj", y))
	}
	return n.decoded(n.rmsNorm("model.norm", x), "model.embed_tokens.weight")
}
