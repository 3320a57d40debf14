package cli

import (
	"fmt"
	"strings"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/study"
)

// bilevelSummary is the summary of results.json.
type bilevelSummary struct {
	executed
	Signals  []bilevelSignals           `json:"signals"`
	TestMSE  map[string]*study.Estimate `json:"test_mse"` // of the first kind of signals
	Timing   []*gradientTiming          `json:"timing,omitempty"`
	Criteria []studyCriterion           `json:"criteria,omitempty"`
	Failed   []failedCell               `json:"failed,omitempty"`
	Seconds  float64                    `json:"seconds"` // of all cells
}

// bilevelSignals are the methods on a kind of signals.
type bilevelSignals struct {
	Kind    string                     `json:"kind"`
	TestMSE map[string]*study.Estimate `json:"test_mse"`
	// Against is the test error of a baseline less that of the learned operator, paired over seeds.
	Against map[string]*study.Estimate `json:"minus_learned,omitempty"`
	// PSNR is of pictures, the mean over them; its error is over seeds. PSNRAgainst is that of a method less that of the learned operator,
	// paired over seeds and pictures.
	PSNR        map[string]*study.Estimate `json:"psnr,omitempty"`
	PSNRAgainst map[string]*study.Estimate `json:"psnr_minus_learned,omitempty"`
	// Likeness of the learned operators' rows to first differences, and that of their start.
	Likeness       *likenessMeans `json:"difference_likeness,omitempty"`
	LikenessBefore *likenessMeans `json:"difference_likeness_before,omitempty"`

	noisy, noisyPSNR *study.Estimate
	weights          map[string]*study.Estimate
	records          map[string][]studyRecord[bilevelResult]
}

// likenessMeans are means of differenceLikeness.
type likenessMeans struct {
	Cosine *study.Estimate `json:"cosine"`
	Energy *study.Estimate `json:"energy"`
}

func meanLikeness(records []studyRecord[bilevelResult], of func(*bilevelResult) *differenceLikeness) *likenessMeans {
	mean := func(number func(*differenceLikeness) *float64) *study.Estimate {
		return meanOf(records, func(r studyRecord[bilevelResult]) *float64 {
			if d := of(&r.Result); d != nil {
				return number(d)
			}
			return nil
		})
	}
	m := &likenessMeans{mean(func(d *differenceLikeness) *float64 { return &d.Cosine }), mean(func(d *differenceLikeness) *float64 { return &d.Energy })}
	if m.Cosine == nil {
		return nil
	}
	return m
}

func (s *bilevelStudy) gather(all []studyRecord[bilevelResult]) []bilevelSignals {
	var out []bilevelSignals
	for _, kind := range s.kinds {
		g := bilevelSignals{Kind: kind, TestMSE: map[string]*study.Estimate{}, Against: map[string]*study.Estimate{}, weights: map[string]*study.Estimate{}, records: map[string][]studyRecord[bilevelResult]{}}
		for _, r := range all {
			if r.Cell.Get("signals") == kind {
				g.records[r.Cell.Get("method")] = append(g.records[r.Cell.Get("method")], r)
			}
		}
		if len(g.records) == 0 {
			continue
		}
		seed := func(r studyRecord[bilevelResult]) string { return r.Cell.Get("seed") }
		mse := func(r studyRecord[bilevelResult]) *float64 { return &r.Result.TestMSE }
		learned := g.records[bilevelLearned]
		for name, records := range g.records {
			g.TestMSE[name] = meanOf(records, mse)
			g.weights[name] = meanOf(records, func(r studyRecord[bilevelResult]) *float64 { return r.Result.Weight })
			g.noisy = meanOf(records, func(r studyRecord[bilevelResult]) *float64 { return &r.Result.NoisyMSE })
			if name != bilevelLearned && learned != nil {
				g.Against[name] = pairedOf(records, learned, seed, mse)
			}
		}
		if kind == kindPictures {
			g.gatherPictures()
		}
		g.Likeness = meanLikeness(learned, func(r *bilevelResult) *differenceLikeness { return r.Likeness })
		g.LikenessBefore = meanLikeness(learned, func(r *bilevelResult) *differenceLikeness { return r.LikenessBefore })
		out = append(out, g)
	}
	return out
}

// best is the baseline of the least error.
func (g *bilevelSignals) best() (name string, mse *study.Estimate) {
	for b, e := range g.TestMSE {
		if b != bilevelLearned && e != nil && (mse == nil || e.Mean < mse.Mean) {
			name, mse = b, e
		}
	}
	return name, mse
}

// criteria are what is asked of learned operators.
func (g *bilevelSignals) criteria() []studyCriterion {
	learned := g.TestMSE[bilevelLearned]
	if learned == nil {
		return nil
	}
	switch name, best := g.best(); {
	case g.Kind == "piecewise" && best != nil:
		x := learned.Mean / best.Mean
		return []studyCriterion{{"error of learned on piecewise, as part of that of the best baseline, " + name, x, "0.9 at most", x <= 0.9}}
	case g.Kind == "dct-sparse" && g.TestMSE["dct"] != nil:
		x := learned.Mean / g.TestMSE["dct"].Mean
		return []studyCriterion{{"error of learned on dct-sparse, as part of that of dct", x, "1 at most", x <= 1}}
	case g.Kind == kindPictures:
		return g.pictureCriteria()
	}
	return nil
}

