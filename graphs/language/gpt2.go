package language

import (
	"graft/onnx"
)

// GPT-2 (Radford et al., 2019): a decoder with a LayerNormalization in front of each part of a block.
var gpt2 = architecture{prefix: "transformer.", tasks: []string{FeatureExtraction, TextGeneration, TextClassification}, decoder: true,
	parameters: gpt2Parameters, build: buildGPT2}

func gpt2Parameters(l *list) {
	h := l.HiddenSize
	l.table("transformer.wte", l.VocabSize, h)
	l.table("transformer.wpe", l.MaxPositionEmbeddings, h)
	for i, name := range l.layerNames("transformer.h.") {
		if heads := l.HeadDim * int64(len(l.Heads(int64(i)))); heads > 0 {
			l.norm(name + "ln_1")
			l.conv1d(name+"attn.c_attn", h, 3*heads)
			l.conv1d(name+"attn.c_proj", heads, h)
		} else {
			l.add(name+"attn.c_proj.bias", Zeros, h)
		}
		l.norm(name + "ln_2")
		l.conv1d(name+"mlp.c_fc", h, l.IntermediateSize)
		l.conv1d(name+"mlp.c_proj", l.IntermediateSize, h)
	}
	l.norm("transformer.ln_f")
	decoderHead(l)
}

// decoderHead has the parameters of a decoder's head: none where it shares the table of words.
func decoderHead(l *list) {
	switch {
	case l.Task == TextGeneration && !l.TieWordEmbeddings:
		l.table("lm_head", l.VocabSize, l.HiddenSize)
	case l.Task == TextClassification:
		l.linear("score", l.HiddenSize, l.NumLabels, false)
	}
}

func buildGPT2(n *net) *built {
	b := n.b.In("transformer")
	x := b.Gather(n.w("transformer.wte.weight"), n.ids, 0)
	x = b.Add(x, b.Gather(n.w("transformer.wpe.weight"), n.places(), 0))
	n.hideLater()
	x = n.dropout("transformer", b.Reshape(x, -1, n.HiddenSize), n.HiddenDropout)
	for i, layer := range n.layerNames("transformer.h.") {
		scale := 1.0
		if !n.UnscaledAttention {
			scale = inverseRoot(n.HeadDim)
		}
		if n.ScaleByInverseLayer {
			scale /= float64(i + 1)
		}
		y := n.mixed(i, layer+"attn", layer+"attn.c_proj", n.conv1d, func() *onnx.Value {
			heads := len(n.Heads(int64(i)))
			width := int64(heads) * n.HeadDim
			qkv := n.b.In(layer+"attn").Split(n.conv1d(layer+"attn.c_attn", n.layerNorm(layer+"ln_1", x)), 1, width, width, width)
			split := func(x *onnx.Value) *onnx.Value { return n.split(layer+"attn", x, heads, 0, 2, 1, 3) }
			return n.attend(i, layer+"attn", split(qkv[0]), split(qkv[1]), split(qkv[2]), scale)
		}, n.HiddenDropout)
		x = n.plus(layer+"attn", y, x)
		y = n.act(layer+"mlp", n.conv1d(layer+"mlp.c_fc", n.layerNorm(layer+"ln_2", x)))
		x = n.b.In(layer+"mlp").Add(x, n.dropout(layer+"mlp", n.conv1d(layer+"mlp.c_proj", y), n.HiddenDropout))
	}
	return n.decoded(n.layerNorm("transformer.ln_f", x), "transformer.wte.weight")
}

// decoded is what a decoder's head makes of x.
func (n *net) decoded(x *onnx.Value, table string) *built {
	switch n.Task {
	case TextGeneration:
		if !n.TieWordEmbeddings {
			table = "lm_head.weight"
		}
		return &built{logits: n.words(x, table, nil)}
	case TextClassification:
		return &built{logits: n.linear("score", n.lasts(x))}
	}
	return &built{hidden: x}
}

// lasts are the rows of each sample's last token that is no padding by its number; of the last one where no number is padding.
func (n *net) lasts(x *onnx.Value) *onnx.Value {
	b := n.b.In("score")
	rows := n.count(b, zero(b), n.length)
	at := b.Reshape(b.Sub(n.length, b.Const(onnx.Scalar(int64(1)))), 1, 1)
	if n.PadTokenID >= 0 {
		counts := b.Cast(b.Not(b.Equal(n.ids, b.Const(onnx.Scalar(n.PadTokenID)))), onnx.Int64)
		at = b.ReduceMax(b.Mul(counts, rows), true, 1)
	}
	is := b.Cast(b.Equal(rows, at), onnx.Float) // [N,S], or [1,S]
	return b.ReduceSum(b.Mul(b.ReshapeTo(x, n.sized(n.HiddenSize)), b.Unsqueeze(is, 2)), false, 1)
}
