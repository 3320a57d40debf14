package cli

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/study"
)

// momentumGroup is an arm at an effective step, over seeds.
type momentumGroup struct {
	Name     string   `json:"name"`
	Method   string   `json:"method"`
	Beta     float64  `json:"beta"`
	Strength *float64 `json:"strength,omitempty"`
	Rate     float64  `json:"h_eff"`
	Cells    int      `json:"cells"`

	Sharpness     *study.Estimate `json:"sharpness"`
	Trace         *study.Estimate `json:"trace"`
	Frobenius     *study.Estimate `json:"frobenius"`
	Gradient2     *study.Estimate `json:"gradient_norm2"`
	TrainLoss     *study.Estimate `json:"train_loss"`
	TrainAccuracy *study.Estimate `json:"train_accuracy"`
	TestLoss      *study.Estimate `json:"test_loss,omitempty"`
	TestAccuracy  *study.Estimate `json:"test_accuracy,omitempty"`
	// Against is this arm minus plain gradient descent at the same effective step, paired over seeds.
	Against *momentumAgainst `json:"minus_beta_0,omitempty"`

	records []studyRecord[classifierResult]
}

// momentumAgainst are paired differences.
type momentumAgainst struct {
	LogSharpness *study.Estimate `json:"log_sharpness"` // the natural logarithm of the quotient
	LogGradient2 *study.Estimate `json:"log_gradient_norm2"`
	TestAccuracy *study.Estimate `json:"test_accuracy,omitempty"`
	TestLoss     *study.Estimate `json:"test_loss,omitempty"`
}

// momentumGroups gathers the cells in their order.
func momentumGroups(all []studyRecord[classifierResult]) []momentumGroup {
	var groups []momentumGroup
	for _, r := range all {
		name := armName(r.Cell)
		i := slices.IndexFunc(groups, func(g momentumGroup) bool { return g.Name == name })
		if i < 0 {
			g := momentumGroup{Name: name, Method: r.Cell.Get("method"), Beta: r.Cell.Float("beta"), Rate: r.Cell.Float("h_eff")}
			if r.Cell.Get("strength") != "" {
				x := r.Cell.Float("strength")
				g.Strength = &x
			}
			groups, i = append(groups, g), len(groups)
		}
		groups[i].records = append(groups[i].records, r)
	}
	for i := range groups {
		groups[i].gather()
	}
	for i := range groups {
		base := slices.IndexFunc(groups, func(b momentumGroup) bool {
			return b.Method == "heavy-ball" && b.Beta == 0 && b.Rate == groups[i].Rate
		})
		if base >= 0 && base != i {
			groups[i].against(&groups[base])
		}
	}
	return groups
}

func (g *momentumGroup) gather() {
	mean := func(of func(classifierResult) *float64) *study.Estimate {
		return meanOf(g.records, func(r studyRecord[classifierResult]) *float64 { return of(r.Result) })
	}
	g.Cells = len(g.records)
	g.Sharpness = mean(func(r classifierResult) *float64 { return &r.Sharpness })
	g.Trace = mean(func(r classifierResult) *float64 { return &r.Trace })
	g.Frobenius = mean(func(r classifierResult) *float64 { return &r.Frobenius })
	g.Gradient2 = mean(func(r classifierResult) *float64 { return &r.Gradient2 })
	g.TrainLoss = mean(func(r classifierResult) *float64 { return &r.TrainLoss })
	g.TrainAccuracy = mean(func(r classifierResult) *float64 { return &r.TrainAccuracy })
	g.TestLoss = mean(func(r classifierResult) *float64 { return r.TestLoss })
	g.TestAccuracy = mean(func(r classifierResult) *float64 { return r.TestAccuracy })
}

