package cli

import (
	"fmt"
	"maps"
	"math"
	"strings"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/prosocial"
	"graft/training/study"
)

// The networks before tuning, beside the ways to tune.
const (
	prosocialPretrained = "pretrained"
	prosocialDebiased   = "debiased"
)

// prosocialSummary is the summary of results.json. Numbers are by network: pretrained, debiased, and the ways to tune.
type prosocialSummary struct {
	executed
	Bias     map[string]*study.Estimate `json:"bias"`
	Signed   map[string]*study.Estimate `json:"signed"`
	Accuracy map[string]*study.Estimate `json:"accuracy"`
	Gap      map[string]*study.Estimate `json:"gap"`
	// Against is the bias of a network less that of prosocial, paired over seeds.
	Against  map[string]*study.Estimate `json:"bias_minus_prosocial"`
	Bounds   []prosocialBound           `json:"bounds,omitempty"` // by the number of samples
	Criteria []studyCriterion           `json:"criteria,omitempty"`
	Failed   []failedCell               `json:"failed,omitempty"`
	Seconds  float64                    `json:"seconds"` // of all cells
}

// prosocialNumbers are a network's of a seed.
type prosocialNumbers struct {
	seed   string
	mass   prosocial.Association
	judged *prosocial.Judged
}

// byNetwork sorts what came out by networks.
func (s *prosocialStudy) byNetwork(all []studyRecord[prosocial.Chain]) (names []string, of map[string][]prosocialNumbers) {
	of = map[string][]prosocialNumbers{}
	names = []string{prosocialPretrained, prosocialDebiased}
	for _, v := range s.variants {
		names = append(names, string(v))
	}
	for _, r := range all {
		seed := r.Cell.Get("seed")
		of[prosocialPretrained] = append(of[prosocialPretrained], prosocialNumbers{seed, r.Result.Pretrained, nil})
		of[prosocialDebiased] = append(of[prosocialDebiased], prosocialNumbers{seed, r.Result.Debiased, nil})
		for _, t := range r.Result.Tuned {
			of[string(t.Variant)] = append(of[string(t.Variant)], prosocialNumbers{seed, t.Association, &t.Judged})
		}
	}
	return names, of
}

// Numbers that networks are compared by.
func prosocialBias(n prosocialNumbers) *float64   { return &n.mass.Bias }
func prosocialSigned(n prosocialNumbers) *float64 { return &n.mass.Signed }
func prosocialAccuracy(n prosocialNumbers) *float64 {
	if n.judged == nil {
		return nil
	}
	return &n.judged.Accuracy
}
func prosocialGap(n prosocialNumbers) *float64 {
	if n.judged == nil {
		return nil
	}
	return &n.judged.Gap
}

// criteria are the orders that are expected, published ones and those of the ablations, behind what they rest on: that
// pretraining has learned the world's bias.
func (s *prosocialStudy) criteria(of map[string][]prosocialNumbers) []studyCriterion {
	var out []studyCriterion
	if world := math.Abs(math.Log(s.Float("bias") / (1 - s.Float("bias")))); s.made() && world > 0 && !math.IsInf(world, 0) {
		least := math.Inf(1)
		for _, n := range of[prosocialPretrained] {
			least = min(least, n.mass.Bias/world)
		}
		if !math.IsInf(least, 0) {
			out = append(out, studyCriterion{"least bias of pretrained, as part of the world's", least, "0.5 at least", least >= 0.5})
		}
	}
	ask := func(larger, smaller string, strict bool) {
		seed := func(n prosocialNumbers) string { return n.seed }
		d := pairedOf(of[larger], of[smaller], seed, prosocialBias)
		if d == nil {
			return
		}
		c := studyCriterion{Name: fmt.Sprintf("bias of %s less that of %s, %s", larger, smaller, significant(d)), Value: d.Mean, Want: "0 at least", Met: d.Mean >= 0}
		if strict {
			c.Want, c.Met = "more than 0", d.Mean > 0
		}
		out = append(out, c)
	}
	held := string(prosocial.SigmaHeads)
	ask(prosocialPretrained, prosocialDebiased, true)
	ask(held, prosocialDebiased, false)
	ask(string(prosocial.DebiasedTuning), held, true)
	ask(string(prosocial.Vanilla), string(prosocial.DebiasedTuning), false)
	ask(string(prosocial.RandomHeadsBy), held, true)
	ask(string(prosocial.UniformHeads), held, true)
	seed := func(n prosocialNumbers) string { return n.seed }
	metric, _ := s.taskNames()
	if d := pairedOf(of[held], of[string(prosocial.Vanilla)], seed, prosocialAccuracy); d != nil {
		out = append(out, studyCriterion{Name: metric + " of prosocial less that of vanilla, " + significant(d), Value: d.Mean, Want: "-0.01 at least", Met: d.Mean >= -0.01})
	}
	return out
}

