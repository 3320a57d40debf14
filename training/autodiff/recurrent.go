package autodiff

import "graft/onnx/rewrite"

var recurrent = []row{
	{op: "GRU", expand: rewrite.GRU},
	{op: "LSTM", expand: rewrite.LSTM},
	{op: "RNN", expand: rewrite.RNN},
}
