package autodiff

// Comparisons and Boolean operators give Booleans: nothing flows back through them.
var logic = []row{
	{op: "Equal", zero: true},
	{op: "Greater", zero: true},
	{op: "GreaterOrEqual", zero: true},
	{op: "Less", zero: true},
	{op: "LessOrEqual", zero: true},
	{op: "And", zero: true},
	{op: "Or", zero: true},
	{op: "Not", zero: true},
	{op: "Xor", zero: true},
	{op: "IsInf", zero: true},
	{op: "IsNaN", zero: true},
}