// Finish makes the report.
func (s *prosocialStudy) Finish(done *studied) (*studyResult, error) {
	all, seconds, err := studyRecords[prosocial.Chain](done)
	if err != nil {
		return nil, err
	}
	names, of := s.byNetwork(all)
	sum := &prosocialSummary{executed: s.executed(), Bias: map[string]*study.Estimate{}, Signed: map[string]*study.Estimate{}, Accuracy: map[string]*study.Estimate{},
		Gap: map[string]*study.Estimate{}, Against: map[string]*study.Estimate{}, Criteria: s.criteria(of), Failed: failedCells(done), Seconds: seconds}
	metric, gap := s.taskNames()
	table := report.Table{Head: []string{"network", "bias", "minus prosocial", "seeds above", "signed", metric, gap}}
	held := of[string(prosocial.SigmaHeads)]
	for _, name := range names {
		if len(of[name]) == 0 {
			continue
		}
		sum.Bias[name], sum.Signed[name] = meanOf(of[name], prosocialBias), meanOf(of[name], prosocialSigned)
		row := []string{name, significant(sum.Bias[name]), "", "", significant(sum.Signed[name]), "", ""}
		if d := pairedOf(of[name], held, func(n prosocialNumbers) string { return n.seed }, prosocialBias); d != nil && name != string(prosocial.SigmaHeads) {
			sum.Against[name] = d
			row[2], row[3] = significant(d), fmt.Sprintf("%d of %d", d.Above, d.N)
		}
		if e := meanOf(of[name], prosocialAccuracy); e != nil {
			sum.Accuracy[name], sum.Gap[name] = e, meanOf(of[name], prosocialGap)
			row[5], row[6] = significant(e), significant(sum.Gap[name])
		}
		table.Rows = append(table.Rows, row)
	}
	p := &studyPage{page: report.Study{Title: "Tuning without bias coming back"}}
	p.page.Summary = []string{fmt.Sprintf("Bias is the mean over occupations of |log p(he)/p(she)|, ± a standard error over %s; signed has no magnitude taken; %s.", counted(len(all), "seed"), s.gapMeans())}
	p.page.Set = s.setPairs()
	figure, grids := prosocialHeads(all), headMaps(all)
	if err := p.section("bias and accuracy", nil, []report.Table{table}); err != nil {
		return nil, err
	}
	if err := s.taskSection(p, all); err != nil {
		return nil, err
	}
	lines := prosocialHeadLines(all)
	if len(grids) > 0 {
		lines = append(lines, "Effects and widths are means over seeds, each cell a head. A width is the posterior's over the head's parameters: a wide one matters less for the task.")
	}
	if err := p.section("heads", lines, nil, figure...); err != nil {
		return nil, err
	}
	if err := p.page.Map(grids...); err != nil {
		return nil, err
	}
	if len(figure) > 0 {
		p.figure = figure[0]
	}
	sum.Bounds = s.bounds(all)
	files := map[string][]byte{}
	if err := s.boundSection(p, sum.Bounds, files); err != nil {
		return nil, err
	}
	out, err := p.result(s.call, sum, sum.Criteria, sum.Failed, len(all))
	if err == nil {
		maps.Copy(out.Files, files)
	}
	return out, err
}

// prosocialHeadLines say which heads were held.
func prosocialHeadLines(all []studyRecord[prosocial.Chain]) []string {
	var lines []string
	for _, r := range all {
		if r.Result.Heads == nil {
			continue
		}
		names := func(heads []prosocial.Head) string {
			var out []string
			for _, h := range heads {
				out = append(out, h.String())
			}
			if out == nil {
				return "none"
			}
			return strings.Join(out, " ")
		}
		lines = append(lines, fmt.Sprintf("Seed %s: held %s; before %s, after %s; by chance %s. Total effect %.3g, after debiasing %.3g.", r.Cell.Get("seed"), names(r.Result.Heads.Held),
			names(r.Result.Heads.Before), names(r.Result.Heads.After), names(r.Result.Random), r.Result.Before.Log, r.Result.After.Log))
	}
	return lines
}

