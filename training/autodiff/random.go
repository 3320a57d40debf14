package autodiff

// drawn: what is drawn does not depend continuously on the operands, and cannot be drawn again.
const drawn = "draws random numbers, anew in every run: feed them as an input"

var stochastic = []row{
	{op: "Bernoulli", none: drawn},
	{op: "Multinomial", none: drawn},
	{op: "RandomNormal", zero: true},
	{op: "RandomUniform", zero: true},
	{op: "RandomNormalLike", zero: true},
	{op: "RandomUniformLike", zero: true},
}

// Tapers depend on sizes alone, and filter banks on frequencies that are rounded to bins.
var taper = []row{
	{op: "BlackmanWindow", zero: true},
	{op: "HammingWindow", zero: true},
	{op: "HannWindow", zero: true},
	{op: "MelWeightMatrix", zero: true},
}

var vision = []row{
	{op: "ImageDecoder", zero: true},
	{op: "NonMaxSuppression", zero: true},
}
