package rewrite

import "slices"

// The text of ConvTranspose 1 puts the odd pixel of an automatic border on the other side than 11 does; runtimes read
// both as 11.
var convSteps = slices.Concat(
	same("Conv", 11), same("ConvTranspose", 11), same("DepthToSpace", 11, 13), same("SpaceToDepth", 13),
)
