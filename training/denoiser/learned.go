package denoiser

import (
	"fmt"

	"graft/training/signal"
)

// ksvdLines learns from clean signals: four times as many atoms as samples, and one for every ten samples in a signal, as the authors
// have for pictures of 8x8; fewer atoms, but as many as samples, where there are not 25 signals to each, as there are in their
// experiments and as few of which a dictionary learns by heart.
func ksvdLines(g Given) (LineFilter, error) {
	y, err := g.centred("K-SVD")
	if err != nil {
		return nil, err
	}
	first, err := CosineFrame(y.Length, min(4*y.Length, max(y.Length, y.Count/25)))
	if err != nil {
		return nil, err
	}
	d, err := LearnDictionary(y, first, DictionaryConfig{Iterations: 20, Sparsity: max(1, y.Length/10)})
	if err != nil {
		return nil, err
	}
	return KSVDLine(d)
}

// centred are the clean signals without their means.
func (g Given) centred(method string) (signal.Set, error) {
	if g.Signals.Count == 0 {
		return signal.Set{}, fmt.Errorf("%s: no clean signals to learn from", method)
	}
	if err := g.Signals.Check(); err != nil {
		return signal.Set{}, fmt.Errorf("%s: %w", method, err)
	}
	y := signal.Set{Count: g.Signals.Count, Length: g.Signals.Length, Values: append([]float64(nil), g.Signals.Values...)}
	for i := range y.Count {
		signal.Centre(y.Row(i))
	}
	return y, nil
}

// patches are patches of the clean pictures' luminance, so many of all of them, without their means.
func (g Given) patches(method string, side, most int) (signal.Set, error) {
	out := signal.Set{Length: side * side}
	for i, p := range g.Pictures {
		if err := p.check(method); err != nil {
			return signal.Set{}, err
		}
		grid, err := signal.NewGrid(p.Height, p.Width, side, 1)
		if err != nil {
			return signal.Set{}, fmt.Errorf("%s: picture %d: %w", method, i, err)
		}
		z, _ := opponent(p, 1)
		plane := make([]float64, p.Height*p.Width)
		for j, v := range z.plane(0) {
			plane[j] = float64(v)
		}
		s, err := somePatches(grid, plane, (i+1)*most/len(g.Pictures)-i*most/len(g.Pictures))
		if err != nil {
			return signal.Set{}, err
		}
		out.Count += s.Count
		out.Values = append(out.Values, s.Values...)
	}
	return out, nil
}

// ksvdPictures learns from patches of clean pictures where there are some, 6 atoms of each as the authors' global dictionary does.
func ksvdPictures(g Given) (PictureFilter, error) {
	c := KSVDConfig{}
	if len(g.Pictures) > 0 {
		full := c.withDefaults()
		y, err := g.patches("K-SVD", full.Block, full.Patches)
		if err != nil {
			return nil, err
		}
		first, err := CosineFrame2(full.Block, full.Atoms)
		if err != nil {
			return nil, err
		}
		if c.Dictionary, err = LearnDictionary(y, first, DictionaryConfig{Iterations: 20, Sparsity: 6}); err != nil {
			return nil, err
		}
	}
	return func(y Planes, weight float64) (Planes, error) { return KSVD(y, weight, c) }, nil
}

// transformLines learns from clean signals so many times as many rows as samples, a tenth of the products of each signal kept.
func transformLines(times int) func(Given) (LineFilter, error) {
	return func(g Given) (LineFilter, error) {
		y, err := g.centred("transform learning")
		if err != nil {
			return nil, err
		}
		first, err := CosineFrame(y.Length, times*y.Length)
		if err != nil {
			return nil, err
		}
		w, _, err := LearnTransform(y, Transform(first), TransformConfig{Iterations: 60, Sparsity: max(1, times*y.Length/10)})
		if err != nil {
			return nil, err
		}
		return TransformLine(w)
	}
}

// transformPictures learns from patches of clean pictures where there are some, a tenth of the products of each kept.
func transformPictures(rows int) func(Given) (PictureFilter, error) {
	return func(g Given) (PictureFilter, error) {
		c := TransformPatches{Rows: rows}.withDefaults()
		if len(g.Pictures) > 0 {
			y, err := g.patches("transform learning", c.Block, c.Patches)
			if err != nil {
				return nil, err
			}
			first, err := CosineFrame2(c.Block, c.Rows)
			if err != nil {
				return nil, err
			}
			if c.Transform, _, err = LearnTransform(y, Transform(first), TransformConfig{Iterations: 60, Sparsity: max(1, c.Rows/10)}); err != nil {
				return nil, err
			}
		}
		return func(y Planes, weight float64) (Planes, error) { return TransformFilter(y, weight, c) }, nil
	}
}
