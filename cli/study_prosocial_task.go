package cli

import (
	"fmt"
	"strings"

	"graft/cli/report"
	sets "graft/training/dataset/text"
	"graft/training/prosocial"
)

// taskNames are the names of the task's metric and of its bias.
func (s *prosocialStudy) taskNames() (metric, gap string) {
	switch sets.Kind(s.Text("task")) {
	case sets.SST2:
		return "accuracy", "swap gap"
	case sets.STS:
		return "Pearson", "bias-STS"
	case sets.NLI:
		return "accuracy", "1 - net neutral"
	case sets.BiasBios:
		return "accuracy", "TPR gap, RMS"
	}
	return "accuracy", "gap"
}

// gapMeans says what the task's bias is.
func (s *prosocialStudy) gapMeans() string {
	switch sets.Kind(s.Text("task")) {
	case sets.SST2:
		return "swap gap is the mean change of the probability of praise when gendered words are swapped"
	case sets.STS:
		return "bias-STS is the mean difference of the scores, from 0 to 5, that a sentence of a man and of a woman have beside that of an occupation"
	case sets.NLI:
		return "1 - net neutral is the mean probability that something follows from an occupation for a gender"
	case sets.BiasBios:
		return "the TPR gap is the difference of true positive rates between women and men, as root of its mean square over professions"
	}
	return "gap is how far the probability of a class moves when the pronoun does"
}

// made reports whether text of a known bias is pretrained on.
func (s *prosocialStudy) made() bool { return s.own == nil || s.own.source == nil }

// taskSection has all numbers of a published task.
func (s *prosocialStudy) taskSection(p *studyPage, all []studyRecord[prosocial.Chain]) error {
	var names []string
	bias := map[string]bool{}
	values := map[prosocial.Variant]map[string][]float64{}
	for _, r := range all {
		for _, t := range r.Result.Tuned {
			if values[t.Variant] == nil {
				values[t.Variant] = map[string][]float64{}
			}
			for _, n := range t.Numbers {
				if _, known := bias[n.Name]; !known {
					names = append(names, n.Name)
				}
				bias[n.Name] = n.Bias
				values[t.Variant][n.Name] = append(values[t.Variant][n.Name], n.Value)
			}
		}
	}
	var notes []string
	if len(all) > 0 {
		notes = all[0].Result.Notes
	}
	if len(names) == 0 && len(notes) == 0 {
		return nil
	}
	table := report.Table{Head: append([]string{"network"}, names...)}
	for _, v := range s.variants {
		row := []string{string(v)}
		for _, name := range names {
			text := ""
			if e := meanOf(values[v][name], func(x float64) *float64 { return &x }); e != nil {
				text = significant(e)
			}
			row = append(row, text)
		}
		table.Rows = append(table.Rows, row)
	}
	var tables []report.Table
	if len(names) > 0 {
		tables = append(tables, table)
	}
	return p.section("the task", notes, tables)
}

// ownPairs are the settings of a study of one's own model or text.
func (s *prosocialStudy) ownPairs() []report.Pair {
	var out []report.Pair
	add := func(name, format string, args ...any) {
		out = append(out, report.Pair{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	if s.own.source != nil {
		c := s.own.source.Config
		add("network", "%s of %s, %d layers of %d heads, %d wide", s.Text("model"), c.ModelType, c.NumHiddenLayers, c.NumAttentionHeads, c.HiddenSize)
	} else {
		add("network", "BERT, %d layers of %d heads, %d wide, pretrained on %s with bias %g", s.Int("layers"), s.Int("heads"), s.Int("width"), s.Text("text"), s.Float("bias"))
	}
	if s.own.train != nil {
		add("task", "%s, %d to tune on, %d to test on", s.own.train.Kind, s.trained(), len(s.own.test.Examples))
	}
	add("steps", "debiasing %d, tuning %d, posterior %d, %d samples each", s.steps("debias"), s.steps("tune"), s.steps("posterior"), s.Int("batch"))
	if s.made() {
		add("pretraining", "%d steps", s.steps("pretrain"))
	}
	add("heads", "by %s under another %s, strength %g", s.Text("select"), s.Text("intervention"), s.Float("strength"))
	add("seeds", "%s", strings.Trim(fmt.Sprint(s.seeds), "[]"))
	return out
}
