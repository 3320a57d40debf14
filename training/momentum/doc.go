// Package momentum is the implicit regularisation of heavy-ball momentum (arXiv 2302.00849): what the part β of a step that is kept
// does to the solution that gradient descent finds. With the step h the iterates
//
//	x' = x - h ∇E(x) + β (x - x before),  x before the first step = x
//
// stay O(h²)-close to the flow -∇Ê/(1-β) of the modified loss
//
//	Ê = E + h (1+β)/(4 (1-β)²) |∇E|².
//
// At one effective step h/(1-β), β therefore multiplies the regulariser of gradient descent by (1+β)/(1-β). Runs are compared at
// equal effective steps, never at equal steps.
//
// There are losses of two weights in float64 (Plane) with their descents and flows; and, for any network, the regulariser as a term
// of the loss (GradientPenalty), sharpness-aware minimisation (SAM) and noise on the weights (Noise) as parts of a training step.
//
// The formulas of the modified loss and of the transient (Transient) were derived anew and checked numerically. What the paper
// states for minibatches was not at hand: there is no modified loss of SGD with momentum here. The coefficient 0.1 of an explicit
// regulariser and the 0.05 of noise injection are those of the authors' scripts; whether their noise is on the weights or on the
// gradient is not sure, here it is on the weights.
package momentum
