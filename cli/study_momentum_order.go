package cli

import (
	"context"
	"fmt"
	"math"
	"slices"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/momentum"
	"graft/training/study"
)

// orderStudy holds descents against flows at several effective steps.
type orderStudy struct {
	*call
	plane momentum.Plane
	betas []float64
	rates []float64
}

func planMomentumOrder(c *call) (experiment, error) {
	if c.IsSet("steps") {
		return nil, misuse("--steps: the orders are measured after an effective time of %g", momentum.OrderTime)
	}
	s := &orderStudy{call: c, plane: momentum.Planes[0]}
	var err error
	if s.betas, err = c.betas(0.5, 0.8); err != nil {
		return nil, err
	}
	s.rates, err = c.fractions("rates", above(0, momentum.OrderTime), 2e-3, 1e-3, 5e-4, 2.5e-4, 1.25e-4, 6.25e-5)
	return s, err
}

// Cells are set-ups, betas and effective steps.
func (s *orderStudy) Cells() []study.Cell {
	names := make([]string, len(momentum.Setups))
	for i, u := range momentum.Setups {
		names[i] = u.Name
	}
	cells := study.Cross([]study.Cell{{{Name: "problem", Value: problemOrder}, {Name: "time", Value: momentum.OrderTime}}}, "setup", names...)
	return study.Cross(study.Cross(cells, "beta", s.betas...), "h_eff", s.rates...)
}

// orderResult is what a cell comes to.
type orderResult struct {
	Distance float64 `json:"distance"`
}

// Run does a cell.
func (s *orderStudy) Run(ctx context.Context, c study.Cell, _ string, _ *study.Folder) (any, error) {
	u, err := momentum.FindSetup(c.Get("setup"))
	if err != nil {
		return nil, err
	}
	o, err := momentum.NewOrders(s.plane, s.runtimeOptions())
	if err != nil {
		return nil, err
	}
	defer o.Close()
	d, err := o.Distance(ctx, u, momentum.Heavy{Rate: c.Float("h_eff"), Beta: c.Float("beta")}, momentum.OrderStart, momentum.OrderTime)
	return orderResult{d}, err
}

// Cost is a guess: cells take moments.
func (s *orderStudy) Cost(_ context.Context, todo []study.Cell) (studyCost, error) {
	cost := studyCost{Of: func(c study.Cell) float64 { return 0.2 + 1e-4*momentum.OrderTime/c.Float("h_eff") }}
	for _, c := range todo {
		cost.Steps += int64(math.Round(momentum.OrderTime / c.Float("h_eff")))
		cost.Seconds += cost.Of(c)
	}
	cost.Seconds = math.Ceil(cost.Seconds)
	return cost, nil
}

// Line is a finished cell.
func (s *orderStudy) Line(r *study.Record) string {
	x, err := resultOf[orderResult](r)
	if err != nil {
		return r.Cell.String()
	}
	return fmt.Sprintf("%s, beta %s at %s: %.3g apart (%.1f s)", r.Cell.Get("setup"), r.Cell.Get("beta"), r.Cell.Get("h_eff"), x.Distance, r.Seconds)
}

// momentumOrder is how the distance of a set-up falls.
type momentumOrder struct {
	Setup     string    `json:"setup"`
	Beta      float64   `json:"beta"`
	Rates     []float64 `json:"h_eff"`
	Distances []float64 `json:"distance"`
	Slope     *float64  `json:"slope,omitempty"` // over the smallest four steps
	Theory    int       `json:"theory"`
}

// slopeOver is how many of the smallest steps a slope is of.
const slopeOver = 4

// Finish makes the report.
func (s *orderStudy) Finish(done *studied) (*studyResult, error) {
	sum, all, err := readMomentum[orderResult](s.call, done)
	if err != nil {
		return nil, err
	}
	p := &studyPage{page: report.Study{Title: "Heavy-ball momentum: the order of the modified flow"}}
	p.page.Set = []report.Pair{{Name: "problem", Value: s.plane.Name}, {Name: "start", Value: fmt.Sprintf("(%g, %g)", momentum.OrderStart[0], momentum.OrderStart[1])},
		{Name: "effective time", Value: fmt.Sprint(momentum.OrderTime)}}
	rates := slices.Clone(s.rates)
	slices.Sort(rates)
	slices.Reverse(rates)
	t := report.Table{Head: []string{"set-up", "beta"}}
	for _, rate := range rates {
		t.Head = append(t.Head, fmt.Sprintf("%g", rate))
	}
	t.Head = append(t.Head, "slope", "theory")
	var text []string
	panels := map[float64]*chart.Panel{}
	for _, u := range momentum.Setups {
		text = append(text, u.Name+": "+u.Doc+".")
		for _, beta := range s.betas {
			o := momentumOrder{Setup: u.Name, Beta: beta, Theory: u.Order}
			row := []string{u.Name, fmt.Sprint(beta)}
			for _, rate := range rates {
				cell := ""
				for _, r := range all {
					if r.Cell.Get("setup") == u.Name && r.Cell.Float("beta") == beta && r.Cell.Float("h_eff") == rate {
						o.Rates, o.Distances = append(o.Rates, rate), append(o.Distances, r.Result.Distance)
						cell = fmt.Sprintf("%.3g", r.Result.Distance)
					}
				}
				row = append(row, cell)
			}
			slope := ""
			if n := len(o.Rates); n >= slopeOver {
				x := momentum.Slope(o.Rates[n-slopeOver:], o.Distances[n-slopeOver:])
				o.Slope, slope = &x, fmt.Sprintf("%.3f", x)
				if o.Rates[n-slopeOver] <= 1e-3 && beta <= 0.8 {
					sum.Criteria = append(sum.Criteria, studyCriterion{fmt.Sprintf("order of %s, beta %g", u.Name, beta), x, fmt.Sprintf("%d within 0.1", u.Order), math.Abs(x-float64(u.Order)) <= 0.1})
				}
			}
			sum.Orders = append(sum.Orders, o)
			t.Rows = append(t.Rows, append(row, slope, fmt.Sprint(u.Order)))
			if panels[beta] == nil {
				panels[beta] = &chart.Panel{XLabel: "effective step", YLabel: fmt.Sprintf("distance, beta %g", beta), Log: true, LogX: true}
			}
			panels[beta].Series = append(panels[beta].Series, chart.Series{Name: u.Name, X: o.Rates, Y: o.Distances})
		}
	}
	text = append(text, fmt.Sprintf("The distance of descent and flow after an effective time of %g. The slope is that of the straight line through the logarithms at the smallest %d steps.", momentum.OrderTime, slopeOver))
	p.figure.Title = "distance of descent and flow over the effective step"
	for _, beta := range s.betas[:min(len(s.betas), 8)] {
		p.figure.Panels = append(p.figure.Panels, *panels[beta])
	}
	if err := p.section("Orders", text, []report.Table{t}, p.figure); err != nil {
		return nil, err
	}
	return p.result(s.call, sum, sum.Criteria, sum.Failed, len(all))
}
