package cli

import (
	"math"
	"time"

	"graft/graphs"
	"graft/graphs/analysis"
	"graft/onnx"
	"graft/runtime"
	"graft/training/bilevel"
	"graft/training/denoiser"
	"graft/training/signal"
)

// operatorLearned is summary.json. Errors are mean squared ones. What was not measured is absent.
type operatorLearned struct {
	executed
	Data      string  `json:"data"`
	Form      string  `json:"form"`
	Samples   int     `json:"samples"`
	Rows      int     `json:"rows"`
	Length    int     `json:"length"`
	Filters   int     `json:"filters,omitempty"`
	Filter    int     `json:"filter,omitempty"`
	Sigma     float64 `json:"sigma"`
	Batch     int     `json:"batch"`
	Steps     int     `json:"steps"`
	LossFirst float64 `json:"loss_first"`
	LossLast  float64 `json:"loss_last"` // mean of the last steps
	BetaFirst float64 `json:"beta_trained"`
	Beta      float64 `json:"beta"`
	// What beta was tuned on: the signals that W was learned from, or parts of the pictures.
	NoisyMSE float64 `json:"noisy_mse"`
	MSE      float64 `json:"mse"`
	Edge     bool    `json:"beta_at_the_end,omitempty"` // the search ended at an end of where it looks
	// Iterations is how many a denoiser of pictures has, and IterationsOff what its PSNR there is less the solution's.
	Iterations    int64   `json:"iterations,omitempty"`
	IterationsOff float64 `json:"iterations_psnr_off,omitempty"`

	TestNoisyMSE  *float64        `json:"test_noisy_mse,omitempty"`
	TestMSE       *float64        `json:"test_mse,omitempty"`
	TestNoisyPSNR *float64        `json:"test_noisy_psnr,omitempty"` // mean of the pictures
	TestPSNR      *float64        `json:"test_psnr,omitempty"`
	Pictures      []judgedPicture `json:"pictures,omitempty"`
	// Solved is how far denoiser.onnx, whose iterations are counted, is from the solution.
	Solved  solvedExactly `json:"against_solver"`
	Seconds float64       `json:"seconds"`
}

type judgedPicture struct {
	Name      string   `json:"name"`
	NoisyPSNR *float64 `json:"noisy_psnr,omitempty"`
	PSNR      *float64 `json:"psnr,omitempty"`
}

type solvedExactly struct {
	MaxAbsDiff float64 `json:"max_abs_diff"`
	ModelMSE   float64 `json:"model_mse"`
	SolverMSE  float64 `json:"solver_mse"`
}

// network is the denoiser of the learned operator.
func (r *operatorRun) network(beta float64) graphs.Network {
	o := r.analysisOperator()
	_, filters := r.form.(bilevel.Convolution)
	switch {
	case r.data.side == 0:
		return analysis.Signals{Operator: o, Beta: beta}
	case filters:
		return analysis.Filters{Operator: o, Beta: beta, Solver: analysis.Solver{Iterations: r.iterations}}
	}
	return analysis.Patches{Operator: o, Beta: beta, Mean: r.data.centred, Solver: analysis.Solver{Iterations: r.iterations}}
}

// analysisOperator is W as a denoiser has it: the filters of pictures, else the matrix.
func (r *operatorRun) analysisOperator() analysis.Operator {
	o := analysis.Operator{Rows: r.trained.Operator.Rows(), Columns: r.trained.Operator.Cols(), W: r.trained.Operator.W(), Origin: "learned"}
	if f, is := r.form.(bilevel.Convolution); is && r.data.side > 0 {
		o.Rows, o.Columns, o.W = f.Filters, f.Taps(), r.trained.Parameters
	}
	return o
}

// judge tunes beta, and measures.
func (r *operatorRun) judge() (*operatorLearned, error) {
	t := r.trained
	doc := &operatorLearned{Data: r.data.from, Form: r.Text("form"), Samples: r.data.train.Count, Rows: t.Operator.Rows(), Length: t.Operator.Cols(), Sigma: r.sigma,
		Batch: min(r.Int("batch"), r.data.train.Count), Steps: t.Steps, LossLast: t.Mean, BetaFirst: t.Beta}
	if f, is := r.form.(bilevel.Convolution); is {
		doc.Filters, doc.Filter = f.Filters, f.Width
	}
	if len(r.history) > 0 {
		doc.LossFirst = r.history[0].loss
	}
	m, err := r.openModel(r.network(t.Beta))
	if err != nil {
		return nil, err
	}
	defer func() { m.s.Close() }()
	if err := r.tune(m, doc); err != nil {
		return nil, err
	}
	if r.data.side > 0 {
		if err := r.enoughIterations(doc); err != nil {
			return nil, err
		}
		m.s.Close()
		if m, err = r.openModel(r.network(doc.Beta)); err != nil {
			return nil, err
		}
	}
	if err := r.test(m, doc); err != nil {
		return nil, err
	}
	if err := r.solved(m, doc); err != nil {
		return nil, err
	}
	doc.executed = r.executed()
	doc.Seconds = math.Round(time.Since(r.started).Seconds()*100) / 100
	return doc, nil
}