// Finish makes the report.
func (s *bilevelStudy) Finish(done *studied) (*studyResult, error) {
	all, seconds, err := studyRecords[bilevelResult](done)
	if err != nil {
		return nil, err
	}
	sum := &bilevelSummary{executed: s.executed(), Signals: s.gather(all), Timing: timings(all), Failed: failedCells(done), Seconds: seconds}
	p := &studyPage{page: report.Study{Title: "Learned sparsity-promoting regularisers"}}
	p.page.Summary = []string{fmt.Sprintf("Errors are of signals and pictures that no method has seen, ± a standard error over %s. Weights are tuned, and operators learned, on others.", counted(len(s.seeds), "seed"))}
	p.page.Set = s.setPairs()
	for i := range sum.Signals {
		g := &sum.Signals[i]
		if i == 0 {
			sum.TestMSE = g.TestMSE
		}
		sum.Criteria = append(sum.Criteria, g.criteria()...)
		figures, tables, text := s.drawn(g), []report.Table{s.table(g)}, []string(nil)
		if g.Kind == kindPictures {
			tables, text = s.pictureTables(g), s.pictureText()
		}
		if g.Likeness != nil {
			text = append(text, likenessText(g))
		}
		if err := p.section(g.Kind, text, tables, figures...); err != nil {
			return nil, err
		}
		if learned := g.records[bilevelLearned]; len(learned) > 0 {
			p.page.Sections[len(p.page.Sections)-1].Pictures = s.operatorPictures(learned[0])
		}
		if len(p.figure.Panels) == 0 && len(figures) > 0 {
			p.figure = figures[0]
		}
	}
	if len(sum.Timing) > 0 {
		if err := p.section("Time of a gradient", []string{timingText}, []report.Table{timingTable(sum.Timing)}); err != nil {
			return nil, err
		}
	}
	return p.result(s.call, sum, sum.Criteria, sum.Failed, len(all))
}

func likenessText(g *bilevelSignals) string {
	return fmt.Sprintf("Rows as first differences of neighbours: the largest cosine of a row with one is %s on average, at the start %s; of the energy of all rows %s %% lies in one difference each, at the start %s %%.",
		significant(g.Likeness.Cosine), significant(g.LikenessBefore.Cosine), percentMean(g.Likeness.Energy), percentMean(g.LikenessBefore.Energy))
}

func (s *bilevelStudy) table(g *bilevelSignals) report.Table {
	t := report.Table{Head: []string{g.Kind, "test error", "minus learned", "seeds above", "weight"}}
	for _, name := range s.methods {
		e := g.TestMSE[name]
		if e == nil {
			continue
		}
		row := []string{name, significant(e), "", "", significant(g.weights[name])}
		if a := g.Against[name]; a != nil {
			row[2], row[3] = significant(a), fmt.Sprintf("%d of %d", a.Above, a.N)
		}
		t.Rows = append(t.Rows, row)
	}
	t.Rows = append(t.Rows, []string{"noisy", significant(g.noisy), "", "", ""})
	return t
}

// drawn are the errors over steps, and the largest rows of the first seed's W.
func (s *bilevelStudy) drawn(g *bilevelSignals) []chart.Figure {
	learned := g.records[bilevelLearned]
	if len(learned) == 0 || len(learned[0].Result.Curve) < 2 {
		return nil
	}
	curves := chart.Panel{XLabel: "step", YLabel: "error", Log: true}
	for _, r := range learned {
		series := chart.Series{Name: "seed " + r.Cell.Get("seed")}
		for _, at := range r.Result.Curve {
			series.X, series.Y = append(series.X, float64(at.Step)), append(series.Y, at.Loss)
		}
		curves.Series = append(curves.Series, series)
	}
	last := learned[0].Result.Curve[len(learned[0].Result.Curve)-1].Step
	if name, best := g.best(); best != nil && g.Kind != kindPictures { // whose errors are of pictures, not of patches
		curves.Series = append(curves.Series, chart.Series{Name: name, X: []float64{1, float64(last)}, Y: []float64{best.Mean, best.Mean}})
	}
	figures := []chart.Figure{{Title: "learning: " + g.Kind, Panels: []chart.Panel{curves}}}
	if len(learned[0].Result.Rows) == 0 {
		return figures
	}
	rows := chart.Panel{XLabel: "sample", YLabel: "row of W"}
	for i, row := range learned[0].Result.Rows {
		series := chart.Series{Name: fmt.Sprintf("row %d", i+1)}
		for j, x := range row {
			series.X, series.Y = append(series.X, float64(j)), append(series.Y, x)
		}
		rows.Series = append(rows.Series, series)
	}
	return append(figures, chart.Figure{Title: "rows of the largest norm: " + g.Kind, Panels: []chart.Panel{rows}})
}

// setPairs are the settings.
func (s *bilevelStudy) setPairs() []report.Pair {
	rows, n := s.form.Size()
	pairs := []report.Pair{
		{Name: "signals", Value: fmt.Sprintf("length %d, rate %g", n, s.Float("rate"))},
		{Name: "W", Value: fmt.Sprintf("%s, %d rows, from %s", s.Text("form"), rows, s.Text("start"))},
	}
	for _, kind := range s.kinds {
		l := s.settings(kind)
		pairs = append(pairs, report.Pair{Name: kind, Value: fmt.Sprintf("noise of deviation %.5g; %d to learn on, %d steps of %s at %g, batches of %d", l.sigma, l.train, l.steps, s.Text("rule"), l.lr, s.Int("batch"))})
	}
	return append(pairs, report.Pair{Name: "seeds", Value: strings.Trim(fmt.Sprint(s.seeds), "[]")})
}
