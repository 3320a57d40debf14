package curvature

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/onnx/noise"
)

// LanczosConfig says when to stop. Zero values are defaults.
type LanczosConfig struct {
	Tolerance float64 // of the largest eigenvalue, relative to the larger end; 1e-3
	Most      int     // products; 100
	Stored    int     // numbers that may be kept of earlier vectors; 1<<26
	Seed      uint64  // of the first vector
}

// Ends are the ends of a spectrum as far as products have told them. An eigenvalue lies within the error of each; that it is the last
// one there is, is as sure as that the first vector was not nearly at a right angle to the last one's.
type Ends struct {
	Largest, LargestError   float64
	Smallest, SmallestError float64 // as far as the products for the largest told it
	Products                int
	Converged               bool // Largest is within the tolerance
}

// Lanczos builds the Krylov space of a random vector until the largest eigenvalue of the matrix in it has a residual within the
// tolerance. In exact arithmetic an eigenvalue lies within the residual. Earlier vectors are kept, and each new one is made
// orthogonal to all of them, while they are few enough; then to the last two alone, which lets found eigenvalues appear again and
// leaves the ends as they are.
func Lanczos(n int, product Product, c LanczosConfig) (*Ends, error) {
	if n < 1 {
		return nil, errors.New("lanczos: a matrix without rows")
	}
	if c.Tolerance == 0 {
		c.Tolerance = 1e-3
	}
	if c.Most == 0 {
		c.Most = 100
	}
	if c.Stored == 0 {
		c.Stored = 1 << 26
	}
	if !(c.Tolerance > 0) || c.Most < 1 {
		return nil, fmt.Errorf("lanczos: tolerance %g and %d products: wants both above 0", c.Tolerance, c.Most)
	}
	most := min(c.Most, n)
	v, before := random(n, c.Seed), make([]float64, n)
	floats.Scale(1/floats.Norm(v, 2), v)
	var kept [][]float64
	var alphas, betas []float64
	for k := 1; ; k++ {
		w, err := multiply(product, v)
		if err != nil {
			return nil, err
		}
		alpha := floats.Dot(w, v)
		if len(betas) > 0 {
			floats.AddScaled(w, -betas[len(betas)-1], before)
		}
		floats.AddScaled(w, -alpha, v)
		if n*k <= c.Stored {
			kept = append(kept, v)
			for range 2 { // once leaves what rounding adds
				for _, u := range kept {
					floats.AddScaled(w, -floats.Dot(w, u), u)
				}
			}
		} else {
			kept = nil
		}
		alphas = append(alphas, alpha)
		beta := floats.Norm(w, 2)
		ends, err := ritz(alphas, betas, beta)
		if err != nil {
			return nil, err
		}
		size := max(math.Abs(ends.Largest), math.Abs(ends.Smallest))
		// The space is closed, or all there is: what is left of w is rounding, of numbers that may be in float32.
		closed := k == n || beta <= 1e-10*size
		if closed {
			ends.LargestError, ends.SmallestError = beta, beta
			if k == n {
				ends.LargestError, ends.SmallestError = 0, 0
			}
		}
		ends.Products, ends.Converged = k, closed || ends.LargestError <= c.Tolerance*size
		if ends.Converged || k == most {
			return ends, nil
		}
		betas = append(betas, beta)
		floats.Scale(1/beta, w)
		before, v = v, w
	}
}

// ritz gives the ends of the tridiagonal matrix with their residuals: the last element of the eigenvector times beta.
func ritz(alphas, betas []float64, beta float64) (*Ends, error) {
	k := len(alphas)
	t := mat.NewSymDense(k, nil)
	for i, a := range alphas {
		t.SetSym(i, i, a)
	}
	for i, b := range betas {
		t.SetSym(i, i+1, b)
	}
	var e mat.EigenSym
	if !e.Factorize(t, true) {
		return nil, errors.New("lanczos: the eigenvalues of the projected matrix are not found: the products are not of a symmetric matrix")
	}
	values := e.Values(nil)
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	return &Ends{Largest: values[k-1], LargestError: math.Abs(beta * vectors.At(k-1, k-1)),
		Smallest: values[0], SmallestError: math.Abs(beta * vectors.At(k-1, 0))}, nil
}

// multiply is the product, checked.
func multiply(product Product, v []float64) ([]float64, error) {
	w, err := product(v)
	if err != nil {
		return nil, err
	}
	if len(w) != len(v) {
		return nil, fmt.Errorf("a product of %d numbers for a vector of %d", len(w), len(v))
	}
	for _, x := range w {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, errors.New("a product is not finite")
		}
	}
	return w, nil
}

// random are standard normal numbers.
func random(n int, seed uint64) []float64 {
	drawn, v := make([]float32, n), make([]float64, n)
	noise.Normal(drawn, noise.NewKey(seed, "lanczos", 0))
	for i, x := range drawn {
		v[i] = float64(x)
	}
	return v
}