// operatorModel runs denoiser.onnx.
type operatorModel struct {
	r     *operatorRun
	s     *runtime.Session
	input string
}

func (r *operatorRun) openModel(n graphs.Network) (*operatorModel, error) {
	m, err := n.Build(0)
	if err != nil {
		return nil, refused(denoiserFile, err)
	}
	s, err := r.openSession(m, denoiserFile)
	if err != nil {
		return nil, err
	}
	return &operatorModel{r, s, m.Graph.Inputs()[0].Name}, nil
}

func (m *operatorModel) denoise(x *onnx.Tensor, beta float64) ([]float32, error) {
	out, err := m.s.Run(m.r.Context(), map[string]*onnx.Tensor{m.input: x, analysis.InputBeta: onnx.Scalar(float32(beta))})
	if err != nil {
		return nil, runtimeError(err, denoiserFile)
	}
	return out[analysis.OutputDenoised].Float32s(), nil
}

// tune finds beta on what W was learned from: signals by their solutions, pictures, whose patches are averaged, by the model.
func (r *operatorRun) tune(m *operatorModel, doc *operatorLearned) error {
	r.Progress().Stage("tune beta", 0)
	looks, duals := 0, map[int][]float64{}
	errorAt := func(beta float64) (float64, error) {
		looks++
		r.Progress().Step(looks, "")
		if err := r.Context().Err(); err != nil {
			return 0, err
		}
		x, err := r.solve(r.trained.Operator, r.data.noisy, beta, searched, duals)
		return signal.MSE(x, r.data.train), err
	}
	doc.NoisyMSE = signal.MSE(r.data.noisy, r.data.train)
	if r.data.side > 0 {
		var err error
		if doc.NoisyMSE, err = meanError(r.data.tune, func(p *noisyPicture) ([]float32, error) { return p.tensor().Float32s(), nil }); err != nil {
			return err
		}
		errorAt = func(beta float64) (float64, error) {
			looks++
			r.Progress().Step(looks, "")
			return meanError(r.data.tune, func(p *noisyPicture) ([]float32, error) { return m.denoise(p.tensor(), beta) })
		}
	}
	best, err := denoiser.Tune(denoiser.Search{Start: r.trained.Beta}, errorAt)
	if err != nil {
		return err
	}
	doc.Beta, doc.MSE, doc.Edge = best.Weight, best.MSE, best.Edge
	return nil
}

// meanError is the mean squared error of all pixels.
func meanError(list []noisyPicture, denoise func(*noisyPicture) ([]float32, error)) (float64, error) {
	sum, n := 0.0, 0
	for i := range list {
		x, err := denoise(&list[i])
		if err != nil {
			return 0, err
		}
		sum, n = sum+list[i].error(x)*float64(len(x)), n+len(x)
	}
	return sum / float64(n), nil
}

// solveBatch is how many signals are solved at a time.
const solveBatch = 256

// searched is how exactly signals are solved while beta is looked for: |x - x*|^2 is 1e-7 |y|^2 at most.
var searched = bilevel.Config{Plain: true, Tolerance: 1e-7}

// solve gives the solutions of all signals. duals, which may be nil, are those of a beta near this one, to begin with, and become those of
// this one.
func (r *operatorRun) solve(o *bilevel.Operator, noisy signal.Set, beta float64, c bilevel.Config, duals map[int][]float64) (signal.Set, error) {
	x := signal.Set{Count: noisy.Count, Length: noisy.Length}
	for from := 0; from < noisy.Count; from += solveBatch {
		s, err := bilevel.Solve(o, beta, noisy.Part(from, min(noisy.Count, from+solveBatch)).Values, c, duals[from])
		if err != nil {
			return x, err
		}
		if duals != nil {
			duals[from] = s.Dual
		}
		x.Values = append(x.Values, s.X...)
	}
	return x, nil
}

func (r *operatorRun) solvedError(noisy, clean signal.Set, beta float64) (float64, error) {
	x, err := r.solve(r.trained.Operator, noisy, beta, bilevel.Config{}, nil)
	return signal.MSE(x, clean), err
}

