package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	goruntime "runtime"
	"time"

	"graft/cli/report"
	"graft/training"
	"graft/training/chart"
	"graft/training/momentum"
	"graft/training/study"
)

// planeStudy runs descents on a loss of two weights.
type planeStudy struct {
	*call
	plane momentum.Plane
	betas []float64
	rates []float64
	steps int64 // 0: the publication's effective time
}

func planMomentumPlane(c *call) (experiment, error) {
	s := &planeStudy{call: c, steps: int64(c.Int("steps"))}
	var err error
	if s.plane, err = momentum.FindPlane(c.Text("problem")); err != nil {
		return nil, misuse("--problem: %v", err)
	}
	if s.betas, err = c.betas(0, 0.5, 0.8, 0.9); err != nil {
		return nil, err
	}
	s.rates, err = c.fractions("rates", above(0, 1), s.plane.Rate)
	return s, err
}

// stepsAt are the steps at an effective step: as much effective time as in the publication.
func (s *planeStudy) stepsAt(rate float64) int64 {
	n := s.steps
	if n == 0 {
		n = int64(math.Round(float64(s.plane.Steps) * s.plane.Rate / rate))
		if s.Bool("quick") {
			n = max(1, n/20)
		}
	}
	return n
}

// Cells are the betas at each effective step.
func (s *planeStudy) Cells() []study.Cell {
	var cells []study.Cell
	for _, rate := range s.rates {
		for _, beta := range s.betas {
			cells = append(cells, study.Cell{{Name: "problem", Value: s.plane.Name}, {Name: "beta", Value: beta}, {Name: "h_eff", Value: rate}, {Name: "steps", Value: s.stepsAt(rate)}})
		}
	}
	return cells
}

// planeResult is what a cell comes to.
type planeResult struct {
	W         [2]float64 `json:"w"`
	Norm2     float64    `json:"norm2"`
	Loss      float64    `json:"loss"`
	Gradient2 float64    `json:"gradient_norm2"`
	// The explicit regulariser in momentum's place; absent for beta 0, and where it diverges.
	Penalty       *float64    `json:"explicit_penalty,omitempty"`
	ExplicitW     *[2]float64 `json:"explicit_w,omitempty"`
	ExplicitNorm2 *float64    `json:"explicit_norm2,omitempty"`
	ExplicitGap   *float64    `json:"explicit_gap,omitempty"` // of the norms
	ExplicitFault string      `json:"explicit_fault,omitempty"`
	// |w|² where the flows are then.
	PlainNorm2     *float64    `json:"gradient_flow_norm2,omitempty"`
	ModifiedNorm2  *float64    `json:"modified_flow_norm2,omitempty"`
	PiecewiseNorm2 *float64    `json:"piecewise_flow_norm2,omitempty"`
	Paths          []planePath `json:"paths,omitempty"`
}

// planePath is a trajectory at some steps.
type planePath struct {
	Name string    `json:"name"`
	Step []int64   `json:"step"`
	W1   []float64 `json:"w1"`
	W2   []float64 `json:"w2"`
}

func (p *planePath) add(step int64, w [2]float64) {
	p.Step, p.W1, p.W2 = append(p.Step, step), append(p.W1, w[0]), append(p.W2, w[1])
}

// planeSamples is how many points of a trajectory are kept about.
const planeSamples = 160

// sampled are the steps at which trajectories are kept: close at first.
func sampled(steps int64) []int64 {
	list := []int64{0}
	for i := range planeSamples {
		n := int64(math.Round(math.Pow(float64(steps), float64(i)/(planeSamples-1))))
		if n > list[len(list)-1] {
			list = append(list, n)
		}
	}
	return list
}

func norm2(w [2]float64) float64 { return w[0]*w[0] + w[1]*w[1] }

// Run does a cell.
func (s *planeStudy) Run(ctx context.Context, c study.Cell, _ string, _ *study.Folder) (any, error) {
	h := momentum.Heavy{Rate: c.Float("h_eff"), Beta: c.Float("beta")}
	steps := s.stepsAt(h.Rate)
	field, err := momentum.NewField(s.plane, s.runtimeOptions())
	if err != nil {
		return nil, err
	}
	defer field.Close()
	r := &planeResult{}
	if r.W, err = s.walk(ctx, r, "momentum", h, steps); err != nil {
		return nil, err
	}
	at, err := field.At(ctx, r.W)
	if err != nil {
		return nil, err
	}
	r.Norm2, r.Loss, r.Gradient2 = norm2(r.W), at.Loss, norm2(at.Gradient)
	if err := s.explicit(ctx, r, h, steps); err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		flow *momentum.Flow
		to   **float64
	}{
		{"gradient flow", momentum.NewFlow(ctx, field, h, h.Plain(), s.plane.Start), &r.PlainNorm2},
		{"modified flow", momentum.NewFlow(ctx, field, h, h.Stationary(), s.plane.Start), &r.ModifiedNorm2},
		{"piecewise flow", momentum.NewPiecewise(ctx, field, h, s.plane.Start), &r.PiecewiseNorm2},
		// |∇E|² alone, as fast as the loss: where regularisation without the loss leads.
		{"regulariser flow", momentum.NewFlow(ctx, field, h, momentum.Coefficients{C: h.Plain().S}, s.plane.Start), nil},
	} {
		path := planePath{Name: f.name}
		for _, n := range sampled(steps) {
			if err := f.flow.Until(n); err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			path.add(n, f.flow.At())
		}
		r.Paths = append(r.Paths, path)
		if f.to != nil {
			end := norm2(f.flow.At())
			*f.to = &end
		}
	}
	return r, nil
}

