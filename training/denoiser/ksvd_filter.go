package denoiser

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/floats"

	"graft/training/signal"
)

// KSVDConfig sets KSVD up. The settings are those of its authors for pictures where they are 0.
type KSVDConfig struct {
	Dictionary Dictionary // for patches of Block x Block without their mean; without atoms it is learned from the noisy picture
	Block      int        // side of a patch; 0: 8
	Atoms      int        // a square; 0: 4 times the samples of a patch
	Iterations int        // 0: 10
	Patches    int        // most patches that are learned from; 0: 40,000, evenly spread
}

// Settings of K-SVD for pictures, by its authors.
const (
	ksvdGain  = 1.15      // what is left over may have so many times the noise's deviation
	ksvdBlend = 30. / 255 // over the noise's deviation: as how many patches the noisy picture counts
)

func (c KSVDConfig) withDefaults() KSVDConfig {
	if c.Block == 0 {
		c.Block = 8
	}
	if c.Atoms == 0 {
		c.Atoms = 4 * c.Block * c.Block
	}
	if c.Patches == 0 {
		c.Patches = 40_000
	}
	return c
}

// KSVD removes noise by sparse sums of atoms (Elad, Aharon, IEEE TIP 15(12) 2006): patches at every pixel lose their mean, are sums
// of as few atoms as leave over the weight as root mean square (published: 1.15 times the noise's deviation), and are averaged, the
// noisy picture among them with 30/255 over the deviation. The dictionary begins as overcomplete cosines and is learned from the
// noisy patches in the same way. Of three channels it filters those of an opponent colour space, each with a dictionary of its own.
func KSVD(y Planes, weight float64, c KSVDConfig) (Planes, error) {
	if err := checkWeighted("K-SVD", y, weight); err != nil {
		return Planes{}, err
	}
	c = c.withDefaults()
	g, err := signal.NewGrid(y.Height, y.Width, c.Block, 1)
	if err != nil {
		return Planes{}, fmt.Errorf("K-SVD: %w", err)
	}
	if weight == 0 {
		y.Pix = slices.Clone(y.Pix)
		return y, nil
	}
	return opponentPlanes(y, weight, func(plane []float64, weight float64) ([]float64, error) {
		d := c.Dictionary
		if d.Count == 0 {
			if d, err = c.learn(g, plane, weight); err != nil {
				return nil, err
			}
		}
		if err := d.check(c.Block * c.Block); err != nil {
			return nil, fmt.Errorf("K-SVD: %w", err)
		}
		gram := product(signal.Set(d), signal.Set(d))
		return patchwise(plane, g, ksvdBlend*ksvdGain/weight, func() func(signal.Set) {
			p := newPursuit(d, gram, 0, weight*weight*float64(d.Length))
			return p.replace
		}), nil
	})
}

// replace puts the sums of atoms in the place of signals; the means stay.
func (p *pursuit) replace(s signal.Set) {
	means := make([]float64, s.Count)
	for i := range means {
		means[i] = signal.Centre(s.Row(i))
	}
	products := product(s, p.atoms)
	for i, mean := range means {
		row := s.Row(i)
		p.find(products[i*p.atoms.Count:(i+1)*p.atoms.Count], floats.Dot(row, row))
		p.sum(row)
		floats.AddConst(mean, row)
	}
}

func (c KSVDConfig) learn(g *signal.Grid, plane []float64, deviation float64) (Dictionary, error) {
	first, err := CosineFrame2(c.Block, c.Atoms)
	if err != nil {
		return Dictionary{}, err
	}
	patches, err := somePatches(g, plane, c.Patches)
	if err != nil {
		return Dictionary{}, err
	}
	return LearnDictionary(patches, first, DictionaryConfig{Iterations: c.Iterations, Deviation: deviation})
}

// somePatches are so many patches of a plane at most, evenly spread, without their means.
func somePatches(g *signal.Grid, plane []float64, most int) (signal.Set, error) {
	n := min(g.Count(), max(1, most))
	s, err := signal.NewSet(n, g.Side*g.Side)
	if err != nil {
		return signal.Set{}, err
	}
	for i := range n {
		g.Patch(s.Row(i), plane, i*g.Count()/n)
		signal.Centre(s.Row(i))
	}
	return s, nil
}

// KSVDLine puts a signal without its mean as a sum of as few atoms as leave over the weight as root mean square.
func KSVDLine(d Dictionary) (LineFilter, error) {
	if err := d.check(d.Length); err != nil {
		return nil, fmt.Errorf("K-SVD: %w", err)
	}
	gram := product(signal.Set(d), signal.Set(d))
	return func(y []float64, weight float64) ([]float64, error) {
		if err := checkLine("K-SVD", y, weight); err != nil {
			return nil, err
		}
		if len(y) != d.Length {
			return nil, fmt.Errorf("K-SVD: a signal of %d samples, atoms have %d", len(y), d.Length)
		}
		x := slices.Clone(y)
		if weight > 0 {
			newPursuit(d, gram, 0, weight*weight*float64(d.Length)).replace(signal.Set{Count: 1, Length: len(x), Values: x})
		}
		return x, nil
	}, nil
}