func (g *momentumGroup) against(base *momentumGroup) {
	seed := func(r studyRecord[classifierResult]) string { return r.Cell.Get("seed") }
	paired := func(of func(classifierResult) *float64) *study.Estimate {
		return pairedOf(g.records, base.records, seed, func(r studyRecord[classifierResult]) *float64 { return of(r.Result) })
	}
	logarithm := func(x float64) *float64 {
		x = math.Log(x)
		return &x
	}
	g.Against = &momentumAgainst{
		LogSharpness: paired(func(r classifierResult) *float64 { return logarithm(r.Sharpness) }),
		LogGradient2: paired(func(r classifierResult) *float64 { return logarithm(r.Gradient2) }),
		TestAccuracy: paired(func(r classifierResult) *float64 { return r.TestAccuracy }),
		TestLoss:     paired(func(r classifierResult) *float64 { return r.TestLoss }),
	}
}

// significant is a mean with its standard error, as many digits as the error is worth.
func significant(e *study.Estimate) string {
	switch {
	case e == nil:
		return ""
	case e.SE == nil || *e.SE == 0:
		return fmt.Sprintf("%.4g", e.Mean)
	}
	if places := 1 - int(math.Floor(math.Log10(*e.SE))); places >= 0 && math.Abs(e.Mean) >= 1e-3 {
		return fmt.Sprintf("%.*f ± %.*f", places, e.Mean, places, *e.SE)
	}
	return fmt.Sprintf("%.3g ± %.2g", e.Mean, *e.SE)
}

func percentMean(e *study.Estimate) string {
	if e == nil {
		return ""
	}
	p := *e
	p.Mean *= 100
	if e.SE != nil {
		se := 100 * *e.SE
		p.SE = &se
	}
	return pm(&p, 2)
}

// Finish makes the report.
func (s *momentumClassifier) Finish(done *studied) (*studyResult, error) {
	sum, all, err := readMomentum[classifierResult](s.call, done)
	if err != nil {
		return nil, err
	}
	sum.Groups = momentumGroups(all)
	p := &studyPage{page: report.Study{Title: fmt.Sprintf("Heavy-ball momentum on a classifier: %s", s.name)}}
	p.page.Summary = []string{fmt.Sprintf("%s of %s at equal effective steps h/(1-beta), from %s; ± is a standard error over seeds.", counted(len(sum.Groups), "arm"), s.name, counted(len(s.seeds), "seed")),
		"Nothing here says that momentum gives higher accuracy: see the differences with their errors."}
	p.page.Set = append(s.setPairs(), report.Pair{Name: "steps", Value: fmt.Sprint(s.steps)},
		report.Pair{Name: "schedule", Value: s.Text("schedule")}, report.Pair{Name: "seeds", Value: strings.Trim(fmt.Sprint(s.seeds), "[]")})
	measured := report.Table{Head: []string{"", "sharpness", "trace", "Frobenius norm", "|gradient|^2", "seeds"}}
	scored := report.Table{Head: []string{"", "train loss", "train accuracy, %", "test loss", "test accuracy, %", "seeds"}}
	against := report.Table{Head: []string{"minus beta 0", "log sharpness", "log |gradient|^2", "test loss", "test accuracy, %", "above zero"}}
	for _, g := range sum.Groups {
		measured.Rows = append(measured.Rows, []string{g.Name, significant(g.Sharpness), significant(g.Trace), significant(g.Frobenius), significant(g.Gradient2), fmt.Sprint(g.Cells)})
		scored.Rows = append(scored.Rows, []string{g.Name, significant(g.TrainLoss), percentMean(g.TrainAccuracy), significant(g.TestLoss), percentMean(g.TestAccuracy), fmt.Sprint(g.Cells)})
		if a := g.Against; a != nil && a.LogSharpness != nil {
			above := ""
			if a.TestAccuracy != nil {
				above = fmt.Sprintf("%d of %d", a.TestAccuracy.Above, a.TestAccuracy.N)
			}
			against.Rows = append(against.Rows, []string{g.Name, significant(a.LogSharpness), significant(a.LogGradient2), significant(a.TestLoss), percentMean(a.TestAccuracy), above})
		}
	}
	text := []string{fmt.Sprintf("Of the mean cross-entropy over training samples, norms by their running statistics. Sharpness is the largest eigenvalue of the Hessian over the first %d training samples, by Lanczos; trace and Frobenius norm are estimates from %d random vectors; the gradient is over all training samples.", min(int64(s.Int("curvature-samples")), s.set.samples()), s.Int("probes"))}
	if n := unconverged(all); n > 0 {
		text = append(text, fmt.Sprintf("In %s the sharpness did not reach its tolerance within --products.", counted(n, "cell")))
	}
	over := s.overBeta(sum.Groups)
	if err := p.section("Curvature", text, []report.Table{measured}, over...); err != nil {
		return nil, err
	}
	if err := p.section("Losses and accuracies", nil, []report.Table{scored}, s.curves(sum.Groups)...); err != nil {
		return nil, err
	}
	if len(against.Rows) > 0 {
		if err := p.section("Beside plain gradient descent at the same effective step", []string{"Differences are paired over seeds; logarithms are natural ones. The last column counts the seeds whose test accuracy is higher than without."}, []report.Table{against}); err != nil {
			return nil, err
		}
	}
	if len(over) > 0 {
		p.figure = over[0]
	}
	return p.result(s.call, sum, sum.Criteria, sum.Failed, len(all))
}

