package autodiff

// Reasons of operators without a rule.
const (
	later   = "no gradient rule yet"
	integer = "works on integers: not differentiable"
)

var quantize = []row{
	{op: "QuantizeLinear", none: "rounds: not differentiable"},
	{op: "DynamicQuantizeLinear", none: "rounds: not differentiable"},
	{op: "DequantizeLinear", none: later},
	{op: "QLinearConv", none: integer},
	{op: "QLinearMatMul", none: integer},
}
