package masking

// grasp keeps the weights whose removal lowers the gradient's norm most, for it is the gradient that will train: w (H g)
// (Wang, Zhang, Grosse, arXiv 2002.07376, whose score is the negative and whose highest go). The authors of Optimal Eye
// Surgeon rank by H g + g, without the weight, and keep the lowest.
var grasp = Score{Name: "grasp", Doc: "keep the weights that carry the flow of the gradient: weight times Hessian times gradient",
	Needs: NeedGradient | NeedHessianGradient,
	Of:    each(func(e *Evidence, i int) float32 { return e.Weight[i] * e.HessianGradient[i] }),
	OES:   each(func(e *Evidence, i int) float32 { return -(e.HessianGradient[i] + e.Gradient[i]) })}
