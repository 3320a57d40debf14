package cli

import (
	"context"
	"fmt"

	"graft/graphs/analysis"
	"graft/onnx"
	"graft/runtime"
	"graft/training/bilevel"
	"graft/training/denoiser"
	"graft/training/metric"
	"graft/training/signal"
	"graft/training/study"
)

// bilevelPicture is what a method made of a test picture.
type bilevelPicture struct {
	File      string   `json:"file"`
	PSNR      *float64 `json:"psnr"`
	NoisyPSNR *float64 `json:"noisy_psnr"`
}

// patches are pairs of patches of the training pictures, without the mean of the noisy one.
func (s *bilevelStudy) patches(c study.Cell) (bilevel.Pairs, error) {
	seed, err := seedOfCell(c)
	if err != nil {
		return bilevel.Pairs{}, err
	}
	l := s.settings(kindPictures)
	clean, err := signal.Sample(s.pictures.train, s.pictures.side, l.train, seed, "train")
	if err != nil {
		return bilevel.Pairs{}, err
	}
	noisy := clean.WithNoise(l.sigma, seed, "train")
	if err := signal.CentrePairs(clean, noisy); err != nil {
		return bilevel.Pairs{}, err
	}
	return bilevel.Pairs{Noisy: noisy.Values, Truth: clean.Values}, nil
}

// How far the exported models' solvers go: more changes the PSNR by less than a hundredth of a dB.
const (
	patchIterations  = 60
	filterIterations = 500
	filterTolerance  = 1e-4
)

// exported is what has been learned as a model: of patches, or, for filters, of the picture as a whole.
func (s *bilevelStudy) exported(t *bilevel.Trained, beta float64) (*onnx.Model, error) {
	if c, ok := t.Form.(bilevel.Convolution); ok {
		return analysis.Filters{Operator: analysis.Operator{Rows: c.Filters, Columns: c.Taps(), W: t.Parameters, Origin: "learned"}, Beta: beta,
			Solver: analysis.Solver{Tolerance: filterTolerance, Iterations: filterIterations}}.Build(0)
	}
	o := t.Operator
	return analysis.Patches{Operator: analysis.Operator{Rows: o.Rows(), Columns: o.Cols(), W: o.W(), Origin: "learned"}, Beta: beta, Mean: true,
		Solver: analysis.Solver{Iterations: patchIterations}}.Build(0)
}

// learnPictures trains W on patches, and denoises with the model that is exported from it.
func (s *bilevelStudy) learnPictures(ctx context.Context, c study.Cell, work string, folder *study.Folder) (*bilevelResult, error) {
	pairs, err := s.patches(c)
	if err != nil {
		return nil, err
	}
	out := &bilevelResult{}
	trained, err := s.train(ctx, c, pairs, out, work, folder)
	if err != nil {
		return nil, err
	}
	m, err := s.exported(trained, trained.Beta)
	if err != nil {
		return nil, err
	}
	session, err := runtime.OpenModel(m, s.session())
	if err != nil {
		return nil, err
	}
	defer session.Close()
	denoise := denoiser.PictureFilter(func(y denoiser.Planes, beta float64) (denoiser.Planes, error) {
		got, err := session.Run(ctx, map[string]*onnx.Tensor{analysis.InputImage: tensorOf(y), analysis.InputBeta: onnx.Scalar(float32(beta))})
		if err != nil {
			return y, err
		}
		y.Pix = got[analysis.OutputDenoised].Float32s()
		return y, nil
	})
	p := s.pictures
	best, err := denoise.Tune(allPlanes(p.tune), allPlanes(withNoise(p.tune, s.settings(kindPictures).sigma, 0, "tune")), denoiser.Search{Start: trained.Beta, Tolerance: tuneWidth})
	if err != nil {
		return nil, err
	}
	if err := s.test(c, out, &tunedFilter{denoise, best}); err != nil {
		return nil, err
	}
	if m, err = s.exported(trained, best.Weight); err != nil {
		return nil, err
	}
	data, err := m.Encode()
	if err != nil {
		return nil, err
	}
	if err := folder.WriteFile(keptFile(c, ".onnx"), data); err != nil {
		return nil, err
	}
	return out, s.keepOperator(c, trained.Operator, best.Weight, folder)
}

// session is where a cell's models run: without --threads, cells at once share the cores.
func (s *bilevelStudy) session() runtime.Options { return sharedSession(s.call) }

// tensorOf is a grey picture as models take it.
func tensorOf(y denoiser.Planes) *onnx.Tensor {
	return onnx.FromSlice(y.Pix, 1, 1, int64(y.Height), int64(y.Width))
}

// filterPictures denoises with a baseline.
func (s *bilevelStudy) filterPictures(ctx context.Context, c study.Cell) (*bilevelResult, error) {
	out := &bilevelResult{}
	if c.Get("method") == methodDnCNN {
		return out, s.runNetwork(ctx, c, out)
	}
	make := s.pictures.filters[c.Get("method")]
	if make == nil {
		return nil, fmt.Errorf("cell %s is not of this study", c)
	}
	f, err := make()
	if err != nil {
		return nil, err
	}
	return out, s.test(c, out, f)
}

// runNetwork denoises with the DnCNN, which has no weight.
func (s *bilevelStudy) runNetwork(ctx context.Context, c study.Cell, out *bilevelResult) error {
	m := s.pictures.network
	session, err := runtime.OpenModel(m, s.session())
	if err != nil {
		return err
	}
	defer session.Close()
	in, to := m.Graph.Inputs()[0].Name, m.Graph.Outputs()[0].Name
	return s.test(c, out, &tunedFilter{filter: func(y denoiser.Planes, _ float64) (denoiser.Planes, error) {
		got, err := session.Run(ctx, map[string]*onnx.Tensor{in: tensorOf(y)})
		if err != nil {
			return y, err
		}
		y.Pix = got[to].Float32s()
		return y, nil
	}})
}

// test denoises the test pictures.
func (s *bilevelStudy) test(c study.Cell, out *bilevelResult, f *tunedFilter) error {
	seed, err := seedOfCell(c)
	if err != nil {
		return err
	}
	if f.best.Looks > 0 {
		out.Weight, out.Edge, out.TrainMSE = &f.best.Weight, f.best.Edge, f.best.MSE
	}
	p := s.pictures
	square, noise, samples := 0.0, 0.0, 0.0
	var after, before float64
	for i, y := range withNoise(p.test, s.settings(kindPictures).sigma, seed, "test") {
		x, err := f.filter(planesOf(y), f.best.Weight)
		if err != nil {
			return fmt.Errorf("%s: %w", y.Name, err)
		}
		clean := planesOf(p.test[i])
		if len(x.Pix) != len(clean.Pix) {
			return fmt.Errorf("%s: %d samples became %d", y.Name, len(clean.Pix), len(x.Pix))
		}
		got, was := metric.PSNR(x.Pix, clean.Pix), metric.PSNR(planesOf(y).Pix, clean.Pix)
		out.Pictures = append(out.Pictures, bilevelPicture{y.Name, psnr(got), psnr(was)})
		after += got / float64(len(p.test))
		before += was / float64(len(p.test))
		for j, v := range clean.Pix {
			d, e := float64(x.Pix[j]-v), y.Pix[j]-float64(v)
			square += d * d
			noise += e * e
		}
		samples += float64(len(clean.Pix))
	}
	out.PSNR, out.NoisyPSNR = psnr(after), psnr(before)
	out.TestMSE, out.NoisyMSE = square/samples, noise/samples
	return nil
}
