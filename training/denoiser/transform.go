package denoiser

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/training/signal"
)

// Transform is an analysis operator: signals have few large products with its rows.
type Transform signal.Set

// TransformConfig says how LearnTransform learns. Either Sparsity or Threshold is above 0.
type TransformConfig struct {
	Iterations int     // 0: 20
	Sparsity   int     // so many products of a signal are kept, the largest
	Threshold  float64 // products up to it are not kept
	// Regular is lambda over |Y|^2 of a square transform that need not be orthonormal (published: 3.1e-3); 0: rows are orthonormal, or,
	// more rows than samples, a tight frame.
	Regular float64
}

// LearnTransform learns from signals a transform W in which they are sparse (Ravishankar, Bresler, IEEE TSP 61(5) 2013; closed forms,
// IEEE TSP 63(9) 2015), and gives the objective after every half of an iteration, which never rises:
//
//	|W Y - X|^2 + lambda (|W|^2 - log |det W|)  with at most Sparsity numbers in a column of X
//	|W Y - X|^2 + Threshold^2 (numbers in X) + lambda (|W|^2 - log |det W|)
//
// In turn X is W Y with the largest of each column, or those above the threshold, kept; and, with Y Y' + lambda I = L L' and the
// singular values S of inv(L) Y X' = U S V',
//
//	W = 1/2 V (S + sqrt(S^2 + 2 lambda)) U' inv(L)
//
// With Regular 0, W'W = I and the objective is the part without lambda: W = V U' of Y X' = U S V' (orthogonal Procrustes). For more
// rows than samples that is a tight frame.
func LearnTransform(y signal.Set, first Transform, c TransformConfig) (Transform, []float64, error) {
	if err := y.Check(); err != nil {
		return Transform{}, nil, fmt.Errorf("transform learning: %w", err)
	}
	if err := signal.Set(first).Check(); err != nil {
		return Transform{}, nil, fmt.Errorf("transform learning: %w", err)
	}
	switch {
	case first.Length != y.Length || first.Count < y.Length:
		return Transform{}, nil, fmt.Errorf("transform learning: %d rows of length %d for signals of %d: as many rows as samples at least are wanted", first.Count, first.Length, y.Length)
	case c.Regular > 0 && first.Count != first.Length:
		return Transform{}, nil, fmt.Errorf("transform learning: %d rows of length %d with a regulariser of square transforms", first.Count, first.Length)
	case !(c.Regular >= 0) || !(c.Threshold >= 0) || math.IsInf(c.Regular, 0) || math.IsInf(c.Threshold, 0) || c.Iterations < 0 || c.Sparsity < 0 || (c.Sparsity > 0) == (c.Threshold > 0):
		return Transform{}, nil, fmt.Errorf("transform learning: %d iterations, sparsity %d or threshold %g, regulariser %g", c.Iterations, c.Sparsity, c.Threshold, c.Regular)
	}
	if c.Iterations == 0 {
		c.Iterations = 20
	}
	l := transformLearner{y: y, c: c, lambda: c.Regular * floats.Dot(y.Values, y.Values)}
	l.w = Transform{Count: first.Count, Length: first.Length, Values: slices.Clone(first.Values)}
	if err := l.prepare(); err != nil {
		return Transform{}, nil, fmt.Errorf("transform learning: %w", err)
	}
	var objectives []float64
	for range c.Iterations {
		l.sparsify()
		objectives = append(objectives, l.objective())
		if err := l.renew(); err != nil {
			return Transform{}, nil, fmt.Errorf("transform learning: %w", err)
		}
		objectives = append(objectives, l.objective())
	}
	return l.w, objectives, nil
}

// transformLearner keeps products W Y, and what of them X keeps; both have a row a signal.
type transformLearner struct {
	y       signal.Set
	c       TransformConfig
	w       Transform
	lambda  float64
	root    mat.Cholesky // of Y Y' + lambda I
	wy, x   []float64
	kept    int
	ordered []float64
}

