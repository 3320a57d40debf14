package autodiff

// integer is why operators have no rule that know integers alone.
const integer = "works on integers: not differentiable"
