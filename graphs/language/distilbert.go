package language

import "graft/onnx"

// DistilBERT (Sanh et al., arXiv 1910.01108): BERT's encoder without segments and without a pooler.
var distilbert = architecture{prefix: "distilbert.", tasks: []string{FeatureExtraction, FillMask, TextClassification},
	parameters: distilbertParameters, build: buildDistilBERT}

func distilbertParameters(l *list) {
	h := l.HiddenSize
	l.table("distilbert.embeddings.word_embeddings", l.VocabSize, h)
	l.table("distilbert.embeddings.position_embeddings", l.MaxPositionEmbeddings, h)
	l.norm("distilbert.embeddings.LayerNorm")
	for i, name := range l.layerNames("distilbert.transformer.layer.") {
		of := name + "attention."
		l.attention(i, []string{of + "q_lin", of + "k_lin", of + "v_lin"}, of+"out_lin", true)
		l.norm(name + "sa_layer_norm")
		l.linear(name+"ffn.lin1", h, l.IntermediateSize, true)
		l.linear(name+"ffn.lin2", l.IntermediateSize, h, true)
		l.norm(name + "output_layer_norm")
	}
	switch l.Task {
	case FillMask:
		l.linear("vocab_transform", h, h, true)
		l.norm("vocab_layer_norm")
		if !l.TieWordEmbeddings {
			l.table("vocab_projector", l.VocabSize, h)
		}
		l.add("vocab_projector.bias", Zeros, l.VocabSize)
	case TextClassification:
		l.linear("pre_classifier", h, h, true)
		l.linear("classifier", h, l.NumLabels, true)
	}
}

func buildDistilBERT(n *net) *built {
	const name = "distilbert.embeddings"
	b := n.b.In(name)
	x := b.Gather(n.w(name+".word_embeddings.weight"), n.ids, 0)
	x = b.Add(x, b.Gather(n.w(name+".position_embeddings.weight"), n.count(b, zero(b), n.length), 0))
	n.hidePadding()
	x = n.dropout(name, n.layerNorm(name+".LayerNorm", b.Reshape(x, -1, n.HiddenSize)), n.HiddenDropout)
	for i, layer := range n.layerNames("distilbert.transformer.layer.") {
		split := func(of string) *onnx.Value {
			name := layer + "attention." + of
			return n.split(name, n.linear(name, x), len(n.Heads(int64(i))), 0, 2, 1, 3)
		}
		y := n.mixed(i, layer+"attention", layer+"attention.out_lin", n.linear, func() *onnx.Value {
			return n.attend(i, layer+"attention", split("q_lin"), split("k_lin"), split("v_lin"), inverseRoot(n.HeadDim))
		}, 0)
		x = n.layerNorm(layer+"sa_layer_norm", n.plus(layer+"attention", y, x))
		y = n.linear(layer+"ffn.lin2", n.act(layer+"ffn", n.linear(layer+"ffn.lin1", x)))
		y = n.dropout(layer+"ffn", y, n.HiddenDropout)
		x = n.layerNorm(layer+"output_layer_norm", n.b.In(layer+"ffn").Add(y, x))
	}
	switch n.Task {
	case FillMask:
		weight := name + ".word_embeddings.weight"
		if !n.TieWordEmbeddings {
			weight = "vocab_projector.weight"
		}
		x = n.layerNorm("vocab_layer_norm", n.act("vocab_transform", n.linear("vocab_transform", x)))
		return &built{logits: n.words(x, weight, n.w("vocab_projector.bias"))}
	case TextClassification:
		y := n.b.In("pre_classifier").Relu(n.linear("pre_classifier", n.firsts("pre_classifier", x)))
		return &built{logits: n.linear("classifier", n.dropout("classifier", y, n.HiddenDropout))}
	}
	return &built{hidden: x}
}
