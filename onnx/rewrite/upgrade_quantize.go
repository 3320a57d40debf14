package rewrite

import "slices"

var quantizeSteps = slices.Concat(
	sameFor([]string{"QuantizeLinear", "DequantizeLinear"}, 13, 19, 21), same("QLinearMatMul", 21),
)
