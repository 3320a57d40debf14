package rewrite

import "slices"

var (
	reductions18 = []string{"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
		"ReduceProd", "ReduceSumSquare"}
	extrema = []string{"ReduceMax", "ReduceMin"}
)

var reduceSteps = slices.Concat(
	sameFor(reductions18, 11, 13), sameFor(extrema, 12, 20), each(reductions18, 18, intsToInput("axes", 1)),
	same("ReduceSum", 11), each([]string{"ReduceSum"}, 13, intsToInput("axes", 1)),
	sameFor([]string{"ArgMax", "ArgMin"}, 11, 12, 13), same("CumSum", 14),
)
