package rewrite

import "slices"

var logicSteps = slices.Concat(
	each([]string{"And", "Or", "Xor", "Equal", "Greater", "Less"}, 7, oldBroadcast),
	sameFor([]string{"Greater", "Less"}, 9, 13), same("Equal", 11, 13, 19), sameFor([]string{"GreaterOrEqual", "LessOrEqual"}, 16),
	same("IsNaN", 13, 20), same("IsInf", 20),
)
