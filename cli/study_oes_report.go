package cli

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/metric"
	"graft/training/oes"
	"graft/training/study"
)

// pm is a mean with its standard error, "" where there is none.
func pm(e *study.Estimate, decimals int) string {
	switch {
	case e == nil:
		return ""
	case e.SE == nil:
		return fmt.Sprintf("%.*f", decimals, e.Mean)
	}
	return fmt.Sprintf("%.*f ± %.*f", decimals, e.Mean, decimals, *e.SE)
}

// methodTable is peaks and finals with standard errors.
func methodTable(g oesGroup) report.Table {
	t := report.Table{Head: []string{fmt.Sprintf("noise %g, %g %% removed", g.Noise, round2(100*g.Sparsity)), "peak (dB)", "final (dB)", "fall", "SSIM peak", "SSIM final", "mask only (dB)", "cells"}}
	for _, m := range g.Methods {
		t.Rows = append(t.Rows, []string{m.Method, pm(m.Peak, 2), pm(m.Final, 2), pm(m.Fall, 2), pm(m.SSIMPeak, 3), pm(m.SSIMFinal, 3), pm(m.MaskOnly, 2), fmt.Sprint(m.Cells)})
	}
	return t
}

func round2(x float64) float64 { return float64(int(x*100+0.5)) / 100 }

