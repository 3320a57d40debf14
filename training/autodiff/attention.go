package autodiff

import "graft/onnx/rewrite"

var attention = []row{
	{op: "Attention", expand: rewrite.Attention},
	{op: "CausalConvWithState", expand: rewrite.CausalConvWithState},
	{op: "LinearAttention", expand: rewrite.LinearAttention},
	{op: "RotaryEmbedding", expand: rewrite.RotaryEmbedding},
}