// prepare makes what stays the same, and of a first transform that is to be a tight frame the nearest one.
func (l *transformLearner) prepare() error {
	if l.lambda > 0 {
		n := l.y.Length
		gram := mat.NewSymDense(n, nil)
		y := mat.NewDense(l.y.Count, n, l.y.Values)
		gram.SymOuterK(1, y.T())
		for i := range n {
			gram.SetSym(i, i, gram.At(i, i)+l.lambda)
		}
		if !l.root.Factorize(gram) {
			return fmt.Errorf("the signals' products have no Cholesky factor")
		}
	} else {
		w := mat.NewDense(l.w.Count, l.w.Length, l.w.Values)
		var svd mat.SVD
		if !svd.Factorize(w, mat.SVDThin) {
			return fmt.Errorf("the first transform has no singular values")
		}
		if values := svd.Values(nil); values[len(values)-1] <= 1e-10*values[0] {
			return fmt.Errorf("rows of the first transform span less than all signals")
		}
		var u, v mat.Dense
		svd.UTo(&u)
		svd.VTo(&v)
		w.Mul(&u, v.T())
	}
	l.wy = product(l.y, signal.Set(l.w))
	l.x = make([]float64, len(l.wy))
	l.ordered = make([]float64, l.w.Count)
	return nil
}

// sparsify makes X anew.
func (l *transformLearner) sparsify() {
	k, most := l.w.Count, l.c.Sparsity
	l.kept = 0
	for i := range l.y.Count {
		row, x := l.wy[i*k:(i+1)*k], l.x[i*k:(i+1)*k]
		least, room := l.c.Threshold, 0 // for those that are as large as the least
		if most > 0 {
			for j, v := range row {
				l.ordered[j] = math.Abs(v)
			}
			slices.Sort(l.ordered)
			least = l.ordered[max(0, k-most)]
			above := sort.Search(k, func(j int) bool { return l.ordered[j] > least })
			room = min(most, k) - (k - above)
		}
		for j, v := range row {
			x[j] = hardThreshold(v, least)
			if room > 0 && math.Abs(v) == least {
				x[j] = v
				room--
			}
			if x[j] != 0 {
				l.kept++
			}
		}
	}
}

// renew makes W anew.
func (l *transformLearner) renew() error {
	n, k := l.y.Length, l.w.Count
	xy := make([]float64, k*n) // X Y', from the few numbers that X has
	for i := range l.y.Count {
		for j, v := range l.x[i*k : (i+1)*k] {
			if v != 0 {
				floats.AddScaled(xy[j*n:(j+1)*n], v, l.y.Row(i))
			}
		}
	}
	yx := mat.DenseCopyOf(mat.NewDense(k, n, xy).T())
	var lower mat.TriDense
	if l.lambda > 0 {
		l.root.LTo(&lower)
		if err := yx.Solve(&lower, yx); err != nil {
			return fmt.Errorf("solve with the Cholesky factor: %w", err)
		}
	}
	var svd mat.SVD
	if !svd.Factorize(yx, mat.SVDThin) {
		return fmt.Errorf("signals and coefficients have no singular values")
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	w := mat.NewDense(k, n, l.w.Values)
	if l.lambda > 0 {
		for i, s := range svd.Values(nil) {
			scale := (s + math.Sqrt(s*s+2*l.lambda)) / 2
			for r := range k {
				v.Set(r, i, v.At(r, i)*scale)
			}
		}
		var wt mat.Dense // W' = inv(L') U (V scaled)'
		wt.Mul(&u, v.T())
		if err := wt.Solve(lower.T(), &wt); err != nil {
			return fmt.Errorf("solve with the Cholesky factor: %w", err)
		}
		w.Copy(wt.T())
	} else {
		w.Mul(&v, u.T())
	}
	l.wy = product(l.y, signal.Set(l.w))
	return nil
}

func (l *transformLearner) objective() float64 {
	d := floats.Distance(l.wy, l.x, 2)
	f := d * d
	if l.c.Threshold > 0 {
		f += l.c.Threshold * l.c.Threshold * float64(l.kept)
	}
	if l.lambda > 0 {
		log, _ := mat.LogDet(mat.NewDense(l.w.Count, l.w.Length, l.w.Values))
		f += l.lambda * (floats.Dot(l.w.Values, l.w.Values) - log)
	}
	return f
}
