package bilevel

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/onnx/noise"
)

// powerSteps is how many products with W Wᵀ estimate its largest eigenvalue before the estimate is verified.
const powerSteps = 30

// SpectralBound is no less than |W|₂ and close to it: power iteration estimates the norm from below, and a Cholesky factorisation of
// L I - W Wᵀ proves that L is an upper bound.
func (o *Operator) SpectralBound() float64 { return math.Sqrt(o.lipschitz()) }

// smallGram is W Wᵀ or Wᵀ W, whichever is the smaller: their eigenvalues above 0 are the same.
func (o *Operator) smallGram() *mat.SymDense {
	if o.rows <= o.cols {
		return mat.NewSymDense(o.rows, append([]float64(nil), o.gram()...))
	}
	g := make([]float64, o.cols*o.cols)
	transposeMultiply(g, o.w, o.w, o.cols, o.rows, o.cols)
	return mat.NewSymDense(o.cols, g)
}

func (o *Operator) boundSquare() float64 {
	trace := 0.0 // |W|²_F is a bound itself
	for _, n := range o.norms {
		trace += n * n
	}
	if trace == 0 {
		return 0
	}
	g := o.smallGram()
	n := g.SymmetricDim()
	estimate := rayleigh(n, func(dst, v *mat.VecDense) bool { dst.MulVec(g, v); return true })
	var c mat.Cholesky
	for slack := 0.02; ; slack *= 3 {
		bound := estimate * (1 + slack)
		if bound >= trace {
			return trace
		}
		if c.Factorize(shifted(g, bound, -1)) {
			return bound
		}
	}
}

// boundSmallest proves a lower bound of the least eigenvalue of W Wᵀ as boundSquare does an upper one.
func (o *Operator) boundSmallest() float64 {
	if o.rows == 0 || o.rows > o.cols || o.lipschitz() == 0 {
		return 0
	}
	g := o.smallGram()
	var c, verify mat.Cholesky
	product := func(dst, v *mat.VecDense) bool { return c.SolveVecTo(dst, v) == nil }
	if p := o.inverse(); p != nil {
		sym := mat.NewSymDense(o.rows, p)
		product = func(dst, v *mat.VecDense) bool { dst.MulVec(sym, v); return true }
	} else if !c.Factorize(g) {
		return 0
	}
	inverse := rayleigh(o.rows, product)
	if !(inverse > 0) {
		return 0
	}
	for bound := 0.9 / inverse; bound > 1e-10*o.lipschitz(); bound /= 4 {
		if verify.Factorize(shifted(g, -bound, 1)) {
			return math.Sqrt(bound)
		}
	}
	return 0
}

// shifted is shift I + scale g.
func shifted(g *mat.SymDense, shift, scale float64) *mat.SymDense {
	n := g.SymmetricDim()
	s := mat.NewSymDense(n, nil)
	s.ScaleSym(scale, g)
	for i := range n {
		s.SetSym(i, i, s.At(i, i)+shift)
	}
	return s
}

// rayleigh is the Rayleigh quotient after power iteration with a symmetric matrix from a fixed random vector: no more than the largest
// eigenvalue. It is 0 when a product fails or vanishes.
func rayleigh(n int, product func(dst, v *mat.VecDense) bool) float64 {
	start := make([]float32, n)
	noise.Normal(start, noise.NewKey(1, "power", 0))
	v, w := mat.NewVecDense(n, nil), mat.NewVecDense(n, nil)
	for i, s := range start {
		v.SetVec(i, float64(s))
	}
	v.ScaleVec(1/mat.Norm(v, 2), v)
	quotient := 0.0
	for range powerSteps {
		if !product(w, v) {
			return 0
		}
		quotient = mat.Dot(v, w)
		norm := floats.Norm(w.RawVector().Data, 2)
		if !(norm > 0) || math.IsInf(norm, 0) {
			return 0
		}
		v.ScaleVec(1/norm, w)
	}
	return quotient
}
