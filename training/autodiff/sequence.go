package autodiff

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
	{op: "OptionalGetElement", none: optionals},
	{op: "OptionalHasElement", zero: true},
}
