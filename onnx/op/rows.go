package op

import "graft/onnx"

// unaryRow is an element-wise operator of one input whose output has the input's type.
func unaryRow(name string, since int64, types accepted, attributes ...string) Schema {
	return Schema{Name: name, Since: since, MinIn: 1, MaxIn: 1, Out: 1, Types: types, Attributes: attributes, Infer: sameAsInput}
}

// binaryRow is an element-wise operator of two inputs that broadcast.
func binaryRow(name string, since int64, types accepted, infer rule, attributes ...string) Schema {
	return Schema{Name: name, Since: since, MinIn: 2, MaxIn: 2, Out: 1, Types: types, Attributes: attributes, Infer: infer}
}

// row is an operator with lo to hi inputs and one output.
func row(name string, since int64, lo, hi int, types accepted, infer rule, attributes ...string) Schema {
	return Schema{Name: name, Since: since, MinIn: lo, MaxIn: hi, Out: 1, Types: types, Attributes: attributes, Infer: infer}
}

// lowest gives s with a rule for nodes that use a younger feature.
func (s Schema) lowest(f func(n *onnx.Node) int64) Schema {
	s.Lowest = f
	return s
}

// typedBy gives s with its element type read from another input than the first; -1: from the first output.
func (s Schema) typedBy(input int) Schema {
	s.TypedBy = input
	return s
}

// containers gives s with sequences and optionals among its inputs.
func (s Schema) containers() Schema {
	s.Containers = true
	return s
}

// outs gives s with another number of outputs.
func (s Schema) outs(n int) Schema {
	s.Out = n
	return s
}
