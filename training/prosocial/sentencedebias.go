package prosocial

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// SentenceDebias finds the subspace in which embeddings of sentences differ that are the same but for a word of a group: the first
// principal components of
//
//	x_gi - mean_i x_gi
//
// over sets g of sentences and their members i, two for gender, three for religions (Liang et al. 2020, section 3). One component is
// what bias-bench takes.
func SentenceDebias(sets [][][]float64, components int) (*Projection, error) {
	var rows [][]float64
	for g, set := range sets {
		if len(set) < 2 {
			return nil, fmt.Errorf("set %d has %d sentences, want two or more that differ in a word", g+1, len(set))
		}
		rows = append(rows, set...)
	}
	width, err := widthOf(rows)
	if err != nil {
		return nil, err
	}
	if components < 1 || components > width {
		return nil, fmt.Errorf("%d components of embeddings of %d numbers", components, width)
	}
	spread := mat.NewSymDense(width, nil)
	apart := make([]float64, width)
	for _, set := range sets {
		mean := make([]float64, width)
		for _, x := range set {
			floats.AddScaled(mean, 1/float64(len(set)), x)
		}
		for _, x := range set {
			floats.SubTo(apart, x, mean)
			spread.SymRankOne(spread, 1, mat.NewVecDense(width, apart))
		}
	}
	var e mat.EigenSym
	if !e.Factorize(spread, true) {
		return nil, fmt.Errorf("the principal components do not converge")
	}
	values := e.Values(nil) // ascending
	if largest := values[width-1]; !(largest > 0) || values[width-components] <= 1e-12*largest {
		return nil, fmt.Errorf("the sentences of the sets differ in fewer than %d directions", components)
	}
	var vectors mat.Dense
	e.VectorsTo(&vectors)
	p := &Projection{width: width}
	for k := range components {
		p.add(mat.Col(nil, width-1-k, &vectors))
	}
	return p, nil
}
