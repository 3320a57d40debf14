package op

import "graft/onnx"

var (
	listed   = accepted{{11, anything}}
	optional = accepted{{15, anything}, {28, bfloat | float8 | int4 | float4 | exponent | int2}}
)

var sequence = []Schema{
	row("SequenceConstruct", 11, 1, -1, listed, inferSequenceConstruct),
	row("SequenceEmpty", 11, 0, 0, listed, inferSequenceEmpty, "dtype").typedBy(-1),
	row("SequenceInsert", 11, 2, 3, listed, inferSequenceInsert).containers(),
	row("SequenceErase", 11, 1, 2, listed, inferSequenceErase).containers(),
	row("SequenceAt", 11, 2, 2, listed, inferSequenceAt).containers(),
	row("SequenceLength", 11, 1, 1, listed, inferSequenceLength).containers(),
	row("SequenceMap", 17, 1, -1, accepted{{17, anything}}, inferSequenceMap, "body").outs(-1).containers(),
	row("SplitToSequence", 11, 1, 2, accepted{{11, anything}, {24, bfloat}}, inferSplitToSequence, "axis", "keepdims"),
	row("ConcatFromSequence", 11, 1, 1, listed, inferConcatFromSequence, "axis", "new_axis").containers(),
	row("Optional", 15, 0, 1, optional, inferOptional, "type").typedBy(-1).containers(),
	row("OptionalGetElement", 15, 1, 1, optional, inferOptionalGetElement).containers().lowest(optionalLowest),
	row("OptionalHasElement", 15, 0, 1, optional, inferOptionalHasElement).containers().lowest(optionalLowest),
}

// optionalLowest: a tensor or a sequence in the place of an optional came with 18, as did none at all.
func optionalLowest(n *onnx.Node) int64 {
	if of := typeOf(n, 0).Of; n.Input(0) != nil && of != nil && of.Kind == onnx.Optional {
		return 15
	}
	return 18
}