func unconverged(all []studyRecord[classifierResult]) (n int) {
	for _, r := range all {
		if !r.Result.Converged {
			n++
		}
	}
	return n
}

// overBeta are sharpness, gradient and test accuracy over beta, with a standard error on either side.
func (s *momentumClassifier) overBeta(groups []momentumGroup) []chart.Figure {
	panels := []chart.Panel{{YLabel: "sharpness"}, {YLabel: "|gradient|^2"}, {XLabel: "beta", YLabel: "test accuracy"}}
	points := 0
	for _, rate := range s.rates {
		for i, of := range []func(momentumGroup) *study.Estimate{
			func(g momentumGroup) *study.Estimate { return g.Sharpness },
			func(g momentumGroup) *study.Estimate { return g.Gradient2 },
			func(g momentumGroup) *study.Estimate { return g.TestAccuracy },
		} {
			list := []chart.Series{{Name: fmt.Sprintf("heavy ball, h_eff %g", rate)}, {Name: fmt.Sprintf("one standard error, h_eff %g", rate)}, {}}
			list[2].Name = list[1].Name
			for _, g := range groups {
				e := of(g)
				if g.Method != "heavy-ball" || g.Rate != rate || e == nil {
					continue
				}
				se := 0.0
				if e.SE != nil {
					se = *e.SE
				}
				for j, y := range []float64{e.Mean, e.Mean + se, e.Mean - se} {
					list[j].X, list[j].Y = append(list[j].X, g.Beta), append(list[j].Y, y)
				}
				points++
			}
			if len(list[0].X) > 0 {
				panels[i].Series = append(panels[i].Series, list...)
			}
		}
	}
	panels = slices.DeleteFunc(panels, func(p chart.Panel) bool { return len(p.Series) == 0 })
	if points < 2 || len(panels) == 0 {
		return nil
	}
	panels[len(panels)-1].XLabel = "beta"
	return []chart.Figure{{Title: "over beta, at equal effective steps", Panels: panels}}
}

// curves are the training losses, means over seeds.
func (s *momentumClassifier) curves(groups []momentumGroup) []chart.Figure {
	panel := chart.Panel{XLabel: "step", YLabel: "loss of a batch", Log: true}
	for _, g := range groups[:min(len(groups), 64)] {
		series := chart.Series{Name: g.Name}
		for i, r := range g.records {
			for j, at := range r.Result.Curve {
				if i == 0 {
					series.X, series.Y = append(series.X, float64(at.Step)), append(series.Y, 0)
				}
				if j < len(series.Y) {
					series.Y[j] += at.Loss / float64(len(g.records))
				}
			}
		}
		if len(series.X) > 0 {
			panel.Series = append(panel.Series, series)
		}
	}
	if len(panel.Series) == 0 {
		return nil
	}
	return []chart.Figure{{Title: "training", Panels: []chart.Panel{panel}}}
}
