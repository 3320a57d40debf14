package autodiff

// Reasons of operators without a rule.
const (
	later   = "no gradient rule yet"
	integer = "works on integers: not differentiable"
	control = "no gradient rule for subgraphs yet: unroll or inline them"
)

var quantize = []row{
	{op: "QuantizeLinear", none: "rounds: not differentiable"},
	{op: "DynamicQuantizeLinear", none: "rounds: not differentiable"},
	{op: "DequantizeLinear", none: later},
	{op: "QLinearConv", none: integer},
	{op: "QLinearMatMul", none: integer},
}

var recurrent = []row{
	{op: "GRU", none: later},
	{op: "LSTM", none: later},
	{op: "RNN", none: later},
}

var flow = []row{
	{op: "If", none: control},
	{op: "Loop", none: control},
}
