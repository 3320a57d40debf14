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

// pacSummary is the summary of results.json.
type pacSummary struct {
	executed
	Network  string           `json:"network"`
	Groups   []pacGroup       `json:"groups"`
	Best     string           `json:"best_of_grid"` // by test accuracy
	Settings int              `json:"settings_of_grid"`
	Criteria []studyCriterion `json:"criteria"`
	Failed   []failedCell     `json:"failed,omitempty"`
	Seconds  float64          `json:"seconds"` // of all cells
}

// pacGroup is an arm over its seeds.
type pacGroup struct {
	Name          string          `json:"name"`
	Role          string          `json:"role"`
	Cells         int             `json:"cells"`
	Diverged      int             `json:"diverged,omitempty"`
	TestAccuracy  *study.Estimate `json:"test_accuracy,omitempty"`
	TestLoss      *study.Estimate `json:"test_loss,omitempty"`
	TrainAccuracy *study.Estimate `json:"train_accuracy,omitempty"`
	Objective     *study.Estimate `json:"pac_objective,omitempty"`
	// Against is the test accuracy of PAC-Bayes with what is usual minus this one's, paired over seeds.
	Against *study.Estimate `json:"pac_bayes_minus_it,omitempty"`
	Seconds float64         `json:"seconds"` // mean of a run

	arm     pacArm
	records []studyRecord[pacResult]
	first   *study.Estimate // test accuracy over the seeds that the whole grid was run with; nil where one diverged
}

// groups gathers the cells in the order of the arms.
func (s *pacStudy) groups(done []*study.Record) ([]pacGroup, error) {
	all, _, err := studyRecords[pacResult](&studied{Records: done})
	if err != nil {
		return nil, err
	}
	var groups []pacGroup
	for _, a := range s.arms {
		g := pacGroup{Name: a.name, Role: a.role, arm: a}
		for _, r := range all {
			if s.arm[r.Cell.Key()].name == a.name {
				g.records = append(g.records, r)
			}
		}
		if len(g.records) > 0 {
			s.gather(&g)
			groups = append(groups, g)
		}
	}
	for i := range groups {
		if groups[i].Role != roleUsual && groups[0].Role == roleUsual {
			groups[i].Against = pairedOf(groups[0].records, groups[i].records, seedOf, testAccuracy)
		}
	}
	return groups, nil
}

func seedOf(r studyRecord[pacResult]) string { return r.Cell.Get("seed") }

// testAccuracy is in percent.
func testAccuracy(r studyRecord[pacResult]) *float64 {
	if r.Result.Scores == nil {
		return nil
	}
	x := 100 * *r.Result.TestAccuracy
	return &x
}

func (s *pacStudy) gather(g *pacGroup) {
	of := func(number func(pacResult) *float64) *study.Estimate {
		return meanOf(g.records, func(r studyRecord[pacResult]) *float64 {
			if r.Result.Scores == nil {
				return nil
			}
			return number(r.Result)
		})
	}
	g.Cells = len(g.records)
	var first []studyRecord[pacResult]
	for _, r := range g.records {
		g.Seconds += r.Seconds / float64(len(g.records))
		if r.Result.Diverged != "" {
			g.Diverged++
		} else if i := slices.Index(s.seedNames(), seedOf(r)); i >= 0 && i < s.gridSeeds {
			first = append(first, r)
		}
	}
	g.TestAccuracy = meanOf(g.records, testAccuracy)
	g.TestLoss = of(func(r pacResult) *float64 { return r.TestLoss })
	g.TrainAccuracy = of(func(r pacResult) *float64 { x := 100 * r.TrainAccuracy; return &x })
	g.Objective = of(func(r pacResult) *float64 { return r.Objective })
	if g.Diverged == 0 {
		g.first = meanOf(first, testAccuracy)
	}
}

func (s *pacStudy) seedNames() []string {
	names := make([]string, len(s.seeds))
	for i, seed := range s.seeds {
		names[i] = fmt.Sprint(seed)
	}
	return names
}

// best is the setting of the grid with the highest test accuracy, among the finalists where those have more seeds.
func (s *pacStudy) best(groups []pacGroup) *pacGroup {
	var best *pacGroup
	for _, g := range s.finalists(groups) {
		if best == nil || g.TestAccuracy.Mean > best.TestAccuracy.Mean {
			best = &g
		}
	}
	return best
}

// criteria are what is asked of a method that needs no tuning.
func (s *pacStudy) criteria(sum *pacSummary) []studyCriterion {
	var out []studyCriterion
	add := func(name string, e *study.Estimate, want string, met func(float64) bool) {
		if e == nil {
			return
		}
		if e.SE != nil {
			name += fmt.Sprintf(" (± %.2f)", *e.SE)
		}
		out = append(out, studyCriterion{name, e.Mean, want, met(e.Mean)})
	}
	if best := s.best(sum.Groups); best != nil {
		sum.Best = best.Name
		add(fmt.Sprintf("points of PAC-Bayes above the best of %d settings, %s", sum.Settings, best.Name), best.Against, "-0.5 at least", func(x float64) bool { return x >= -0.5 })
	}
	var bare *pacGroup
	for i, g := range sum.Groups {
		if g.Role == roleBare && g.TestAccuracy != nil && (bare == nil || g.TestAccuracy.Mean > bare.TestAccuracy.Mean) {
			bare = &sum.Groups[i]
		}
	}
	if bare != nil {
		add("points above Adam without regularisation at its best rate, "+bare.Name, bare.Against, "above 0", func(x float64) bool { return x > 0 })
	}
	for _, g := range sum.Groups {
		switch {
		case g.Role != roleMoved:
		case g.Diverged > 0:
			out = append(out, studyCriterion{fmt.Sprintf("runs of %s that diverged, of %d", g.Name, g.Cells), float64(g.Diverged), "0", false})
		default:
			add("points lost by "+g.Name, g.Against, "1 at most, either way", func(x float64) bool { return math.Abs(x) < 1 })
		}
	}
	return out
}

