package cli

import (
	"fmt"
	"math"
	"strings"

	"graft/cli/report"
	"graft/training/study"
)

// pictureRecord is a test picture in a cell.
type pictureRecord struct {
	seed string
	bilevelPicture
}

func picturesOf(records []studyRecord[bilevelResult]) (list []pictureRecord) {
	for _, r := range records {
		for _, p := range r.Result.Pictures {
			list = append(list, pictureRecord{r.Cell.Get("seed"), p})
		}
	}
	return list
}

// gatherPictures finds the PSNR of methods, and their differences.
func (g *bilevelSignals) gatherPictures() {
	g.PSNR, g.PSNRAgainst = map[string]*study.Estimate{}, map[string]*study.Estimate{}
	learned := picturesOf(g.records[bilevelLearned])
	for name, records := range g.records {
		g.PSNR[name] = meanOf(records, func(r studyRecord[bilevelResult]) *float64 { return r.Result.PSNR })
		g.noisyPSNR = meanOf(records, func(r studyRecord[bilevelResult]) *float64 { return r.Result.NoisyPSNR })
		if name != bilevelLearned && learned != nil {
			g.PSNRAgainst[name] = pairedOf(picturesOf(records), learned, func(p pictureRecord) string { return p.seed + " " + p.File }, func(p pictureRecord) *float64 { return p.PSNR })
		}
	}
}

// aboveTV is by how many dB learned operators are to be above total variation.
const aboveTV = 0.3

func (g *bilevelSignals) pictureCriteria() []studyCriterion {
	learned, name, best := g.PSNR[bilevelLearned], "", math.Inf(-1)
	for _, tv := range []string{"tv", "tv-anisotropic"} {
		if e := g.PSNR[tv]; e != nil && e.Mean > best {
			name, best = tv, e.Mean
		}
	}
	if learned == nil || name == "" {
		return nil
	}
	x := learned.Mean - best
	return []studyCriterion{{"PSNR of learned on pictures above " + name + ", in dB", x, fmt.Sprintf("%g at least", aboveTV), x >= aboveTV}}
}

func (s *bilevelStudy) pictureText() []string {
	p := s.pictures
	var train, test []string
	for _, one := range p.train {
		train = append(train, one.Name)
	}
	for _, one := range p.test {
		test = append(test, fmt.Sprintf("%s (%dx%d)", one.Name, one.Width, one.Height))
	}
	how := fmt.Sprintf("patches at every pixel, %d iterations.", patchIterations)
	if s.Text("form") == "convolution" {
		how = "the filters wherever they lie inside the picture."
	}
	return []string{
		fmt.Sprintf("Learned on patches of %d x %d pixels of %s, tuned on their middles; tested on %s.", p.side, p.side, strings.Join(train, ", "), strings.Join(test, ", ")),
		"The learned operator denoises by the ONNX model that is exported from it: " + how,
	}
}

// pictureTables are PSNR and differences, and PSNR by picture.
func (s *bilevelStudy) pictureTables(g *bilevelSignals) []report.Table {
	means := report.Table{Head: []string{g.Kind, "PSNR", "minus learned", "pictures above", "weight"}}
	each := report.Table{Head: []string{"PSNR"}}
	for _, p := range s.pictures.test {
		each.Head = append(each.Head, p.Name)
	}
	of := func(records []studyRecord[bilevelResult], name string, number func(pictureRecord) *float64) []string {
		row := []string{name}
		for _, p := range s.pictures.test {
			var those []pictureRecord
			for _, r := range picturesOf(records) {
				if r.File == p.Name {
					those = append(those, r)
				}
			}
			row = append(row, meanDecibels(meanOf(those, number)))
		}
		return row
	}
	var last []studyRecord[bilevelResult]
	for _, name := range s.methods {
		records := g.records[name]
		if len(records) == 0 {
			continue
		}
		last = records
		row := []string{name, meanDecibels(g.PSNR[name]), "", "", ""}
		switch e := g.weights[name]; {
		case e != nil && name == bilevelLearned:
			row[4] = significant(e)
		case e != nil: // of a baseline, the same for all seeds
			row[4] = fmt.Sprintf("%.4g", e.Mean)
		}
		if a := g.PSNRAgainst[name]; a != nil {
			row[2], row[3] = meanDecibels(a), fmt.Sprintf("%d of %d", a.Above, a.N)
		}
		means.Rows = append(means.Rows, row)
		each.Rows = append(each.Rows, of(records, name, func(p pictureRecord) *float64 { return p.PSNR }))
	}
	means.Rows = append(means.Rows, []string{"noisy", meanDecibels(g.noisyPSNR), "", "", ""})
	each.Rows = append(each.Rows, of(last, "noisy", func(p pictureRecord) *float64 { return p.NoisyPSNR }))
	return []report.Table{means, each}
}

// meanDecibels is a mean with its standard error.
func meanDecibels(e *study.Estimate) string {
	switch {
	case e == nil:
		return ""
	case e.SE == nil:
		return fmt.Sprintf("%.2f", e.Mean)
	}
	return fmt.Sprintf("%.2f ± %.2f", e.Mean, *e.SE)
}

// timings are those of the cells that have one.
func timings(all []studyRecord[bilevelResult]) (list []*gradientTiming) {
	for _, r := range all {
		if r.Result.Timing != nil {
			list = append(list, r.Result.Timing)
		}
	}
	return list
}

const timingText = "With respect to W, for a batch, in milliseconds of processors, of all threads, where they are known, and else by the clock: the forward solve and the closed " +
	"form, and automatic differentiation through the unrolled solver on ONNX Runtime, with as few iterations, doubled each time, as have the gradient to a millionth, or the most that are tried."

func timingTable(list []*gradientTiming) report.Table {
	t := report.Table{Head: []string{"samples", "batch", "closed form", "of it the solve", "in float", "unrolled", "iterations", "its error", "times as long"}}
	ms := func(r runTime) string {
		if r.Processor != nil {
			return fmt.Sprintf("%.3g", *r.Processor)
		}
		return fmt.Sprintf("%.3g", r.Milliseconds)
	}
	for _, g := range list {
		t.Rows = append(t.Rows, []string{fmt.Sprint(g.Samples), fmt.Sprint(g.Batch), ms(g.Closed), ms(g.Solve), ms(g.Single), ms(g.Unrolled),
			fmt.Sprint(g.Steps), fmt.Sprintf("%.1g", g.Error), fmt.Sprintf("%.1f", g.Faster)})
	}
	return t
}