// pairedTable is OES minus every other method.
func pairedTable(g oesGroup) report.Table {
	t := report.Table{Head: []string{"OES minus", "final (dB)", "above zero", "peak (dB)", "above zero"}}
	for _, p := range g.Paired {
		row := []string{p.Method, signed(p.Final), fmt.Sprintf("%d of %d", p.Final.Above, p.Final.N), "", ""}
		if p.Peak != nil {
			row[3], row[4] = signed(p.Peak), fmt.Sprintf("%d of %d", p.Peak.Above, p.Peak.N)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// signed is a mean with its sign and standard error.
func signed(e *study.Estimate) string {
	if e == nil {
		return ""
	}
	if e.SE == nil {
		return fmt.Sprintf("%+.2f", e.Mean)
	}
	return fmt.Sprintf("%+.2f ± %.2f", e.Mean, *e.SE)
}

// sizeTable is files and speeds.
func sizeTable(g oesGroup) report.Table {
	t := report.Table{Head: []string{"", "weights kept", "after compaction", "dense file", "compact", "sparse", "packed", "run, ms", "dense run, ms", "low frequencies"}}
	for _, m := range g.Methods {
		if m.BytesDense == nil {
			continue
		}
		low := ""
		if m.Low != nil {
			low = fmt.Sprintf("%.1f %%", 100*m.Low.Mean)
		}
		t.Rows = append(t.Rows, []string{m.Method, mean(m.ParamsKept), mean(m.ParamsCompact), mean(m.BytesDense), mean(m.BytesCompact), mean(m.BytesSparse),
			mean(m.BytesPacked), number2(m.LatencyMS), number2(m.LatencyDense), low})
	}
	return t
}

func mean(e *study.Estimate) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("%.0f", e.Mean)
}

func number2(e *study.Estimate) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("%.2f", e.Mean)
}

// plainTable is a report's table for a terminal.
func plainTable(t report.Table) table {
	out := table{Head: t.Head}
	for _, r := range t.Rows {
		cells := make([]any, len(r))
		for i, c := range r {
			cells[i] = c
		}
		out.Rows = append(out.Rows, cells)
	}
	return out
}

// reportFiles are report.html and report.png.
func (s *oesStudy) reportFiles(sum *oesSummary, all []*oesRecord) (map[string][]byte, error) {
	page := report.Study{Kind: "graft study oes", Title: "Optimal Eye Surgeon beside its baselines", Summary: s.lead(sum)}
	var figure chart.Figure
	for i, g := range sum.Groups {
		name := fmt.Sprintf("noise %g, %g %% removed", g.Noise, round2(100*g.Sparsity))
		page.Sections = append(page.Sections, report.Section{Title: "Results: " + name, Text: s.deadLines(g), Tables: []report.Table{methodTable(g), pairedTable(g)}})
		curves := s.curveFigures(all, g, name)
		page.Sections = append(page.Sections, report.Section{Title: "Curves: " + name,
			Text: []string{"The mean over pictures and seeds, sampled every 25 steps."}, Drawings: nil})
		if err := page.Draw(curves...); err != nil {
			return nil, err
		}
		if i == len(sum.Groups)-1 || g.Sparsity == expectedSparsity && len(figure.Panels) == 0 {
			figure = s.pictureOf(curves, s.spectra(all, g, name), name)
		}
		page.Sections = append(page.Sections, report.Section{Title: "Sizes and speeds: " + name,
			Text:   []string{"Bytes of whole files: dense is the network unmasked; compact has dead channels cut away; sparse stores zeros as sparse_initializer; packed is the entropy-coded form. Times are the least of several runs on the machine as it was. Low frequencies: the share of the untrained masked output's power below an eighth of a cycle a sample."},
			Tables: []report.Table{sizeTable(g)}})
	}
	page.Sections = append(page.Sections, s.sweep(sum))
	if err := page.Draw(sweepFigure(sum)...); err != nil {
		return nil, err
	}
	for _, g := range sum.Groups {
		name := fmt.Sprintf("noise %g, %g %% removed", g.Noise, round2(100*g.Sparsity))
		page.Sections = append(page.Sections, report.Section{Title: "Before training: " + name,
			Text: []string{"Power by radial frequency of what the masked network draws before it is trained: which frequencies a mask lets through. Masks that leave no path from z to the picture are left out."}})
		if err := page.Draw(s.spectra(all, g, name)...); err != nil {
			return nil, err
		}
		page.Sections = append(page.Sections, s.layers(all, g, name))
		masks, err := s.masks(all, g, name)
		if err != nil {
			return nil, err
		}
		page.Sections = append(page.Sections, masks)
	}
	page.Set, page.Origin = s.setPairs(), []report.Pair{{Name: "graft", Value: readVersion().Version}, {Name: "ONNX Runtime", Value: runtimeVersion(s.call)}}
	var b bytes.Buffer
	if err := page.Write(&b); err != nil {
		return nil, err
	}
	files := map[string][]byte{"report.html": b.Bytes()}
	if len(figure.Panels) > 0 {
		picture, err := figure.PNG()
		if err != nil {
			return nil, err
		}
		files["report.png"] = picture
	}
	return files, nil
}

// lead are the sentences at the top.
func (s *oesStudy) lead(sum *oesSummary) []string {
	lines := []string{fmt.Sprintf("%s of %s, %s, %s; %s.", counted(len(s.methods), "method"), counted(len(s.pictures), "picture"),
		counted(len(s.seeds), "seed"), counted(len(s.sparsities)*len(s.noises), "group"), "± is a standard error over pictures and seeds")}
	for _, c := range sum.Criteria {
		lines = append(lines, criterionLine(c)+".")
	}
	for _, b := range sum.Broken {
		lines = append(lines, b.File+" is left out: "+b.Reason+".")
	}
	for _, f := range sum.Failed {
		lines = append(lines, f.Cell.String()+" failed: "+f.Reason+".")
	}
	return append(lines, sum.Notes...)
}

// averaged is the mean of the curves of several cells, as far as they have the same steps.
func averaged(records []*oesRecord, of func(*oesCurve) []float64) chart.Series {
	var out chart.Series
	n := 0.0
	for _, r := range records {
		if r.Curve == nil {
			continue
		}
		y := of(r.Curve)
		if n == 0 {
			for i, step := range r.Curve.Step {
				out.X, out.Y = append(out.X, float64(step)), append(out.Y, y[i])
			}
			n++
			continue
		}
		if len(y) != len(out.Y) {
			continue // a larger picture has fewer steps
		}
		for i := range y {
			out.Y[i] += y[i]
		}
		n++
	}
	for i := range out.Y {
		out.Y[i] /= n
	}
	return out
}

// curveFigures are PSNR and SSIM over the steps: methods that do not prune, and those that do.
func (s *oesStudy) curveFigures(all []*oesRecord, g oesGroup, name string) []chart.Figure {
	var figures []chart.Figure
	for _, pruning := range []bool{false, true} {
		psnr, ssim := chart.Panel{YLabel: "PSNR (dB)"}, chart.Panel{XLabel: "step", YLabel: "SSIM"}
		for _, m := range s.drawn() {
			if (m.Needs&oes.NeedsSparsity != 0) != pruning && m.Name != oesName {
				continue
			}
			records := ofMethod(all, m.Name, g.Noise, g.Sparsity)
			p, q := averaged(records, func(c *oesCurve) []float64 { return c.PSNR }), averaged(records, func(c *oesCurve) []float64 { return c.SSIM })
			if len(p.X) == 0 {
				p, q = s.level(records, finalPSNR), s.level(records, func(r *oesRecord) *float64 { return r.SSIMFinal })
			}
			p.Name, q.Name = m.Name, m.Name
			if len(p.X) > 0 {
				psnr.Series, ssim.Series = append(psnr.Series, p), append(ssim.Series, q)
			}
		}
		if len(psnr.Series) > 0 {
			title := "methods that do not prune, and OES: "
			if pruning {
				title = "methods that prune: "
			}
			figures = append(figures, chart.Figure{Title: title + name, Panels: []chart.Panel{psnr, ssim}})
		}
	}
	return figures
}

// drawn are the methods in the order of legends: what is held against the others stands first.
func (s *oesStudy) drawn() []oes.Method {
	list := slices.Clone(s.methods)
	if i := slices.IndexFunc(list, func(m oes.Method) bool { return m.Name == oesName }); i > 0 {
		ours := list[i]
		list = slices.Insert(slices.Delete(list, i, i+1), 0, ours)
	}
	return list
}

// level is the line of a method without steps.
func (s *oesStudy) level(records []*oesRecord, of func(*oesRecord) *float64) chart.Series {
	sum, n := 0.0, 0.0
	for _, r := range records {
		if v := of(r); v != nil {
			sum += *v
			n++
		}
	}
	if n == 0 {
		return chart.Series{}
	}
	end := float64(s.stepsFor(s.pictures[0]).Fit)
	return chart.Series{X: []float64{oes.Every, end}, Y: []float64{sum / n, sum / n}}
}

// spectra are the powers by frequency before training, beside those of the pictures.
func (s *oesStudy) spectra(all []*oesRecord, g oesGroup, name string) []chart.Figure {
	panel := chart.Panel{XLabel: "cycles a sample", YLabel: "power", Log: true}
	add := func(name string, list [][]float64) {
		if len(list) == 0 {
			return
		}
		series := chart.Series{Name: name}
		for i := range spectrumRings {
			sum := 0.0
			for _, x := range list {
				sum += x[i] / float64(len(list))
			}
			series.X, series.Y = append(series.X, (float64(i)+0.5)/(2*spectrumRings)), append(series.Y, sum)
		}
		panel.Series = append(panel.Series, series)
	}
	for _, m := range s.drawn() {
		var list [][]float64
		for _, r := range ofMethod(all, m.Name, g.Noise, g.Sparsity) {
			if len(r.Spectrum) == spectrumRings && !r.oneColour() {
				list = append(list, r.Spectrum)
			}
		}
		add(m.Name, list)
	}
	if len(panel.Series) == 0 {
		return nil
	}
	var clean [][]float64
	for _, p := range s.pictures {
		if power, err := metric.Spectrum(p.clean.Pix, p.clean.Height, p.clean.Width, spectrumRings); err == nil {
			clean = append(clean, power)
		}
	}
	add("clean pictures", clean)
	return []chart.Figure{{Title: "untrained output: " + name, Panels: []chart.Panel{panel}}}
}

// pictureOf is report.png: PSNR of all methods, and the spectra.
func (s *oesStudy) pictureOf(curves, spectra []chart.Figure, name string) chart.Figure {
	f := chart.Figure{Title: fmt.Sprintf("Optimal Eye Surgeon, %s", name)}
	for _, c := range curves {
		panel := c.Panels[0]
		panel.XLabel = "step"
		f.Panels = append(f.Panels, panel)
	}
	for _, c := range spectra {
		f.Panels = append(f.Panels, c.Panels...)
	}
	return f
}

// sweep is the heading of what becomes of methods as more weights go.
func (s *oesStudy) sweep(sum *oesSummary) report.Section {
	if len(s.sparsities) < 2 {
		return report.Section{}
	}
	t := report.Table{Head: []string{"final (dB), fraction removed"}}
	for _, sparsity := range s.sparsities {
		t.Head = append(t.Head, fmt.Sprintf("%g", sparsity))
	}
	for _, noise := range s.noises {
		for _, m := range s.methods {
			row := []string{fmt.Sprintf("%s, noise %g", m.Name, noise)}
			for _, sparsity := range s.sparsities {
				row = append(row, pm(methodIn(sum, m.Name, noise, sparsity).Final, 2))
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return report.Section{Title: "Over sparsity", Tables: []report.Table{t}}
}

func methodIn(sum *oesSummary, method string, noise, sparsity float64) oesMethod {
	for _, g := range sum.Groups {
		if g.Noise != noise || g.Sparsity != sparsity {
			continue
		}
		if i := slices.IndexFunc(g.Methods, func(m oesMethod) bool { return m.Method == method }); i >= 0 {
			return g.Methods[i]
		}
	}
	return oesMethod{}
}

func sweepFigure(sum *oesSummary) []chart.Figure {
	var figures []chart.Figure
	byNoise := map[float64]int{}
	for _, g := range sum.Groups {
		at, known := byNoise[g.Noise]
		if !known {
			at = len(figures)
			byNoise[g.Noise] = at
			figures = append(figures, chart.Figure{Title: fmt.Sprintf("noise %g: final PSNR over sparsity", g.Noise), Panels: []chart.Panel{{XLabel: "fraction removed", YLabel: "PSNR (dB)"}}})
		}
		panel := &figures[at].Panels[0]
		for _, m := range g.Methods {
			if m.Final == nil {
				continue
			}
			i := slices.IndexFunc(panel.Series, func(s chart.Series) bool { return s.Name == m.Method })
			if i < 0 {
				panel.Series = append(panel.Series, chart.Series{Name: m.Method})
				i = len(panel.Series) - 1
			}
			panel.Series[i].X, panel.Series[i].Y = append(panel.Series[i].X, g.Sparsity), append(panel.Series[i].Y, m.Final.Mean)
		}
	}
	return slices.DeleteFunc(figures, func(f chart.Figure) bool { return len(f.Panels[0].Series) == 0 || len(f.Panels[0].Series[0].X) < 2 })
}

// layers is how much each mask keeps of each parameter.
func (s *oesStudy) layers(all []*oesRecord, g oesGroup, name string) report.Section {
	sec := report.Section{Title: "Kept weights per layer: " + name}
	t := report.Table{Head: []string{"% kept, mean"}}
	var names []string
	columns := map[string]map[string]float64{}
	for _, m := range s.methods {
		column, n := map[string]float64{}, 0.0
		for _, r := range ofMethod(all, m.Name, g.Noise, g.Sparsity) {
			if len(r.Layers) == 0 {
				continue
			}
			n++
			for _, l := range r.Layers {
				if !slices.Contains(names, l.Name) {
					names = append(names, l.Name)
				}
				column[l.Name] += 100 * float64(l.Kept) / float64(l.Total)
			}
		}
		if n == 0 {
			continue
		}
		for k := range column {
			column[k] /= n
		}
		columns[m.Name] = column
		t.Head = append(t.Head, m.Name)
	}
	for _, l := range names {
		row := []string{l}
		for _, m := range t.Head[1:] {
			row = append(row, fmt.Sprintf("%.3g", columns[m][l]))
		}
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) > 0 {
		sec.Tables = []report.Table{t}
	}
	if ours := columns[oesName]; ours != nil {
		var bars []chart.Bar
		for _, l := range names {
			bars = append(bars, chart.Bar{Name: l, Value: ours[l] / 100})
		}
		sec.Drawings = []string{chart.BarsSVG("weights that OES keeps per layer", bars)}
	}
	return sec
}

// masks shows one mask of each method: of the first picture and seed.
func (s *oesStudy) masks(all []*oesRecord, g oesGroup, name string) (report.Section, error) {
	sec := report.Section{Title: "Masks: " + name, Text: []string{fmt.Sprintf("Of %s, seed %d. A tile for each convolution in the network's order, a pixel for each pair of output (down) and input (across): black where nothing is kept of the kernel, white where all is, the root of the fraction between.", s.pictures[0].name, s.seeds[0])}}
	for _, m := range s.methods {
		for _, r := range ofMethod(all, m.Name, g.Noise, g.Sparsity) {
			if len(r.Layers) == 0 || r.Cell.Get("picture") != s.pictures[0].id || r.Cell.Get("seed") != fmt.Sprint(s.seeds[0]) {
				continue
			}
			data, err := os.ReadFile(filepath.Join(s.Out(), "cells", r.Cell.Key()+".png"))
			if err != nil {
				continue // the picture of a cell is not what its result depends on
			}
			sec.Pictures = append(sec.Pictures, report.Picture{Caption: m.Name, PNG: data})
		}
	}
	return sec, nil
}

// setPairs are the settings.
func (s *oesStudy) setPairs() []report.Pair {
	steps := s.stepsFor(s.pictures[0])
	names := make([]string, len(s.pictures))
	for i, p := range s.pictures {
		names[i] = fmt.Sprintf("%s (%dx%d)", p.name, p.clean.Width, p.clean.Height)
	}
	return []report.Pair{
		{Name: "pictures", Value: strings.Join(names, ", ")},
		{Name: "preset", Value: s.presetName},
		{Name: "seeds", Value: strings.Trim(fmt.Sprint(s.seeds), "[]")},
		{Name: "mask steps", Value: fmt.Sprint(steps.Mask)}, {Name: "training steps", Value: fmt.Sprint(steps.Fit)}, {Name: "steps of a round of imp", Value: fmt.Sprint(steps.Round)},
		{Name: "strength of the prior", Value: fmt.Sprint(s.preset.Strength)},
		{Name: "kept whole", Value: s.wholeSaid()},
	}
}

// wholeSaid is what masks keep whole, for people.
func (s *oesStudy) wholeSaid() string {
	if s.Text("protect") != protectOwn {
		return s.Text("protect")
	}
	kinds := map[string][]string{}
	for _, m := range s.methods {
		if m.Needs&oes.NeedsSparsity != 0 {
			kinds[s.protects(m)] = append(kinds[s.protects(m)], m.Name)
		}
	}
	var said []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		said = append(said, kind+": "+strings.Join(kinds[kind], ", "))
	}
	return strings.Join(said, "; ")
}
