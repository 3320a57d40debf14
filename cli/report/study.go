package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"image/png"
	"io"

	"graft/training/chart"
)

// Section is a part of a study's report; what is empty is left out, and a section of nothing with its heading.
type Section struct {
	Title    string
	Text     []string // paragraphs
	Tables   []Table
	Drawings []string // svg elements of training/chart
	Pictures []Picture
}

func (s Section) empty() bool { return len(s.Tables)+len(s.Drawings)+len(s.Pictures) == 0 }

// Study is the report of a study. Every string is taken as foreign and escaped.
type Study struct {
	Kind     string // "graft study oes"
	Title    string
	Summary  []string // what came out, a paragraph each
	Sections []Section
	Set      []Pair // settings
	Origin   []Pair // versions
}

//go:embed study.html
var studyHTML string

var studyPage = template.Must(template.Must(denoisePage.Clone()).New("study").Parse(studyHTML))

// drawing is a figure or a heat map.
type drawing interface{ SVG() (string, error) }

// Draw adds figures to the last section.
func (s *Study) Draw(figures ...chart.Figure) error { return draw(s, figures) }

// Map adds heat maps to the last section.
func (s *Study) Map(maps ...chart.Heatmap) error { return draw(s, maps) }

func draw[D drawing](s *Study, all []D) error {
	for _, f := range all {
		svg, err := f.SVG()
		if err != nil {
			return err
		}
		last := &s.Sections[len(s.Sections)-1]
		last.Drawings = append(last.Drawings, svg)
	}
	return nil
}

// Write writes the page. A picture that is no PNG, a table with rows of odd length, and an SVG with anything but drawing
// in it are errors. The same report gives the same bytes.
func (s Study) Write(w io.Writer) error {
	type section struct {
		Section
		Drawings []template.HTML // drawingOnly has passed them
	}
	page := struct {
		Study
		Sections []section
	}{Study: s}
	for _, part := range s.Sections {
		if part.empty() {
			continue
		}
		out := section{Section: part}
		for _, p := range part.Pictures {
			if _, err := png.DecodeConfig(bytes.NewReader(p.PNG)); err != nil {
				return fmt.Errorf("write report: picture %q: %w", oneLine(p.Caption), err)
			}
		}
		for _, t := range part.Tables {
			for i, r := range t.Rows {
				if len(r) != len(t.Head) {
					return fmt.Errorf("write report: row %d of a table has %d cells, its head %d", i+1, len(r), len(t.Head))
				}
			}
		}
		for _, svg := range part.Drawings {
			if err := drawingOnly(svg); err != nil {
				return fmt.Errorf("write report: %s: %w", oneLine(part.Title), err)
			}
			out.Drawings = append(out.Drawings, template.HTML(svg))
		}
		page.Sections = append(page.Sections, out)
	}
	var b bytes.Buffer
	if err := studyPage.Execute(&b, page); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