// walk descends, and keeps the trajectory.
func (s *planeStudy) walk(ctx context.Context, r *planeResult, name string, h momentum.Heavy, steps int64) ([2]float64, error) {
	w, err := momentum.NewWalk(s.plane, []momentum.Heavy{h}, s.plane.Start, nil, s.runtimeOptions())
	if err != nil {
		return [2]float64{}, err
	}
	defer w.Close()
	path := planePath{Name: name}
	for _, n := range sampled(steps) {
		if err := w.Go(ctx, n-w.Taken()); err != nil {
			return [2]float64{}, err
		}
		path.add(n, w.At(0))
	}
	r.Paths = append(r.Paths, path)
	return w.At(0), nil
}

// explicit runs gradient descent with the regulariser in momentum's place. That it diverges is a result.
func (s *planeStudy) explicit(ctx context.Context, r *planeResult, h momentum.Heavy, steps int64) error {
	if h.Beta == 0 {
		return nil
	}
	e := h.Explicit()
	r.Penalty = &e.Penalty
	w, err := s.walk(ctx, r, "explicit regulariser", e, steps)
	if errors.Is(err, training.ErrDiverged) {
		r.ExplicitFault = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	end := norm2(w)
	gap := math.Abs(end - r.Norm2)
	r.ExplicitW, r.ExplicitNorm2, r.ExplicitGap = &w, &end, &gap
	return nil
}

// Cost times a short descent.
func (s *planeStudy) Cost(ctx context.Context, todo []study.Cell) (studyCost, error) {
	cost, seconds := studyCost{}, map[string]float64{}
	const measured = 300
	each := 0.0
	if len(todo) > 0 {
		begun := time.Now()
		w, err := momentum.NewWalk(s.plane, []momentum.Heavy{{Rate: 1e-4, Penalty: 1e-9}}, s.plane.Start, nil, s.runtimeOptions())
		if err != nil {
			return cost, err
		}
		defer w.Close()
		opened := time.Since(begun).Seconds()
		begun = time.Now()
		if err := w.Go(ctx, measured); err != nil {
			return cost, err
		}
		each = time.Since(begun).Seconds() / measured
		cost.Seconds = 3 * opened * float64(len(todo))
	}
	for _, c := range todo {
		n := s.stepsAt(c.Float("h_eff"))
		cost.Steps += 2 * n
		seconds[c.Key()] = 2 * each * float64(n)
		cost.Seconds += seconds[c.Key()]
	}
	cost.Seconds = math.Ceil(cost.Seconds / float64(max(1, min(s.Int("jobs"), goruntime.NumCPU()))))
	cost.Of = func(c study.Cell) float64 { return seconds[c.Key()] }
	return cost, nil
}

// Line is a finished cell.
func (s *planeStudy) Line(r *study.Record) string {
	all, err := resultOf[planeResult](r)
	if err != nil {
		return r.Cell.String()
	}
	return fmt.Sprintf("beta %s at %s: w (%.4f, %.4f), |w|^2 %.4f (%.1f s)", r.Cell.Get("beta"), r.Cell.Get("h_eff"), all.W[0], all.W[1], all.Norm2, r.Seconds)
}

// publishedNorm2 is |w|² where each beta ends on the linear problem, as published.
var publishedNorm2 = map[float64]float64{0: 3.790, 0.5: 3.583, 0.8: 3.012, 0.9: 2.119}

// criteria are what the publication, and the theory behind it, say of the linear problem.
func (s *planeStudy) criteria(all []studyRecord[planeResult]) []studyCriterion {
	if s.plane.Name != momentum.Planes[0].Name {
		return nil
	}
	var out []studyCriterion
	for _, r := range all {
		beta, rate := r.Cell.Float("beta"), r.Cell.Float("h_eff")
		if float64(r.Cell.Float("steps"))*rate < float64(s.plane.Steps)*s.plane.Rate {
			continue // not at rest
		}
		if want, ok := publishedNorm2[beta]; ok && rate == s.plane.Rate {
			out = append(out, studyCriterion{fmt.Sprintf("|w|^2 at the end, beta %g", beta), r.Result.Norm2, fmt.Sprintf("%.3f within 0.002", want), math.Abs(r.Result.Norm2-want) <= 0.002})
		}
		most := 0.0
		switch {
		case beta == 0.5 && rate <= 1e-2, beta == 0.9 && rate <= 2.5e-4:
			most = 0.002
		case beta == 0.9 && rate <= 1e-3:
			most = 0.02
		}
		if gap := r.Result.ExplicitGap; most > 0 && gap != nil {
			out = append(out, studyCriterion{fmt.Sprintf("|w|^2 of the explicit regulariser, beta %g at %g, apart by", beta, rate), *gap, fmt.Sprintf("%g at most", most), *gap <= most})
		}
	}
	return out
}

// Finish makes the report.
func (s *planeStudy) Finish(done *studied) (*studyResult, error) {
	sum, all, err := readMomentum[planeResult](s.call, done)
	if err != nil {
		return nil, err
	}
	sum.Criteria = s.criteria(all)
	p := &studyPage{page: report.Study{Title: "Heavy-ball momentum on " + s.plane.Name}}
	p.page.Set = []report.Pair{{Name: "problem", Value: s.plane.Name}, {Name: "start", Value: fmt.Sprintf("(%g, %g)", s.plane.Start[0], s.plane.Start[1])},
		{Name: "x, y", Value: fmt.Sprintf("%g, %g", s.plane.X, s.plane.Y)}}
	t := report.Table{Head: []string{"beta", "effective step", "steps", "w1", "w2", "|w|^2", "explicit |w|^2", "gap", "modified flow", "piecewise flow", "gradient flow"}}
	for _, r := range all {
		x := r.Result
		t.Rows = append(t.Rows, []string{r.Cell.Get("beta"), r.Cell.Get("h_eff"), r.Cell.Get("steps"), fmt.Sprintf("%.4f", x.W[0]), fmt.Sprintf("%.4f", x.W[1]), fmt.Sprintf("%.4f", x.Norm2),
			placed(x.ExplicitNorm2, 4), placed(x.ExplicitGap, 5), placed(x.ModifiedNorm2, 4), placed(x.PiecewiseNorm2, 4), placed(x.PlainNorm2, 4)})
	}
	text := []string{"All at one effective step h/(1-beta). Explicit is gradient descent at that step with what momentum adds to its modified loss as a term of the loss. The last three are |w|^2 of the flows at the same time."}
	if err := p.section("Ends", text, []report.Table{t}, s.ends(all)...); err != nil {
		return nil, err
	}
	p.figure.Title = "Heavy-ball momentum on " + s.plane.Name
	for _, r := range all {
		if len(p.figure.Panels) < 8 {
			panel := trajectories(r.Result.Paths)
			panel.YLabel = fmt.Sprintf("w2, beta %s", r.Cell.Get("beta"))
			p.figure.Panels = append(p.figure.Panels, panel)
		}
		figure := chart.Figure{Title: fmt.Sprintf("beta %s at %s: trajectories", r.Cell.Get("beta"), r.Cell.Get("h_eff")), Panels: []chart.Panel{trajectories(r.Result.Paths), norms(r.Result.Paths)}}
		if err := p.section(fmt.Sprintf("Trajectories, beta %s at %s", r.Cell.Get("beta"), r.Cell.Get("h_eff")), nil, nil, figure); err != nil {
			return nil, err
		}
	}
	return p.result(s.call, sum, sum.Criteria, sum.Failed, len(all))
}

// placed is a number that may be absent.
func placed(x *float64, places int) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf("%.*f", places, *x)
}

