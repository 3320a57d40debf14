package denoiser

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"graft/training/signal"
)

// Given is what is known before a baseline is used.
type Given struct {
	Sigma    float64    // standard deviation of the noise
	Signals  signal.Set // clean ones to learn from; of no signals: none
	Pictures []Planes   // clean ones to learn from; none: what learns does so from each noisy picture itself
}

// LineFilter removes noise from a signal; calls may run at a time.
type LineFilter func(y []float64, weight float64) ([]float64, error)

// PictureFilter removes noise from a picture.
type PictureFilter func(y Planes, weight float64) (Planes, error)

// Baseline is one method: a row of Baselines. Its weight has the unit of the samples, so that a picture that is twice as bright wants
// twice the weight.
type Baseline struct {
	Name   string
	Doc    string // one line, with the source
	Weight string // what is tuned
	// Usual is the weight for pictures with noise of deviation 1 where it is not tuned, as published or near the best of photographs at
	// 25/255 (TestTunedPictures), and where a search begins.
	Usual    float64
	Lines    func(Given) (LineFilter, error)    // nil: not for signals
	Pictures func(Given) (PictureFilter, error) // nil: not for pictures
}

// Baselines lists all there are.
var Baselines = []Baseline{
	{"tv", "total variation (Rudin, Osher, Fatemi 1992), of pictures the Euclidean length of differences", "of the variation", 0.8,
		lines(TVLine), pictures(func(y Planes, weight float64) (Planes, error) { return TV(y, TVConfig{Weight: weight}) })},
	{"tv-anisotropic", "total variation, the sum of absolute differences along both axes", "of the variation", 0.6,
		nil, pictures(func(y Planes, weight float64) (Planes, error) {
			return TV(y, TVConfig{Weight: weight, Anisotropic: true})
		})},
	{"dct", "cosine transform, of pictures of overlapping blocks of 8x8; soft threshold", "soft threshold of coefficients", 1.5,
		lines(func(y []float64, w float64) ([]float64, error) { return CosineLine(y, w, false) }),
		pictures(func(y Planes, w float64) (Planes, error) { return Cosine(y, w, CosineConfig{}) })},
	{"dct-hard", "as dct, hard threshold (Yu, Sapiro, IPOL 2011)", "hard threshold of coefficients", 3,
		lines(func(y []float64, w float64) ([]float64, error) { return CosineLine(y, w, true) }),
		pictures(func(y Planes, w float64) (Planes, error) { return Cosine(y, w, CosineConfig{Hard: true}) })},
	haarBaseline("haar", "orthonormal Haar wavelets, soft threshold (Donoho, Johnstone 1994)", "soft threshold of coefficients", 1.5, HaarConfig{}),
	haarBaseline("haar-cycle", "Haar wavelets, the mean over all shifts (cycle spinning: Coifman, Donoho 1995), soft threshold", "soft threshold of coefficients", 1.5, HaarConfig{CycleSpin: true}),
	haarBaseline("haar-cycle-hard", "as haar-cycle, hard threshold", "hard threshold of coefficients", 3, HaarConfig{CycleSpin: true, Hard: true}),
	{"ksvd", "sums of few atoms of a dictionary that is learned by K-SVD (Elad, Aharon 2006)", "root mean square of what atoms leave over", ksvdGain, ksvdLines, ksvdPictures},
	{"transform", "an orthonormal transform that is learned (Ravishankar, Bresler 2013), hard threshold", "hard threshold of coefficients", 3,
		transformLines(1), transformPictures(64)},
	{"transform-frame", "as transform, a tight frame of about twice as many rows", "hard threshold of coefficients", 2.8,
		transformLines(2), transformPictures(144)},
	{"nlm", "non-local means (Buades, Coll, Morel 2005)", "the filter's parameter h", 0.65, nlmLines, nlmPictures},
	{"bm3d", "block matching (Dabov, Foi, Katkovnik, Egiazarian 2007)", "deviation of the noise that it is told", 1, nil, pictures(bm3dOrNone)},
}

// bm3dOrNone is BM3D, which needs noise; without, the picture stays.
func bm3dOrNone(y Planes, sigma float64) (Planes, error) {
	if sigma == 0 {
		y.Pix = slices.Clone(y.Pix)
		return y, y.check("BM3D")
	}
	return BM3D(y, sigma)
}

