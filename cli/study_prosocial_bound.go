package cli

import (
	"fmt"
	"slices"
	"strconv"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/prosocial"
	"graft/training/study"
)

// prosocialBound is the summary of a size of the training set, by network: the debiased one, and those tuned on so many samples.
type prosocialBound struct {
	Samples  int                        `json:"samples"`
	Steps    int64                      `json:"steps"`
	Bias     map[string]*study.Estimate `json:"bias"`
	Accuracy map[string]*study.Estimate `json:"accuracy"`
	// Above is the bias of a network less that of the debiased one, paired over seeds.
	Above map[string]*study.Estimate `json:"bias_minus_debiased"`
}

// boundSizes reads --samples, to which the whole training set of n samples is added; 0: it follows from text and seed.
func boundSizes(c *call, n int) ([]int, error) {
	var sizes []int
	for _, text := range c.List("samples") {
		k, err := strconv.Atoi(text)
		if err != nil || k < 1 {
			return nil, misuse("--samples: %s is no number of samples", quote(text))
		}
		if n > 0 && k > n {
			return nil, misuse("--samples: %d of %d samples that there are to tune on", k, n)
		}
		sizes = append(sizes, k)
	}
	if len(sizes) == 0 {
		if c.Bool("same-steps") {
			return nil, misuse("--same-steps goes with --samples")
		}
		return nil, nil
	}
	if n > 0 {
		sizes = append(sizes, n)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes), nil
}

// bounds are the summaries by size.
func (s *prosocialStudy) bounds(all []studyRecord[prosocial.Chain]) (out []prosocialBound) {
	by := map[int]map[string][]prosocialNumbers{}
	steps := map[int]int64{}
	for _, r := range all {
		seed := r.Cell.Get("seed")
		for _, b := range r.Result.Bound {
			if by[b.Samples] == nil {
				by[b.Samples] = map[string][]prosocialNumbers{}
			}
			steps[b.Samples] = b.Steps
			of := by[b.Samples]
			of[prosocialDebiased] = append(of[prosocialDebiased], prosocialNumbers{seed, r.Result.Debiased, nil})
			for _, t := range b.Tuned {
				of[string(t.Variant)] = append(of[string(t.Variant)], prosocialNumbers{seed, t.Association, &t.Judged})
			}
		}
	}
	for n, of := range by {
		b := prosocialBound{Samples: n, Steps: steps[n], Bias: map[string]*study.Estimate{}, Accuracy: map[string]*study.Estimate{}, Above: map[string]*study.Estimate{}}
		for name, numbers := range of {
			b.Bias[name] = meanOf(numbers, prosocialBias)
			if e := meanOf(numbers, prosocialAccuracy); e != nil {
				b.Accuracy[name] = e
				b.Above[name] = pairedOf(numbers, of[prosocialDebiased], func(n prosocialNumbers) string { return n.seed }, prosocialBias)
			}
		}
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b prosocialBound) int { return a.Samples - b.Samples })
	return out
}

// boundSection is the part of the report on the number of samples; bound.svg is its picture.
func (s *prosocialStudy) boundSection(p *studyPage, bounds []prosocialBound, files map[string][]byte) error {
	if len(bounds) == 0 {
		return nil
	}
	metric, _ := s.taskNames()
	f := chart.Figure{Title: "bias after tuning, by the number of samples"}
	bias := chart.Panel{XLabel: "samples tuned on", YLabel: "bias", LogX: true}
	accuracy := chart.Panel{XLabel: "samples tuned on", YLabel: metric, LogX: true}
	table := report.Table{Head: []string{"samples", "steps", "network", "bias", "minus debiased", "seeds above", metric}}
	names := []string{prosocialDebiased}
	for _, v := range prosocial.Bounded {
		names = append(names, string(v))
	}
	for _, name := range names {
		line, right := chart.Series{Name: name}, chart.Series{Name: name}
		for _, b := range bounds {
			if e := b.Bias[name]; e != nil {
				line.X, line.Y = append(line.X, float64(b.Samples)), append(line.Y, e.Mean)
			}
			if e := b.Accuracy[name]; e != nil {
				right.X, right.Y = append(right.X, float64(b.Samples)), append(right.Y, e.Mean)
			}
		}
		bias.Series = append(bias.Series, line)
		if len(right.X) > 0 {
			accuracy.Series = append(accuracy.Series, right)
		}
	}
	f.Panels = []chart.Panel{bias, accuracy}
	for _, b := range bounds {
		for _, name := range names {
			e := b.Bias[name]
			if e == nil {
				continue
			}
			row := []string{strconv.Itoa(b.Samples), strconv.FormatInt(b.Steps, 10), name, significant(e), "", "", ""}
			if d := b.Above[name]; d != nil {
				row[4], row[5], row[6] = significant(d), fmt.Sprintf("%d of %d", d.Above, d.N), significant(b.Accuracy[name])
			}
			table.Rows = append(table.Rows, row)
		}
	}
	picture, err := f.SVG()
	if err != nil {
		return err
	}
	files["bound.svg"] = []byte(picture)
	return p.section("the number of samples", []string{"The bias of the debiased network is the bound below that of what is tuned from it. The heads that are held are those found with all samples."}, []report.Table{table}, f)
}
