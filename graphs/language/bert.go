package language

import (
	"graft/onnx"
	"graft/onnx/op"
)

// BERT (Devlin et al., arXiv 1810.04805) and RoBERTa (Liu et al., arXiv 1907.11692), which have the same encoder: blocks with a
// LayerNormalization behind each sum. RoBERTa counts positions from the number of the padding token on.

var (
	bert = architecture{prefix: "bert.", tasks: []string{FeatureExtraction, FillMask, TextClassification}, segments: true, segmented: true,
		parameters: bertParameters, build: buildBERT}
	roberta = architecture{prefix: "roberta.", tasks: []string{FeatureExtraction, FillMask, TextClassification}, segments: true,
		parameters: robertaParameters, build: buildRoBERTa}
)

func encoderParameters(l *list, prefix string) {
	e, h := prefix+"embeddings.", l.HiddenSize
	l.table(e+"word_embeddings", l.VocabSize, h)
	l.table(e+"position_embeddings", l.MaxPositionEmbeddings, h)
	l.table(e+"token_type_embeddings", l.TypeVocabSize, h)
	l.norm(e + "LayerNorm")
	for i, name := range l.layerNames(prefix + "encoder.layer.") {
		self := name + "attention.self."
		l.attention(i, []string{self + "query", self + "key", self + "value"}, name+"attention.output.dense", true)
		l.norm(name + "attention.output.LayerNorm")
		l.linear(name+"intermediate.dense", h, l.IntermediateSize, true)
		l.linear(name+"output.dense", l.IntermediateSize, h, true)
		l.norm(name + "output.LayerNorm")
	}
}

// decoder is a head's product with the table of words, which leaves a bias to the head, or with a weight and a bias of its own.
func (l *list) decoder(head string) {
	if l.TieWordEmbeddings {
		l.add(head+"bias", Zeros, l.VocabSize)
	} else {
		l.linear(head+"decoder", l.HiddenSize, l.VocabSize, true)
	}
}

func bertParameters(l *list) {
	encoderParameters(l, "bert.")
	h := l.HiddenSize
	if l.Pooler || l.Task == TextClassification {
		l.linear("bert.pooler.dense", h, h, true)
	}
	switch l.Task {
	case FillMask:
		l.linear("cls.predictions.transform.dense", h, h, true)
		l.norm("cls.predictions.transform.LayerNorm")
		l.decoder("cls.predictions.")
	case TextClassification:
		l.linear("classifier", h, l.NumLabels, true)
	}
}

func robertaParameters(l *list) {
	encoderParameters(l, "roberta.")
	h := l.HiddenSize
	if l.Pooler {
		l.linear("roberta.pooler.dense", h, h, true)
	}
	switch l.Task {
	case FillMask:
		l.linear("lm_head.dense", h, h, true)
		l.norm("lm_head.layer_norm")
		l.decoder("lm_head.")
	case TextClassification:
		l.linear("classifier.dense", h, h, true)
		l.linear("classifier.out_proj", h, l.NumLabels, true)
	}
}

func buildBERT(n *net) *built {
	segments := n.input("token_type_ids", sequenceDim)
	b := n.b.In("bert.embeddings")
	x := n.encode("bert.", n.count(b, zero(b), n.length), segments)
	switch n.Task {
	case FillMask:
		return &built{logits: n.vocabulary("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", n.HiddenAct, x,
			"cls.predictions.", "bert.embeddings.word_embeddings.weight")}
	case TextClassification:
		return &built{logits: n.linear("classifier", n.dropout("classifier", n.pool("bert.pooler.dense", x), n.HiddenDropout))}
	}
	y := &built{hidden: x}
	if n.Pooler {
		y.pooled = n.pool("bert.pooler.dense", x)
	}
	return y
}

