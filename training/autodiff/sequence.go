package autodiff

import "graft/onnx"

// Reasons of operators on sequences and optionals.
const (
	sequences = "no gradient through sequences: use Concat, Split or Scan"
	optionals = "no gradient through optionals: take them out"
)

var sequence = []row{
	{op: "SequenceConstruct", none: sequences},
	{op: "SequenceEmpty", zero: true},
	{op: "SequenceInsert", none: sequences},
	{op: "SequenceErase", none: sequences},
	{op: "SequenceAt", none: sequences},
	{op: "SequenceLength", zero: true},
	{op: "SequenceMap", none: sequences},
	{op: "SplitToSequence", none: sequences},
	{op: "ConcatFromSequence", none: sequences},
	{op: "Optional", none: optionals},
	{op: "OptionalGetElement", grad: of(gradOptionalGetElement)},
	{op: "OptionalHasElement", zero: true},
}

// y = x, a tensor that may stand where an optional may: dx = dy.
func gradOptionalGetElement(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	if !n.Input(0).IsTensor() {
		b.Fail(optionals)
		return nil
	}
	return dy
}
