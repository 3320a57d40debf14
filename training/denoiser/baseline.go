package denoiser

import (
	"fmt"
	"slices"

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
