package autodiff

// Reasons of operators without a rule.
const (
	later   = "no gradient rule yet"
	integer = "works on integers: not differentiable"
)
