package denoiser

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/training/signal"
)

// analysis shrinks signals in the domain of a transform: products with the rows up to the weight times the row's length are removed,
// and the signal is the one whose products are nearest to those that stay.
type analysis struct {
	w      signal.Set
	length []float64  // of rows
	back   signal.Set // rows of the pseudo-inverse
}

func newAnalysis(t Transform) (*analysis, error) {
	if err := signal.Set(t).Check(); err != nil {
		return nil, err
	}
	if t.Count < t.Length {
		return nil, fmt.Errorf("%d rows of length %d: as many rows as samples at least are wanted", t.Count, t.Length)
	}
	a := &analysis{w: signal.Set(t)}
	for i := range t.Count {
		a.length = append(a.length, floats.Norm(a.w.Row(i), 2))
	}
	w := mat.NewDense(t.Count, t.Length, slices.Clone(t.Values))
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDThin) {
		return nil, fmt.Errorf("a transform without singular values")
	}
	values := svd.Values(nil)
	if values[len(values)-1] <= 1e-10*values[0] {
		return nil, fmt.Errorf("rows of the transform span less than all signals")
	}
	var u, v, back mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	for i, s := range values {
		for r := range t.Length {
			v.Set(r, i, v.At(r, i)/s)
		}
	}
	back.Mul(&v, u.T())
	a.back = signal.Set{Count: t.Length, Length: t.Count, Values: back.RawMatrix().Data}
	return a, nil
}

// shrink does so to signals in place; the means stay.
func (a *analysis) shrink(s signal.Set, weight float64) {
	means := make([]float64, s.Count)
	for i := range means {
		means[i] = signal.Centre(s.Row(i))
	}
	x := product(s, a.w)
	for i := range x {
		x[i] = hardThreshold(x[i], weight*a.length[i%a.w.Count])
	}
	copy(s.Values, product(signal.Set{Count: s.Count, Length: a.w.Count, Values: x}, a.back))
	for i, mean := range means {
		floats.AddConst(mean, s.Row(i))
	}
}

// TransformPatches sets TransformFilter up.
type TransformPatches struct {
	Transform  Transform // for patches of Block x Block without their mean; without rows it is learned from the noisy picture
	Block      int       // side of a patch; 0: 8
	Rows       int       // of a transform that is learned, a square; 0: as many as a patch has samples
	Iterations int       // 0: 30
	Patches    int       // most patches that are learned from; 0: 10,000, evenly spread
}

func (c TransformPatches) withDefaults() TransformPatches {
	if c.Block == 0 {
		c.Block = 8
	}
	if c.Rows == 0 {
		c.Rows = c.Block * c.Block
	}
	if c.Patches == 0 {
		c.Patches = 10_000
	}
	return c
}

// TransformFilter removes noise by a learned transform: of the patches at every pixel, without their mean, the products with its rows
// up to the weight are removed, and the patches averaged. The transform begins as cosines and is learned from the noisy patches with
// that threshold. Of three channels it filters those of an opponent colour space, each with a transform of its own. The authors
// (2013) choose how many products of each patch stay by what may be left over of it, and iterate; here both are one pass.
func TransformFilter(y Planes, weight float64, c TransformPatches) (Planes, error) {
	if err := checkWeighted("transform learning", y, weight); err != nil {
		return Planes{}, err
	}
	c = c.withDefaults()
	g, err := signal.NewGrid(y.Height, y.Width, c.Block, 1)
	if err != nil {
		return Planes{}, fmt.Errorf("transform learning: %w", err)
	}
	if weight == 0 {
		y.Pix = slices.Clone(y.Pix)
		return y, nil
	}
	return opponentPlanes(y, weight, func(plane []float64, weight float64) ([]float64, error) {
		w := c.Transform
		if w.Count == 0 {
			patches, err := somePatches(g, plane, c.Patches)
			if err != nil {
				return nil, err
			}
			first, err := CosineFrame2(c.Block, c.Rows)
			if err != nil {
				return nil, err
			}
			if w, _, err = LearnTransform(patches, Transform(first), TransformConfig{Iterations: c.Iterations, Threshold: weight}); err != nil {
				return nil, err
			}
		}
		a, err := newAnalysis(w)
		if err != nil {
			return nil, fmt.Errorf("transform learning: %w", err)
		}
		if w.Length != c.Block*c.Block {
			return nil, fmt.Errorf("transform learning: rows of length %d for patches of %dx%d", w.Length, c.Block, c.Block)
		}
		return patchwise(plane, g, 0, func() func(signal.Set) {
			return func(s signal.Set) { a.shrink(s, weight) }
		}), nil
	})
}

// TransformLine removes the products of a signal, without its mean, with a transform's rows that are up to the weight.
func TransformLine(t Transform) (LineFilter, error) {
	a, err := newAnalysis(t)
	if err != nil {
		return nil, fmt.Errorf("transform learning: %w", err)
	}
	return func(y []float64, weight float64) ([]float64, error) {
		if err := checkLine("transform learning", y, weight); err != nil {
			return nil, err
		}
		if len(y) != t.Length {
			return nil, fmt.Errorf("transform learning: a signal of %d samples, rows have %d", len(y), t.Length)
		}
		x := slices.Clone(y)
		a.shrink(signal.Set{Count: 1, Length: len(x), Values: x}, weight)
		return x, nil
	}, nil
}
