package autodiff

// Reasons of operators without a rule.
const (
	later   = "no gradient rule yet"
	integer = "works on integers: not differentiable"
	control = "no gradient rule for subgraphs yet: unroll or inline them"
)

var recurrent = []row{
	{op: "GRU", none: later},
	{op: "LSTM", none: later},
	{op: "RNN", none: later},
}

var flow = []row{
	{op: "If", none: control},
	{op: "Loop", none: control},
}