// FindBaseline looks a baseline up; the error lists the names there are.
func FindBaseline(name string) (Baseline, error) {
	var names []string
	for _, b := range Baselines {
		if b.Name == name {
			return b, nil
		}
		names = append(names, b.Name)
	}
	return Baseline{}, fmt.Errorf("no baseline is called %q: there are %q", name, names)
}

func lines(f LineFilter) func(Given) (LineFilter, error) {
	return func(Given) (LineFilter, error) { return f, nil }
}

func pictures(f PictureFilter) func(Given) (PictureFilter, error) {
	return func(Given) (PictureFilter, error) { return f, nil }
}

func haarBaseline(name, doc, weight string, usual float64, c HaarConfig) Baseline {
	return Baseline{name, doc, weight, usual,
		lines(func(y []float64, w float64) ([]float64, error) { return HaarLine(y, w, c) }),
		pictures(func(y Planes, w float64) (Planes, error) { return Haar(y, w, c) })}
}

// Each removes noise from all signals of a set.
func (f LineFilter) Each(s signal.Set, weight float64) (signal.Set, error) {
	out, err := signal.NewSet(s.Count, s.Length)
	if err != nil {
		return signal.Set{}, err
	}
	errs := make([]error, s.Count)
	share(s.Count, func(from, to int) {
		for i := from; i < to && errs[from] == nil; i++ {
			x, err := f(s.Row(i), weight)
			copy(out.Row(i), x)
			errs[from] = err
		}
	})
	for i, err := range errs {
		if err != nil {
			return signal.Set{}, fmt.Errorf("signals from %d on: %w", i, err)
		}
	}
	return out, nil
}

// Patches is the filter for signals that are square pictures, row by row, as signal.ConstantPatch makes them.
func (f PictureFilter) Patches(side int) LineFilter {
	return func(y []float64, weight float64) ([]float64, error) {
		if side < 1 || len(y) != side*side {
			return nil, fmt.Errorf("a signal of %d samples is no patch of %dx%d", len(y), side, side)
		}
		p := Planes{Pix: make([]float32, len(y)), Channels: 1, Height: side, Width: side}
		for i, v := range y {
			p.Pix[i] = float32(v)
		}
		z, err := f(p, weight)
		if err != nil {
			return nil, err
		}
		x := make([]float64, len(y))
		for i, v := range z.Pix {
			x[i] = float64(v)
		}
		return x, nil
	}
}

// share has parts of n things done by all processors.
func share(n int, do func(from, to int)) {
	workers := max(1, min(runtime.GOMAXPROCS(0), n))
	var wait sync.WaitGroup
	for k := range workers {
		wait.Go(func() { do(k*n/workers, (k+1)*n/workers) })
	}
	wait.Wait()
}

// Tune finds the weight at which the filter's mean squared error on noisy signals is least.
func (f LineFilter) Tune(clean, noisy signal.Set, s Search) (Tuned, error) {
	return Tune(s, func(weight float64) (float64, error) {
		x, err := f.Each(noisy, weight)
		return signal.MSE(x, clean), err
	})
}

// Tune finds the weight at which the filter's mean squared error on noisy pictures, by samples of all of them, is least.
func (f PictureFilter) Tune(clean, noisy []Planes, s Search) (Tuned, error) {
	if len(clean) != len(noisy) {
		return Tuned{}, fmt.Errorf("tune a weight: %d clean pictures, %d noisy ones", len(clean), len(noisy))
	}
	return Tune(s, func(weight float64) (float64, error) {
		sum, n := 0.0, 0
		for i, y := range noisy {
			if len(clean[i].Pix) != len(y.Pix) {
				return 0, fmt.Errorf("picture %d: %d clean samples, %d noisy ones", i, len(clean[i].Pix), len(y.Pix))
			}
			x, err := f(y, weight)
			if err != nil {
				return 0, fmt.Errorf("picture %d: %w", i, err)
			}
			for j, v := range x.Pix {
				d := float64(v) - float64(clean[i].Pix[j])
				sum += d * d
			}
			n += len(y.Pix)
		}
		return sum / float64(n), nil
	})
}