func buildRoBERTa(n *net) *built {
	b := n.b.In("roberta.embeddings")
	pad := b.Const(onnx.Scalar(n.PadTokenID))
	counts := b.Cast(b.Not(b.Equal(n.ids, pad)), onnx.Int64)
	places := b.Add(b.Mul(b.CumSum(counts, 1, false, false), counts), pad)
	x := n.encode("roberta.", places, zero(b))
	switch n.Task {
	case FillMask:
		return &built{logits: n.vocabulary("lm_head.dense", "lm_head.layer_norm", "gelu", x,
			"lm_head.", "roberta.embeddings.word_embeddings.weight")}
	case TextClassification:
		y := n.b.In("classifier").Tanh(n.linear("classifier.dense", n.dropout("classifier.dense", n.firsts("classifier", x), n.HiddenDropout)))
		return &built{logits: n.linear("classifier.out_proj", n.dropout("classifier.out_proj", y, n.HiddenDropout))}
	}
	y := &built{hidden: x}
	if n.Pooler {
		y.pooled = n.pool("roberta.pooler.dense", x)
	}
	return y
}

// encode is the encoder, from positions [S] or [N,S] and segments of the same shapes or a scalar.
func (n *net) encode(prefix string, positions, segments *onnx.Value) *onnx.Value {
	name := prefix + "embeddings"
	b := n.b.In(name)
	x := b.Gather(n.w(name+".word_embeddings.weight"), n.ids, 0)
	x = b.Add(x, b.Gather(n.w(name+".position_embeddings.weight"), positions, 0))
	x = b.Add(x, b.Gather(n.w(name+".token_type_embeddings.weight"), segments, 0))
	n.hidePadding()
	x = n.dropout(name, n.layerNorm(name+".LayerNorm", b.Reshape(x, -1, n.HiddenSize)), n.HiddenDropout)
	for i, layer := range n.layerNames(prefix + "encoder.layer.") {
		self := layer + "attention.self"
		split := func(of string) *onnx.Value {
			return n.split(self+"."+of, n.linear(self+"."+of, x), len(n.Heads(int64(i))), 0, 2, 1, 3)
		}
		y := n.mixed(i, layer+"attention.output", layer+"attention.output.dense", n.linear, func() *onnx.Value {
			return n.attend(i, self, split("query"), split("key"), split("value"), inverseRoot(n.HeadDim))
		}, n.HiddenDropout)
		x = n.layerNorm(layer+"attention.output.LayerNorm", n.plus(layer+"attention.output", y, x))
		y = n.act(layer+"intermediate", n.linear(layer+"intermediate.dense", x))
		y = n.dropout(layer+"output", n.linear(layer+"output.dense", y), n.HiddenDropout)
		x = n.layerNorm(layer+"output.LayerNorm", n.b.In(layer+"output").Add(y, x))
	}
	return x
}

// firsts are the rows of the first token of each sample.
func (n *net) firsts(name string, x *onnx.Value) *onnx.Value {
	b := n.b.In(name)
	return b.Reshape(b.Slice(b.ReshapeTo(x, n.sized(n.HiddenSize)), op.SliceSpec{Axis: 1, End: 1}), 0, n.HiddenSize)
}

// pool is a linear layer with tanh on the first token.
func (n *net) pool(name string, x *onnx.Value) *onnx.Value {
	return n.b.In(name).Tanh(n.linear(name, n.firsts(name, x)))
}

// vocabulary is the head over the words: a linear layer with an activation and a norm, then a product as decoder has it.
func (n *net) vocabulary(dense, norm, act string, x *onnx.Value, head, table string) *onnx.Value {
	x = n.layerNorm(norm, activations[act](n.b.In(dense), n.linear(dense, x)))
	if n.TieWordEmbeddings {
		return n.words(x, table, n.w(head+"bias"))
	}
	return n.words(x, head+"decoder.weight", n.w(head+"decoder.bias"))
}

// words are logits [N,S,VocabSize] by a weight [VocabSize, HiddenSize].
func (n *net) words(x *onnx.Value, weight string, bias *onnx.Value) *onnx.Value {
	b := n.b.In("head")
	return b.ReshapeTo(b.Gemm(x, n.w(weight), bias, op.GemmAttrs{TransB: true}), n.sized(n.VocabSize))
}
