package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/prosocial"
)

// headScoreText explains the scores.
var headScoreText = map[string]string{
	prosocial.ScoreLog:          "log natural indirect effect",
	prosocial.ScoreRatio:        "natural indirect effect, a ratio less one",
	prosocial.ScoreAblation:     "what log p(stereotype)/p(anti-stereotype) loses without the head",
	prosocial.ScoreAblationBias: "what its mean magnitude loses without the head",
	prosocial.ScoreGradients:    "part of log p(stereotype)/p(anti-stereotype), integrated gradients",
	prosocial.ScoreWidth:        "width of the posterior",
}

// headsMap is a score as layers of heads.
func (d *headsDoc) headsMap(score string) chart.Heatmap {
	h := chart.Heatmap{Title: score, Note: headScoreText[score], YLabel: "layer", XLabel: "head", Diverging: score != prosocial.ScoreWidth}
	for range d.Layers {
		row := make([]float64, d.HeadsALayer)
		for i := range row {
			row[i] = math.NaN()
		}
		h.Values = append(h.Values, row)
	}
	for _, one := range d.Heads {
		h.Values[one.Layer][one.Head.Head] = one.Scores[score]
	}
	return h
}

// topHeads are the n highest scores of a kind: of widths the narrowest.
func (d *headsDoc) topHeads(score string, n int) []prosocial.HeadScore {
	top := slices.Clone(d.Heads)
	slices.SortStableFunc(top, func(a, b prosocial.HeadScore) int {
		x, y := a.Scores[score], b.Scores[score]
		if score == prosocial.ScoreWidth {
			x, y = y, x
		}
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return top[:min(n, len(top))]
}

// headsTable has the heads of the highest scores, score by score beside each other.
func (d *headsDoc) headsTable(n int) report.Table {
	t := report.Table{Head: []string{"rank"}}
	for _, score := range d.Scores {
		t.Head = append(t.Head, "head", score)
	}
	for i := range min(n, len(d.Heads)) {
		row := []string{fmt.Sprint(i + 1)}
		for _, score := range d.Scores {
			h := d.topHeads(score, n)[i]
			row = append(row, h.Head.String(), fmt.Sprintf("%.4g", h.Scores[score]))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// lines say what was measured.
func (d *headsDoc) lines() []string {
	var out []string
	if d.Prompts > 0 {
		line := fmt.Sprintf("%s of %s, %d layers of %d heads, %d there.", counted(d.Prompts, "prompt"), counted(d.Words, "occupation"), d.Layers, d.HeadsALayer, len(d.Heads))
		if d.TotalLog != nil {
			line += fmt.Sprintf(" Total effect of another %s: ratio %.4g, logarithm %.4g.", d.Intervention, *d.TotalRatio, *d.TotalLog)
		}
		out = append(out, line)
	}
	if d.Signed != nil {
		out = append(out, fmt.Sprintf("log p(stereotype)/p(anti-stereotype): mean over occupations %.4g, of magnitudes %.4g.", *d.Signed, *d.Bias))
	}
	if g := d.Gradients; g != nil {
		out = append(out, fmt.Sprintf("Integrated gradients, %d nodes, by %s: the sum of parts is off by %.2g, the measure is %.4g with open gates.", g.Nodes, g.Path, g.Gap, g.Open))
	}
	if n := len(d.Unused); n > 0 {
		out = append(out, fmt.Sprintf("%s not used, the first %s: %s.", counted(n, "occupation"), quote(d.Unused[0].Word), d.Unused[0].Reason))
	}
	return out
}

// writeHeads writes the folder.
func (c *call) writeHeads(d *headsDoc) error {
	page := report.Study{Kind: "graft heads", Title: "Heads of attention: " + d.Model, Summary: d.lines(),
		Origin: []report.Pair{{Name: "graft", Value: readVersion().Version}, {Name: "ONNX Runtime", Value: runtimeVersion(c)}}}
	page.Sections = []report.Section{{Title: "highest scores", Tables: []report.Table{d.headsTable(c.Int("top"))}}, {Title: "layers of heads"}}
	files := map[string][]byte{}
	for _, score := range d.Scores {
		h := d.headsMap(score)
		if err := page.Map(h); err != nil {
			return err
		}
		svg, err := h.SVG()
		if err != nil {
			return err
		}
		files[score+".svg"] = []byte(svg)
	}
	var html, text bytes.Buffer
	if err := page.Write(&html); err != nil {
		return err
	}
	if err := writeJSON(&text, d); err != nil {
		return err
	}
	manifest, err := json.MarshalIndent(map[string]any{"producer": "graft", "verb": "heads", "version": readVersion().Version, "scores": d.Scores}, "", "  ")
	if err != nil {
		return err
	}
	files["report.html"], files["heads.json"], files["manifest.json"] = html.Bytes(), text.Bytes(), append(manifest, '\n')
	dir, err := createFolder(c.Out(), c.Common.Force)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Abort() }() // nothing after Commit
	for name, data := range files {
		if err := dir.WriteFile(name, data); err != nil {
			return folderError(c.Out(), err)
		}
	}
	if err := dir.Commit(); err != nil {
		return folderError(c.Out(), err)
	}
	return nil
}

func (c *call) printHeads(d *headsDoc) {
	if c.Common.DryRun {
		c.Print("would score %s by %s prompts of %s", counted(len(d.Heads), "head"), grouped(int64(d.Prompts)), counted(d.Words, "occupation"))
		return
	}
	c.Table(plainTable(d.headsTable(c.Int("top"))))
	for _, line := range d.lines() {
		c.Print("%s", line)
	}
	if c.Out() != "" {
		c.Print("%s: report.html, heads.json, %s.svg", c.Out(), strings.Join(d.Scores, ".svg, "))
	}
}
