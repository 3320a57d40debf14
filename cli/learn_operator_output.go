package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"graft/cli/report"
	"graft/export"
	"graft/onnx"
	"graft/onnx/safetensors"
	"graft/training/bilevel"
	"graft/training/chart"
)

// Files of the folder, beside manifest.json, report.html and rows/.
const (
	operatorFile    = "operator.safetensors"
	operatorPicture = "operator.png"
	denoiserFile    = "denoiser.onnx"
	historyFile     = "history.csv"
)

// operatorTensors are the tensors of operator.safetensors: W as graft build takes it, beta, and of a convolution of signals its filters.
func (r *operatorRun) operatorTensors(beta float64) []*onnx.Tensor {
	o := r.analysisOperator()
	dims := []int64{int64(o.Rows), int64(o.Columns)}
	f, filters := r.form.(bilevel.Convolution)
	if filters && r.data.side > 0 {
		dims = []int64{int64(f.Filters), int64(f.Width), int64(f.Width)}
	}
	list := []*onnx.Tensor{onnx.FromSlice(o.W, dims...), onnx.FromSlice([]float64{beta})}
	list[0].Name, list[1].Name = tensorOperator, tensorBeta
	if filters && r.data.side == 0 {
		list = append(list, onnx.FromSlice(r.trained.Parameters, int64(f.Filters), int64(f.Width)))
		list[2].Name = "filters"
	}
	return list
}

// write fills the folder.
func (r *operatorRun) write(doc *operatorLearned) error {
	m, err := r.network(doc.Beta).Build(0)
	if err != nil {
		return refused(denoiserFile, err)
	}
	files := map[string][]byte{historyFile: r.historyCSV()}
	if files[denoiserFile], err = encodeModel(m, denoiserFile); err != nil {
		return err
	}
	if files[operatorFile], err = safetensors.Encode(r.operatorTensors(doc.Beta), map[string]string{"producer": "graft"}); err != nil {
		return err
	}
	if files[operatorPicture], err = r.rowsPNG(r.trained.Parameters); err != nil {
		return err
	}
	drawn, err := filepath.Glob(r.dir.File("rows/*.png"))
	if err != nil {
		return err
	}
	for _, path := range drawn {
		if files["rows/"+filepath.Base(path)], err = os.ReadFile(path); err != nil {
			return folderError(r.Out(), err)
		}
	}
	if files["report.html"], err = r.report(doc, files); err != nil {
		return err
	}
	summary, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	files["summary.json"] = append(summary, '\n')
	manifest := export.NewManifest(readVersion().Version)
	manifest.Settings = map[string]any{"verb": r.verb.name, "data": r.data.from, "form": doc.Form, "sigma": r.sigma, "steps": doc.Steps, "seed": r.Common.Seed}
	for name, data := range files {
		if err := r.dir.WriteFile(name, data); err != nil {
			return folderError(r.Out(), err)
		}
		manifest.Add(name, data)
	}
	for _, name := range []string{operatorCheckpoint, settingsFile} { // that only a resumed run needs
		if err := os.RemoveAll(r.dir.File(name)); err != nil {
			return folderError(r.Out(), err)
		}
	}
	if err := writeManifest(r.dir, manifest); err != nil {
		return folderError(r.Out(), err)
	}
	return nil
}

func (r *operatorRun) report(doc *operatorLearned, files map[string][]byte) ([]byte, error) {
	page := report.Study{Kind: "graft " + r.verb.name, Title: "Operator learned from " + r.data.from}
	page.Summary = append([]string{fmt.Sprintf("%d rows for signals of %d samples, learned from %s with noise of deviation %g in %d steps, in %.0f s.",
		doc.Rows, doc.Length, r.data.count(), r.sigma, doc.Steps, doc.Seconds)}, doc.lines()...)
	operator := report.Section{Title: "W's rows", Text: []string{"Grey is 0, white and black the largest magnitude of the row; of a convolution the filters."},
		Pictures: []report.Picture{{Caption: "at the start", PNG: files[drawnAt(0)]}, {Caption: "learned", PNG: files[operatorPicture]}}}
	if files[drawnAt(0)] == nil {
		operator.Pictures = operator.Pictures[1:]
	}
	page.Sections = append(page.Sections, operator)
	if len(doc.Pictures) > 0 {
		t := report.Table{Head: []string{"picture", "noisy, dB", "denoised, dB"}}
		for _, p := range doc.Pictures {
			t.Rows = append(t.Rows, []string{p.Name, decibelText(p.NoisyPSNR), decibelText(p.PSNR)})
		}
		page.Sections = append(page.Sections, report.Section{Title: "Pictures that were not learned from", Tables: []report.Table{t}})
	}
	page.Sections = append(page.Sections, report.Section{Title: "Training"})
	loss := chart.Series{Name: "mean squared error of the steps, older ones fading"}
	log := true
	for _, h := range r.history {
		loss.X, loss.Y = append(loss.X, float64(h.step)), append(loss.Y, h.mean)
		log = log && h.mean > 0
	}
	if len(loss.X) > 0 {
		if err := page.Draw(chart.Figure{Title: "Training", Panels: []chart.Panel{{XLabel: "step", YLabel: "mean squared error", Log: log, Series: []chart.Series{loss}}}}); err != nil {
			return nil, err
		}
	}
	for _, f := range r.verb.flags {
		name := f.Names()[0]
		page.Set = append(page.Set, report.Pair{Name: "--" + name, Value: fmt.Sprint(r.parsed.Value(name))})
	}
	page.Origin = []report.Pair{{Name: "graft", Value: readVersion().Version}, {Name: "ONNX Runtime", Value: runtimeVersion(r.call)}, {Name: "seed", Value: fmt.Sprint(r.Common.Seed)}}
	var b bytes.Buffer
	err := page.Write(&b)
	return b.Bytes(), err
}

func decibelText(x *float64) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *x)
}

// lines are what is printed.
func (d *operatorLearned) lines() []string {
	lines := []string{fmt.Sprintf("beta %.4g, tuned: mean squared error %.4g, of the noise %.4g", d.Beta, d.MSE, d.NoisyMSE)}
	if d.Edge {
		lines[0] += "; at the end of where it was searched"
	}
	if d.Iterations > 0 {
		lines = append(lines, fmt.Sprintf("%d iterations: %+.3f dB of the solution there", d.Iterations, d.IterationsOff))
	}
	switch {
	case d.TestMSE != nil:
		lines = append(lines, fmt.Sprintf("test: mean squared error %.4g, of the noise %.4g", *d.TestMSE, *d.TestNoisyMSE))
	case d.TestPSNR != nil && d.TestNoisyPSNR != nil:
		lines = append(lines, fmt.Sprintf("test: %.2f dB became %.2f dB, mean of %s", *d.TestNoisyPSNR, *d.TestPSNR, counted(len(d.Pictures), "picture")))
	}
	return append(lines, fmt.Sprintf("%s differs from the solution by %.2g at most; mean squared error %.4g, the solution's %.4g", denoiserFile, d.Solved.MaxAbsDiff, d.Solved.ModelMSE, d.Solved.SolverMSE))
}

func (r *operatorRun) tell(doc *operatorLearned) {
	for _, line := range doc.lines() {
		r.Print("%s", line)
	}
	r.Print("%s: %s, %s, %s and report.html in %.0f s%s", r.Out(), operatorFile, denoiserFile, operatorPicture, doc.Seconds, doc.on())
}
