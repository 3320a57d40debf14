package pipeline

import (
	"fmt"
	"html"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Text draws the plan as a list: each run behind those that it needs, which stand below it.
func (p *Plan) Text() string {
	var b strings.Builder
	for _, r := range p.Runs {
		fmt.Fprintf(&b, "%s (%s)\n", printable(r.ID), r.Step.Verb)
		for _, n := range r.Needs {
			fmt.Fprintf(&b, "  <- %s\n", printable(n.ID))
		}
		for _, path := range p.reads(r) {
			fmt.Fprintf(&b, "  <- %s\n", printable(path))
		}
		for _, o := range r.Step.Outputs {
			fmt.Fprintf(&b, "  -> %s\n", printable(o.Name))
		}
	}
	return b.String()
}

// printable is s, in quotes where it holds what a terminal would act on.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// reads are the files outside of the results that a run's words lead to, as they are written.
func (p *Plan) reads(r *Run) (list []string) {
	for _, w := range r.Words {
		files, err := p.files(w)
		if err != nil {
			continue
		}
		for _, path := range files {
			if !p.below(path, p.Places.Work) {
				if path = p.written(path); !slices.Contains(list, path) {
					list = append(list, path)
				}
			}
		}
	}
	return list
}

func (p *Plan) written(path string) string {
	return strings.TrimPrefix(path, p.File.Dir()+"/")
}

// DOT draws the plan for Graphviz.
func (p *Plan) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=LR;\n  node [shape=box];\n", strconv.Quote(p.File.Name))
	files := map[string]bool{}
	for _, r := range p.Runs {
		for _, path := range p.reads(r) {
			files[path] = true
		}
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "  %s [shape=note];\n", strconv.Quote("file:"+path))
	}
	for _, r := range p.Runs {
		fmt.Fprintf(&b, "  %s [label=%s];\n", strconv.Quote(r.ID), strconv.Quote(strings.Join(label(r), "\n")))
		for _, n := range r.Needs {
			fmt.Fprintf(&b, "  %s -> %s;\n", strconv.Quote(n.ID), strconv.Quote(r.ID))
		}
		for _, path := range p.reads(r) {
			fmt.Fprintf(&b, "  %s -> %s;\n", strconv.Quote("file:"+path), strconv.Quote(r.ID))
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func label(r *Run) []string {
	lines := []string{r.Step.Name, r.Step.Verb}
	for _, a := range slices.Sorted(maps.Keys(r.Cell)) {
		lines = append(lines, a+"="+r.Cell[a])
	}
	return lines
}

// Sizes of the drawing in pixels.
const (
	boxWidth, boxGap = 220, 60
	lineHeight       = 18
	rowGap           = 24
)

// SVG draws the plan in columns: a run stands right of all that it needs.
func (p *Plan) SVG() string {
	column := map[*Run]int{}
	var columns [][]*Run
	for _, r := range p.Runs {
		at := 0
		for _, n := range r.Needs {
			at = max(at, column[n]+1)
		}
		column[r] = at
		for len(columns) <= at {
			columns = append(columns, nil)
		}
		columns[at] = append(columns[at], r)
	}
	type box struct{ x, y, h int }
	boxes, height := map[*Run]box{}, 0
	for i, list := range columns {
		y := rowGap
		for _, r := range list {
			h := lineHeight*len(label(r)) + 12
			boxes[r] = box{boxGap/2 + i*(boxWidth+boxGap), y, h}
			y += h + rowGap
		}
		height = max(height, y)
	}
	var b strings.Builder
	width := len(columns) * (boxWidth + boxGap)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="13">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(p.File.Name))
	for _, r := range p.Runs {
		to := boxes[r]
		for _, n := range r.Needs {
			from := boxes[n]
			x1, y1, x2, y2 := from.x+boxWidth, from.y+from.h/2, to.x, to.y+to.h/2
			fmt.Fprintf(&b, `<path d="M%d %d C%d %d %d %d %d %d" fill="none" stroke="#888"/>`+"\n", x1, y1, x1+boxGap/2, y1, x2-boxGap/2, y2, x2, y2)
		}
	}
	for _, r := range p.Runs {
		at := boxes[r]
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" rx="5" fill="#f4f6f8" stroke="#456"/>`+"\n", at.x, at.y, boxWidth, at.h)
		for i, line := range label(r) {
			weight := ""
			if i == 0 {
				weight = ` font-weight="bold"`
			}
			fmt.Fprintf(&b, `<text x="%d" y="%d"%s>%s</text>`+"\n", at.x+10, at.y+lineHeight*(i+1), weight, html.EscapeString(shorten(line)))
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// shorten cuts a line that does not fit its box, and takes out what XML does not allow or a reader would not see.
func shorten(s string) string {
	const longest = 28
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest-1]) + "…"
	}
	return s
}
