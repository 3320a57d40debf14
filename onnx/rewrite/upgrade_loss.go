package rewrite

var lossSteps = sameFor([]string{"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}, 13)
