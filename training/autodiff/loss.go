package autodiff

import "graft/onnx/rewrite"

var losses = []row{
	{op: "NegativeLogLikelihoodLoss", expand: rewrite.NegativeLogLikelihoodLoss},
	{op: "SoftmaxCrossEntropyLoss", expand: rewrite.SoftmaxCrossEntropyLoss},
}
