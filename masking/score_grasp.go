package masking

// grasp keeps the weights whose removal lowers the gradient's norm most, for it is the gradient that will train: w (H g)
// (Wang, Zhang, Grosse, arXiv 2002.07376, whose score is the negative and whose highest go). The authors of Optimal Eye
// Surgeon take the derivative of the sum of g w, which is H w + g, and keep the lowest; of each tensor by itself the
// highest |g| / |H w + g|.
var grasp = Score{Name: "grasp", Doc: "keep the weights that carry the flow of the gradient: weight times Hessian times gradient",
	Rule: Rule{Needs: NeedGradient | NeedHessianGradient,
		Of: each(func(e *Evidence, i int) float32 { return e.Weight[i] * e.HessianGradient[i] })},
	OES: &Rule{Needs: NeedGradient | NeedHessianWeight,
		Of: each(func(e *Evidence, i int) float32 { return -(e.HessianWeight[i] + e.Gradient[i]) })},
	OESLocal: &Rule{Needs: NeedGradient | NeedHessianWeight, Of: each(func(e *Evidence, i int) float32 {
		return abs(e.Gradient[i]) / (abs(e.HessianWeight[i]+e.Gradient[i]) + 1e-10)
	})}}