// prosocialHeads are the effects by head, layer by layer.
func prosocialHeads(all []studyRecord[prosocial.Chain]) []chart.Figure {
	f := chart.Figure{Title: "effects of heads: before and after debiasing"}
	for i, what := range []string{"log effect before", "log effect after"} {
		panel := chart.Panel{XLabel: "head, layer by layer", YLabel: what}
		for _, r := range all {
			e := r.Result.Before
			if i == 1 {
				e = r.Result.After
			}
			if e == nil || len(e.Heads) < 2 {
				continue
			}
			series := chart.Series{Name: "seed " + r.Cell.Get("seed")}
			for j, h := range e.Heads {
				series.X, series.Y = append(series.X, float64(j)), append(series.Y, h.Log)
			}
			panel.Series = append(panel.Series, series)
		}
		if len(panel.Series) > 0 {
			f.Panels = append(f.Panels, panel)
		}
	}
	if len(f.Panels) == 0 {
		return nil
	}
	return []chart.Figure{f}
}

// headMaps are the effects before and after debiasing and the posterior's widths as layers of heads, means over seeds.
func headMaps(all []studyRecord[prosocial.Chain]) []chart.Heatmap {
	var maps []chart.Heatmap
	add := func(title string, diverging bool, of func(*prosocial.Chain) map[prosocial.Head]float64) {
		layers, heads := 0, 0
		for _, r := range all {
			for h := range of(&r.Result) {
				layers, heads = max(layers, h.Layer+1), max(heads, h.Head+1)
			}
		}
		sums, count := newHeadGrid(layers, heads), newHeadGrid(layers, heads)
		for _, r := range all {
			for h, x := range of(&r.Result) {
				sums[h.Layer][h.Head] += x
				count[h.Layer][h.Head]++
			}
		}
		for l := range sums {
			for h := range sums[l] {
				sums[l][h] /= count[l][h] // no number where there is none
			}
		}
		if layers > 0 {
			maps = append(maps, chart.Heatmap{Title: title, YLabel: "layer", XLabel: "head", Values: sums, Diverging: diverging})
		}
	}
	effects := func(e *prosocial.Effects) map[prosocial.Head]float64 {
		out := map[prosocial.Head]float64{}
		if e != nil {
			for _, h := range e.Heads {
				out[h.Head] = h.Log
			}
		}
		return out
	}
	add("log effect before debiasing", true, func(c *prosocial.Chain) map[prosocial.Head]float64 { return effects(c.Before) })
	add("log effect after debiasing", true, func(c *prosocial.Chain) map[prosocial.Head]float64 { return effects(c.After) })
	add("width of the posterior", false, func(c *prosocial.Chain) map[prosocial.Head]float64 {
		out := map[prosocial.Head]float64{}
		for name, x := range c.Widths {
			if h, err := prosocial.ParseHead(name); err == nil {
				out[h] = x
			}
		}
		return out
	})
	return maps
}

// newHeadGrid has a zero for every head.
func newHeadGrid(layers, heads int) [][]float64 {
	out := make([][]float64, layers)
	for l := range out {
		out[l] = make([]float64, heads)
	}
	return out
}

// setPairs are the settings.
func (s *prosocialStudy) setPairs() []report.Pair {
	if s.own != nil {
		return s.ownPairs()
	}
	return []report.Pair{
		{Name: "network", Value: fmt.Sprintf("BERT, %d layers of %d heads, %d wide", s.Int("layers"), s.Int("heads"), s.Int("width"))},
		{Name: "world", Value: fmt.Sprintf("bias %g, %d sentences, %d with counterfactuals, task of %d and %d", s.Float("bias"), s.Int("sentences"), s.Int("counterfactual"), s.Int("train"), s.tested())},
		{Name: "steps", Value: fmt.Sprintf("pretraining %d, debiasing %d, tuning %d, posterior %d", s.steps("pretrain"), s.steps("debias"), s.steps("tune"), s.steps("posterior"))},
		{Name: "heads", Value: fmt.Sprintf("by %s under another %s, strength %g", s.Text("select"), s.Text("intervention"), s.Float("strength"))},
		{Name: "seeds", Value: strings.Trim(fmt.Sprint(s.seeds), "[]")},
	}
}
