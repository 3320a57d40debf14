package cli

import (
	"bytes"
	"fmt"
	"strings"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/study"
)

// studyCriterion is something that was published, or follows from theory.
type studyCriterion struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Want  string  `json:"want"`
	Met   bool    `json:"met"`
}

func (m studyCriterion) String() string {
	met := "met"
	if !m.Met {
		met = "missed"
	}
	return fmt.Sprintf("%s: %.5g, want %s: %s", m.Name, m.Value, m.Want, met)
}

// studyRecord is a record that has been read.
type studyRecord[T any] struct {
	*study.Record
	Result T
}

// studyRecords reads the records; seconds are those of all cells.
func studyRecords[T any](done *studied) (all []studyRecord[T], seconds float64, err error) {
	for _, r := range done.Records {
		result, err := resultOf[T](r)
		if err != nil {
			return nil, 0, err
		}
		all = append(all, studyRecord[T]{r, result})
		seconds += r.Seconds
	}
	return all, seconds, nil
}

// studyPage is a report under way.
type studyPage struct {
	page   report.Study
	figure chart.Figure // report.png
	tables []report.Table
}

// section adds a part of the report.
func (p *studyPage) section(title string, text []string, tables []report.Table, figures ...chart.Figure) error {
	p.page.Sections = append(p.page.Sections, report.Section{Title: title, Text: text, Tables: tables})
	p.tables = append(p.tables, tables...)
	return p.page.Draw(figures...)
}

// result is what is made of a study: its report, what is printed, and the answer.
func (p *studyPage) result(c *call, summary any, criteria []studyCriterion, failed []failedCell, cells int) (*studyResult, error) {
	out := &studyResult{Summary: summary, Files: map[string][]byte{}}
	for _, m := range criteria {
		out.Lines = append(out.Lines, m.String())
		p.page.Summary = append(p.page.Summary, m.String()+".")
	}
	var why []string
	if n := len(failed); n > 0 {
		why = append(why, fmt.Sprintf("%s failed, the first with: %s", counted(n, "cell"), failed[0].Reason))
		for _, f := range failed {
			p.page.Summary = append(p.page.Summary, f.Cell.String()+" failed: "+f.Reason+".")
		}
	}
	for _, m := range criteria {
		if c.Bool("expect") && !m.Met {
			why = append(why, m.String())
		}
	}
	p.page.Kind = "graft study " + c.verb.name
	p.page.Origin = []report.Pair{{Name: "graft", Value: readVersion().Version}, {Name: "ONNX Runtime", Value: runtimeVersion(c)}}
	var b bytes.Buffer
	if err := p.page.Write(&b); err != nil {
		return nil, err
	}
	out.Files["report.html"] = b.Bytes()
	if len(p.figure.Panels) > 0 {
		picture, err := p.figure.PNG()
		if err != nil {
			return nil, err
		}
		out.Files["report.png"] = picture
	}
	for _, t := range p.tables {
		out.Tables = append(out.Tables, plainTable(t))
	}
	out.Lines = append(out.Lines, fmt.Sprintf("%s: report.html, report.png, results.csv and results.json of %s", c.Out(), counted(cells, "cell")))
	out.No = strings.Join(why, "; ")
	return out, nil
}