// trajectories are those in the plane of the weights.
func trajectories(paths []planePath) chart.Panel {
	p := chart.Panel{XLabel: "w1", YLabel: "w2"}
	for _, path := range paths {
		p.Series = append(p.Series, chart.Series{Name: path.Name, X: path.W1, Y: path.W2})
	}
	return p
}

// norms are |w|² over the steps.
func norms(paths []planePath) chart.Panel {
	p := chart.Panel{XLabel: "step", YLabel: "|w|^2", LogX: true}
	for _, path := range paths {
		series := chart.Series{Name: path.Name}
		for i, n := range path.Step {
			series.X, series.Y = append(series.X, float64(n)), append(series.Y, norm2([2]float64{path.W1[i], path.W2[i]}))
		}
		p.Series = append(p.Series, series)
	}
	return p
}

// ends is |w|² over beta, where there are several.
func (s *planeStudy) ends(all []studyRecord[planeResult]) []chart.Figure {
	if len(s.betas) < 2 {
		return nil
	}
	panel := chart.Panel{XLabel: "beta", YLabel: "|w|^2 at the end"}
	for _, rate := range s.rates {
		momentum, explicit := chart.Series{Name: fmt.Sprintf("momentum at %g", rate)}, chart.Series{Name: fmt.Sprintf("explicit at %g", rate)}
		for _, r := range all {
			if r.Cell.Float("h_eff") != rate {
				continue
			}
			beta := r.Cell.Float("beta")
			momentum.X, momentum.Y = append(momentum.X, beta), append(momentum.Y, r.Result.Norm2)
			if r.Result.ExplicitNorm2 != nil {
				explicit.X, explicit.Y = append(explicit.X, beta), append(explicit.Y, *r.Result.ExplicitNorm2)
			}
		}
		panel.Series = append(panel.Series, momentum, explicit)
	}
	return []chart.Figure{{Title: "where each beta ends", Panels: []chart.Panel{panel}}}
}