// test judges by what W and beta have not seen.
func (r *operatorRun) test(m *operatorModel, doc *operatorLearned) error {
	if t := r.data.testSignals; t.clean.Count > 0 {
		noisy := signal.MSE(t.noisy, t.clean)
		mse, err := r.solvedError(t.noisy, t.clean, doc.Beta)
		doc.TestNoisyMSE, doc.TestMSE = &noisy, &mse
		return err
	}
	if len(r.data.test) == 0 {
		return nil
	}
	r.Progress().Stage("judge", len(r.data.test))
	before, after := 0.0, 0.0
	for i := range r.data.test {
		p := &r.data.test[i]
		y := p.tensor()
		x, err := m.denoise(y, doc.Beta)
		if err != nil {
			return err
		}
		a, b := decibels(p.error(y.Float32s())), decibels(p.error(x))
		before, after = before+a/float64(len(r.data.test)), after+b/float64(len(r.data.test))
		doc.Pictures = append(doc.Pictures, judgedPicture{p.clean.Name, psnr(a), psnr(b)})
		r.Progress().Step(i+1, "")
	}
	doc.TestNoisyPSNR, doc.TestPSNR = psnr(before), psnr(after)
	return nil
}

// What the model is held against: so many signals, and parts of a picture of so many pixels a side.
const (
	solvedSignals = 100
	solvedPixels  = 40
	solvedFilters = 16 // of pixels that are solved for as a whole
)

// solved holds the model against the solver.
func (r *operatorRun) solved(m *operatorModel, doc *operatorLearned) error {
	var y *onnx.Tensor
	var exact, clean []float64
	if r.data.side == 0 {
		n := min(solvedSignals, r.data.noisy.Count)
		noisy := r.data.noisy.Part(0, n)
		x, err := r.solve(r.trained.Operator, noisy, doc.Beta, bilevel.Config{}, nil)
		if err != nil {
			return err
		}
		y, exact, clean = onnx.NewTensor(onnx.Float, int64(n), int64(noisy.Length)), x.Values, r.data.train.Part(0, n).Values
		for i, v := range noisy.Values {
			y.Float32s()[i] = float32(v)
		}
	} else {
		side := solvedPixels
		if _, is := r.form.(bilevel.Convolution); is {
			side = solvedFilters
		}
		p := r.data.tune[0].part(max(side, r.data.side))
		y, clean = p.tensor(), p.clean.Pix
		var err error
		if exact, err = r.solvedPicture(p, doc.Beta); err != nil {
			return err
		}
	}
	x, err := m.denoise(y, doc.Beta)
	if err != nil {
		return err
	}
	for i, v := range x {
		doc.Solved.MaxAbsDiff = max(doc.Solved.MaxAbsDiff, math.Abs(float64(v)-exact[i]))
		a, b := float64(v)-clean[i], exact[i]-clean[i]
		doc.Solved.ModelMSE += a * a / float64(len(x))
		doc.Solved.SolverMSE += b * b / float64(len(x))
	}
	return nil
}

// part is a corner of a picture, of so many pixels a side or as many as it has.
func (p *noisyPicture) part(side int) *noisyPicture {
	out := &noisyPicture{}
	for _, one := range []struct {
		from *signal.Picture
		to   *signal.Picture
	}{{&p.clean, &out.clean}, {&p.noisy, &out.noisy}} {
		*one.to = signal.Picture{Name: one.from.Name, Height: min(side, one.from.Height), Width: min(side, one.from.Width)}
		for y := range one.to.Height {
			one.to.Pix = append(one.to.Pix, one.from.Pix[y*one.from.Width:y*one.from.Width+one.to.Width]...)
		}
	}
	return out
}

// solvedPicture is what the solver makes of a picture: of every patch, averaged, or with filters of the whole.
func (r *operatorRun) solvedPicture(p *noisyPicture, beta float64) ([]float64, error) {
	h, w := p.noisy.Height, p.noisy.Width
	if f, is := r.form.(bilevel.Convolution); is {
		f, err := f.At(h, w)
		if err != nil {
			return nil, err
		}
		rows, columns := f.Size()
		o, err := bilevel.NewOperator(rows, columns, f.Operator(r.trained.Parameters))
		if err != nil {
			return nil, err
		}
		// Rows of filters depend on each other, of which the exact solution takes long: this is as near as float32 can tell.
		nearly := bilevel.Config{Plain: true, Tolerance: 1e-9}
		x, err := r.solve(o, signal.Set{Count: 1, Length: columns, Values: p.noisy.Pix}, beta, nearly, nil)
		return x.Values, err
	}
	g, err := signal.NewGrid(h, w, r.data.side, 1)
	if err != nil {
		return nil, err
	}
	patches, means, err := g.Cut(p.noisy.Pix, r.data.centred)
	if err != nil {
		return nil, err
	}
	x, err := r.solve(r.trained.Operator, patches, beta, bilevel.Config{}, nil)
	if err != nil {
		return nil, err
	}
	return g.Paste(x, means)
}
