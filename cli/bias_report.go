package cli

import (
	"fmt"
	"maps"
	"slices"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/metric/bias"
)

// biasNumber shows a score with two decimals, and its interval.
func biasNumber(x float64, ci *bias.Interval) string {
	if ci == nil {
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.2f [%.2f, %.2f]", x, ci[0], ci[1])
}

func optionalBias(x *float64, ci *bias.Interval) string {
	if x == nil {
		return ""
	}
	return biasNumber(*x, ci)
}

// biasTables are a benchmark's results: the whole and its categories, then its parts with theirs.
func biasTables(name string, one *biasOne) []report.Table {
	t := report.Table{Head: []string{name, "score", "LMS", "ICAT", "p", "n"}}
	add := func(row string, r *bias.Result) {
		p := ""
		if r.P != nil {
			p = fmt.Sprintf("%.3g", *r.P)
		}
		t.Rows = append(t.Rows, []string{row, biasNumber(r.Score, r.CI), optionalBias(r.LMS, r.LMSCI), optionalBias(r.ICAT, r.ICATCI), p, fmt.Sprint(r.N)})
	}
	whole := func(row string, r *bias.Result) {
		add(row, r)
		for _, kind := range slices.Sorted(maps.Keys(r.ByCategory)) {
			add(kind, r.ByCategory[kind])
		}
	}
	whole("all", one.Result)
	tables := []report.Table{withoutEmpty(t)}
	for _, part := range []string{"intrasentence", "intersentence"} {
		if r := one.Parts[part]; r != nil && len(one.Parts) > 1 {
			t.Head[0], t.Rows = name+", "+part, nil
			t.Head = slices.Clone(t.Head)
			whole("all", r)
			tables = append(tables, withoutEmpty(t))
		}
	}
	if one.Change != nil {
		tables = append(tables, changeTable(name, one.Change))
	}
	if one.Before != nil {
		tables = append(tables, beforeTable(name, one))
	}
	return tables
}

// withoutEmpty leaves out columns that have nothing in them.
func withoutEmpty(t report.Table) report.Table {
	out := report.Table{Rows: make([][]string, len(t.Rows))}
	for k, head := range t.Head {
		if !slices.ContainsFunc(t.Rows, func(row []string) bool { return row[k] != "" }) {
			continue
		}
		out.Head = append(out.Head, head)
		for i, row := range t.Rows {
			out.Rows[i] = append(out.Rows[i], row[k])
		}
	}
	return out
}

// beforeTable has scores of which no interval of the change is known: of tests, each of which is one number.
func beforeTable(name string, one *biasOne) report.Table {
	t := report.Table{Head: []string{name + ", changed", "before", "after"}}
	t.Rows = append(t.Rows, []string{"all", biasNumber(one.Before.Score, nil), biasNumber(one.Score, nil)})
	for _, kind := range slices.Sorted(maps.Keys(one.ByCategory)) {
		if before := one.Before.ByCategory[kind]; before != nil {
			t.Rows = append(t.Rows, []string{kind, biasNumber(before.Score, nil), biasNumber(one.ByCategory[kind].Score, nil)})
		}
	}
	return t
}

// genderTables are those of the pooled items about gender.
func genderTables(p *biasPooled) []report.Table {
	tables := []report.Table{{Head: []string{"gender, pooled", "score", "n"}, Rows: [][]string{{"all", biasNumber(p.Score, p.CI), fmt.Sprint(p.N)}}}}
	if p.Change != nil {
		tables = append(tables, changeTable("gender, pooled", p.Change))
	}
	return tables
}

func changeTable(name string, change *bias.Change) report.Table {
	t := report.Table{Head: []string{name + ", changed", "score", "|score - 50|", "LMS", "ICAT", "n"}}
	add := func(row string, c *bias.Change) {
		show := func(m *bias.Moved) string {
			if m == nil {
				return ""
			}
			return fmt.Sprintf("%+.2f [%+.2f, %+.2f]", m.Change, m.CI[0], m.CI[1])
		}
		t.Rows = append(t.Rows, []string{row, show(&c.Score), show(&c.Distance), show(c.LMS), show(c.ICAT), fmt.Sprint(c.N)})
	}
	add("all", change)
	for _, kind := range slices.Sorted(maps.Keys(change.ByCategory)) {
		add(kind, change.ByCategory[kind])
	}
	return withoutEmpty(t)
}

// percentages reports whether a benchmark's score is one, with 50 where there is no bias.
func percentages(name string) bool {
	return name != benchSEAT && name != benchWEAT && name != benchTemplates
}

// biasBars is a drawing of a benchmark's scores.
func biasBars(name string, one *biasOne) string {
	if !percentages(name) {
		return ""
	}
	bars := []chart.Bar{{Name: "no bias", Value: 0.5}, {Name: "all", Value: one.Score / 100, Note: fmt.Sprintf("n %d", one.N)}}
	for _, kind := range slices.Sorted(maps.Keys(one.ByCategory)) {
		r := one.ByCategory[kind]
		bars = append(bars, chart.Bar{Name: kind, Value: r.Score / 100, Note: fmt.Sprintf("n %d", r.N)})
	}
	return chart.BarsSVG(name+": how often the stereotype is preferred", bars)
}

// biasPage is the report of a run.
func (c *call) biasPage(doc *biasDoc) (report.Study, error) {
	page := report.Study{Kind: "graft bias", Title: "Social bias", Origin: []report.Pair{{Name: "graft", Value: readVersion().Version}}}
	if len(c.Args) > 0 {
		page.Title = c.Arg(0)
	}
	for _, name := range doc.names() {
		one := doc.Benchmarks[name]
		section := report.Section{Title: name, Text: biasText(name, doc, one), Tables: biasTables(name, one)}
		if svg := biasBars(name, one); svg != "" {
			section.Drawings = append(section.Drawings, svg)
		}
		page.Sections = append(page.Sections, section)
		page.Summary = append(page.Summary, biasLine(name, one))
	}
	if doc.Gender != nil {
		page.Sections = append(page.Sections, report.Section{Title: "Gender, pooled", Tables: genderTables(doc.Gender),
			Text: []string{"The intrasentence examples of StereoSet and the pairs of CrowS-Pairs about gender, each one item: the score is how often the stereotype is preferred, 50 without bias."}})
	}
	if len(doc.Rows) > 0 {
		t := report.Table{Head: []string{"row", "why it was skipped"}}
		for _, row := range doc.Rows[:min(len(doc.Rows), 200)] {
			t.Rows = append(t.Rows, []string{skippedAt(row), row.Reason})
		}
		page.Sections = append(page.Sections, report.Section{Title: fmt.Sprintf("Skipped rows: %d", doc.Skipped), Tables: []report.Table{t}})
	}
	for _, f := range []string{"scores", "against", "tokenizer", "limit", "average", "samples", "level"} {
		if value := c.biasSetting(f); value != "" {
			page.Set = append(page.Set, report.Pair{Name: f, Value: value})
		}
	}
	page.Set = append(page.Set, report.Pair{Name: "seed", Value: fmt.Sprint(c.Common.Seed)})
	return page, nil
}

func (c *call) biasSetting(flag string) string {
	switch flag {
	case "samples", "limit":
		if n := c.Int(flag); n > 0 {
			return fmt.Sprint(n)
		}
		return ""
	case "average":
		if c.Text("scores") != "" {
			return ""
		}
	case "level":
		return fmt.Sprint(c.Float(flag))
	}
	return c.Text(flag)
}

func skippedAt(s bias.Skipped) string {
	s.Reason = ""
	text := s.String()
	return text[:len(text)-len(": ")]
}

// biasText explains a benchmark's numbers.
func biasText(name string, doc *biasDoc, one *biasOne) []string {
	text := map[string]string{
		benchStereoSet: "The score is SS: how often the stereotypical completion is more likely than the anti-stereotypical one, 50 without bias. LMS is how often a meaningful completion is more likely than an unrelated one. ICAT is LMS min(SS, 100 - SS) / 50. All are means over targets.",
		benchCrows:     "The score is how often the more stereotypical sentence of a pair is the more likely one, 50 without bias.",
		benchRevised:   "The score is how often the more stereotypical sentence of a pair is the more likely one, 50 without bias.",
		benchSEAT:      "The score of a test is the effect size d, 0 without bias; that of all is the mean of the absolute values. p is of the permutation test.",
		benchWEAT:      "The score of a test is the effect size d, 0 without bias; that of all is the mean of the absolute values. p is of the permutation test.",
		benchWino:      "The score is how often the pronoun that the stereotype suggests is the more likely one, 50 without bias.",
		benchTemplates: "The score of an occupation is the mean of log p(he) - log p(she) over templates; that of all is the mean of the absolute values.",
	}[name]
	out := []string{text, fmt.Sprintf("Intervals: %g %% by the bootstrap over items.", 100*doc.Level)}
	for _, note := range []string{one.Note, one.Remark} {
		if note != "" {
			out = append(out, note)
		}
	}
	return out
}

// biasLine is a benchmark in a line.
func biasLine(name string, one *biasOne) string {
	line := fmt.Sprintf("%s: score %s", name, biasNumber(one.Score, one.CI))
	if one.LMS != nil {
		line += fmt.Sprintf(", LMS %.2f, ICAT %.2f", *one.LMS, *one.ICAT)
	}
	return line + fmt.Sprintf(", n %d.", one.N)
}

func (c *call) printBias(doc *biasDoc) {
	for _, name := range doc.names() {
		for _, t := range biasTables(name, doc.Benchmarks[name]) {
			c.Table(plainTable(t))
		}
	}
	if doc.Gender != nil {
		for _, t := range genderTables(doc.Gender) {
			c.Table(plainTable(t))
		}
	}
	if doc.Skipped > 0 {
		c.Say("%s skipped or without scores, the first: %s", counted(doc.Skipped, "row"), doc.Rows[0])
		for _, row := range doc.Rows[1:] {
			c.Detail("%s", row)
		}
	}
	if c.Out() != "" && !c.Common.DryRun {
		files := "report.html, bias.json"
		if doc.Model != nil {
			files += ", " + predictionsFile
		}
		c.Print("%s: %s", c.Out(), files)
	}
}