// Finish makes the report.
func (s *pacStudy) Finish(done *studied) (*studyResult, error) {
	groups, err := s.groups(done.Records)
	if err != nil {
		return nil, err
	}
	sum := &pacSummary{executed: s.executed(), Network: s.name, Groups: groups, Failed: failedCells(done)}
	for _, r := range done.Records {
		sum.Seconds += r.Seconds
	}
	for _, g := range groups {
		if g.Role == roleGrid || g.Role == roleBare {
			sum.Settings++
		}
	}
	sum.Criteria = s.criteria(sum)
	p := &studyPage{page: report.Study{Title: fmt.Sprintf("PAC-Bayes training beside a grid: %s", s.name)}}
	p.page.Summary = []string{fmt.Sprintf("PAC-Bayes with what is usual for it, and %s of SGD and Adam; accuracies in percent, ± is a standard error over seeds. The best setting is chosen by the test accuracy itself.", counted(sum.Settings, "setting"))}
	p.page.Set = append(s.setPairs(), report.Pair{Name: "steps of stage 1", Value: fmt.Sprint(s.steps)}, report.Pair{Name: "steps of a run of the grid", Value: fmt.Sprint(s.gridSteps)},
		report.Pair{Name: "seeds", Value: strings.Trim(fmt.Sprint(s.seeds), "[]")}, report.Pair{Name: "seeds of the grid", Value: fmt.Sprint(s.gridSeeds)})
	figures := s.ranking(groups)
	sections := []struct {
		title, text string
		roles       []string
		figures     []chart.Figure
	}{
		{"PAC-Bayes", "With what is usual, and with a rate or the batch moved.", []string{roleUsual, roleMoved}, nil},
		{"The grid", "The best first.", []string{roleGrid, roleBare}, figures},
	}
	for _, section := range sections {
		if err := p.section(section.title, []string{section.text}, []report.Table{pacTable(groups, section.roles)}, section.figures...); err != nil {
			return nil, err
		}
	}
	if len(figures) > 0 {
		p.figure = figures[0]
	}
	return p.result(s.call, sum, sum.Criteria, sum.Failed, len(done.Records))
}

func pacTable(groups []pacGroup, roles []string) report.Table {
	t := report.Table{Head: []string{"", "test accuracy, %", "test loss", "train accuracy, %", "PAC-Bayes minus it", "seeds", "diverged", "s a run"}}
	for _, g := range ranked(groups, roles) {
		t.Rows = append(t.Rows, []string{g.Name, pm(g.TestAccuracy, 2), significant(g.TestLoss), pm(g.TrainAccuracy, 2), signed(g.Against), fmt.Sprint(g.Cells), fmt.Sprint(g.Diverged), fmt.Sprintf("%.1f", g.Seconds)})
	}
	return t
}

// ranked are the groups of roles; those of the grid with the best first, those that diverged last.
func ranked(groups []pacGroup, roles []string) []pacGroup {
	list := slices.DeleteFunc(slices.Clone(groups), func(g pacGroup) bool { return !slices.Contains(roles, g.Role) })
	if !slices.Contains(roles, roleGrid) {
		return list
	}
	accuracy := func(g pacGroup) float64 {
		if g.TestAccuracy == nil {
			return math.Inf(-1)
		}
		return g.TestAccuracy.Mean
	}
	slices.SortStableFunc(list, func(a, b pacGroup) int {
		switch x, y := accuracy(a), accuracy(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return list
}

// ranking draws the grid from its best to its worst, beside PAC-Bayes.
func (s *pacStudy) ranking(groups []pacGroup) []chart.Figure {
	list := ranked(groups, []string{roleGrid, roleBare})
	series := []chart.Series{{Name: "one standard error"}, {Name: "one standard error"}, {Name: "settings of the grid"}}
	for _, g := range list {
		if g.TestAccuracy == nil {
			continue
		}
		se := math.NaN() // a gap: of one seed nothing is known of the error
		if g.TestAccuracy.SE != nil {
			se = *g.TestAccuracy.SE
		}
		x := float64(len(series[0].X) + 1)
		for j, y := range []float64{g.TestAccuracy.Mean + se, g.TestAccuracy.Mean - se, g.TestAccuracy.Mean} {
			series[j].X, series[j].Y = append(series[j].X, x), append(series[j].Y, y)
		}
	}
	n := float64(len(series[0].X))
	if n < 2 {
		return nil
	}
	for _, g := range groups {
		if (g.Role == roleUsual || g.Role == roleMoved) && g.TestAccuracy != nil {
			series = append(series, chart.Series{Name: g.Name, X: []float64{1, n}, Y: []float64{g.TestAccuracy.Mean, g.TestAccuracy.Mean}})
		}
	}
	return []chart.Figure{{Title: "settings of the grid, from the best to the worst", Panels: []chart.Panel{{XLabel: "setting", YLabel: "test accuracy, %", Series: series}}}}
}
