package cli

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"sync"
	"time"

	"graft/onnx"
	"graft/training/denoiser"
	"graft/training/signal"
)

const (
	kindPictures = "pictures"
	methodDnCNN  = "dncnn"
)

// bilevelPictures are the pictures of a study.
type bilevelPictures struct {
	train   []signal.Picture // whole: patches are drawn from them
	tune    []signal.Picture // the middle of each
	test    []signal.Picture // the middle of each
	trainID string
	testID  string
	side    int // of a patch

	network   *onnx.Model // DnCNN; nil: none
	networkID string

	filters map[string]func() (*tunedFilter, error) // by baseline, each made once
}

// splitEvery says which picture of --data is of the test where there is no folder for it.
const splitEvery = 4

func (s *bilevelStudy) readPictures() (err error) {
	p := &bilevelPictures{side: int(math.Round(math.Sqrt(float64(s.Int("length")))))}
	dir := s.Text("data")
	switch {
	case dir == "":
		return misuse("--signals %s needs --data DIR, a folder of clean pictures", kindPictures)
	case p.side*p.side != s.Int("length") || p.side < 2:
		return misuse("--length %d: patches of pictures are squares, as 64 is", s.Int("length"))
	}
	if p.train, err = signal.ReadFolder(dir); err != nil {
		return refused(dir, err)
	}
	if other := s.Text("test-data"); other != "" {
		if p.test, err = signal.ReadFolder(other); err != nil {
			return refused(other, err)
		}
	} else if p.train, p.test, err = splitPictures(p.train); err != nil {
		return refused(dir, err)
	}
	if err := signal.Apart(p.train, p.test); err != nil {
		return refused(dir, err)
	}
	for _, list := range [][]signal.Picture{p.train, p.test} {
		for _, one := range list {
			if _, err := signal.NewGrid(one.Height, one.Width, p.side, 1); err != nil {
				return refused(one.Name, err)
			}
		}
	}
	p.trainID, p.testID = picturesID(p.train), picturesID(p.test)
	p.tune = middleSquares(p.train, s.Int("tune-size"))
	p.test = middleSquares(p.test, s.Int("size"))
	if err := signal.Apart(p.tune, p.test); err != nil {
		return refused(dir, fmt.Errorf("in the middle %w", err))
	}
	if file := s.Text("dncnn"); file != "" {
		if p.network, p.networkID, err = readDnCNN(file); err != nil {
			return refused(file, err)
		}
	}
	p.filters = map[string]func() (*tunedFilter, error){}
	sigma := s.settings(kindPictures).sigma
	for _, b := range denoiser.Baselines {
		if b.Pictures != nil {
			p.filters[b.Name] = sync.OnceValues(func() (*tunedFilter, error) { return p.tuneBaseline(b, sigma) })
		}
	}
	s.pictures = p
	return nil
}

// splitPictures has every fourth picture tested on, of fewer the last.
func splitPictures(all []signal.Picture) (train, test []signal.Picture, err error) {
	if len(all) < 2 {
		return nil, nil, fmt.Errorf("%s is not enough to learn on and to test on others: name a folder for that, --test-data", counted(len(all), "picture"))
	}
	for i, p := range all {
		if (i+1)%splitEvery == 0 || i == len(all)-1 && len(test) == 0 {
			test = append(test, p)
		} else {
			train = append(train, p)
		}
	}
	return train, test, nil
}

// middleSquares are the middle squares of pictures, up to so many pixels a side.
func middleSquares(list []signal.Picture, most int) []signal.Picture {
	out := make([]signal.Picture, len(list))
	for i, p := range list {
		height, width := min(p.Height, most), min(p.Width, most)
		m := signal.Picture{Name: p.Name, Height: height, Width: width}
		for y := range height {
			at := (y+(p.Height-height)/2)*p.Width + (p.Width-width)/2
			m.Pix = append(m.Pix, p.Pix[at:at+width]...)
		}
		out[i] = m
	}
	return out
}

// picturesID is a hash of pictures.
func picturesID(list []signal.Picture) string {
	sum := sha256.New()
	for _, p := range list {
		b := binary.LittleEndian.AppendUint64(nil, uint64(p.Width))
		for _, v := range p.Pix {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6])
}

// planesOf is a picture as the baselines take it.
func planesOf(p signal.Picture) denoiser.Planes {
	out := denoiser.Planes{Pix: make([]float32, len(p.Pix)), Channels: 1, Height: p.Height, Width: p.Width}
	for i, v := range p.Pix {
		out.Pix[i] = float32(v)
	}
	return out
}

// withNoise is a picture with noise that depends on seed, stream and the picture's number.
func withNoise(list []signal.Picture, sigma float64, seed uint64, stream string) []signal.Picture {
	out := make([]signal.Picture, len(list))
	for i, p := range list {
		set := signal.Set{Count: 1, Length: len(p.Pix), Values: p.Pix}
		out[i] = p
		out[i].Pix = set.WithNoise(sigma, seed, fmt.Sprintf("%s %d", stream, i)).Values
	}
	return out
}

func allPlanes(list []signal.Picture) []denoiser.Planes {
	out := make([]denoiser.Planes, len(list))
	for i, p := range list {
		out[i] = planesOf(p)
	}
	return out
}

// tunedFilter is a baseline that has learned from the training pictures what it learns, and its best weight.
type tunedFilter struct {
	filter denoiser.PictureFilter
	best   denoiser.Tuned
}

// tuneWidth is the relative width of the interval in which a weight of pictures is left: the error is flat there.
const tuneWidth = 0.05

// tuneBaseline finds the weight for the middles of the training pictures. Their noise is of no seed of the study: the weight is the same in all.
func (p *bilevelPictures) tuneBaseline(b denoiser.Baseline, sigma float64) (*tunedFilter, error) {
	filter, err := b.Pictures(denoiser.Given{Sigma: sigma, Pictures: allPlanes(p.train)})
	if err != nil {
		return nil, err
	}
	best, err := filter.Tune(allPlanes(p.tune), allPlanes(withNoise(p.tune, sigma, 0, "tune")), denoiser.Search{Start: b.Usual * sigma, Tolerance: tuneWidth})
	if err != nil {
		return nil, err
	}
	return &tunedFilter{filter, best}, nil
}

// lookSide is the part of a picture that a baseline is timed on, looksOfTuning how often a weight is tried.
const (
	lookSide      = 48
	looksOfTuning = 10
)

// look is about how long a baseline takes for a cell.
func (p *bilevelPictures) look(method string, sigma float64) (float64, error) {
	if method == methodDnCNN {
		return 10, nil
	}
	b, err := denoiser.FindBaseline(method)
	if err != nil {
		return 0, err
	}
	filter, err := b.Pictures(denoiser.Given{Sigma: sigma})
	if err != nil {
		return 0, err
	}
	part := middleSquares(p.tune[:1], lookSide)
	begun := time.Now()
	if _, err := filter(planesOf(withNoise(part, sigma, 0, "tune")[0]), b.Usual*sigma); err != nil {
		return 0, err
	}
	return time.Since(begun).Seconds() * (looksOfTuning*samplesOf(p.tune) + samplesOf(p.test)) / samplesOf(part), nil
}

func samplesOf(list []signal.Picture) (n float64) {
	for _, p := range list {
		n += float64(len(p.Pix))
	}
	return n
}
