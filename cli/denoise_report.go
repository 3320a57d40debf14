package cli

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"graft/cli/report"
	"graft/training/chart"
	"graft/training/dataset"
	"graft/training/oes"
)

// figure draws the curves: PSNR above where it is known, loss below.
func (d *denoising) figure() chart.Figure {
	var psnr, loss []chart.Series
	for _, c := range d.curves {
		if c.Stage == "mask" {
			continue
		}
		p, l := chart.Series{Name: c.Stage}, chart.Series{Name: c.Stage}
		for _, s := range c.Samples {
			l.X, l.Y = append(l.X, float64(s.Step)), append(l.Y, s.Loss)
			if s.PSNR != oes.NoPSNR {
				p.X, p.Y = append(p.X, float64(s.Step)), append(p.Y, s.PSNR)
			}
		}
		loss = append(loss, l)
		if len(p.X) > 0 {
			psnr = append(psnr, p)
		}
	}
	f := chart.Figure{Title: d.photo.name}
	if len(psnr) > 0 {
		f.Panels = append(f.Panels, chart.Panel{XLabel: "step", YLabel: "PSNR (dB)", Series: psnr})
	}
	f.Panels = append(f.Panels, chart.Panel{XLabel: "step", YLabel: "loss", Log: true, Series: loss})
	return f
}

// cropSide is the side of the enlarged part, cropFactor by how much.
const (
	cropSide   = 64
	cropFactor = 4
)

// report gathers the page.
func (d *denoising) report(r *denoised, images map[string][]byte, curves chart.Figure) report.Denoise {
	s := r.summary
	page := report.Denoise{Title: d.photo.name, Steps: d.notes}
	if s.NoisyPSNR != nil && s.SparseFinal != nil {
		page.Summary = fmt.Sprintf("%.2f dB became %.2f dB with %d of %d weights.", *s.NoisyPSNR, *s.SparseFinal, s.ParamsKept, s.ParamsTotal)
	} else {
		page.Summary = fmt.Sprintf("%s with %d of %d weights.", firstUpper(d.task.participle()), s.ParamsKept, s.ParamsTotal)
	}
	x, y := d.photo.noisy.Busiest(cropSide, cropSide)
	for _, name := range d.captions(r) {
		data := images[name]
		if data == nil {
			continue
		}
		page.Images = append(page.Images, report.Picture{Caption: name, PNG: data})
		if name == "mask only" {
			continue
		}
		if crop := enlarge(data, x, y); crop != nil {
			page.Crops = append(page.Crops, report.Picture{Caption: name, PNG: crop})
		}
	}
	if s.NoisyPSNR != nil {
		page.Numbers = report.Table{Head: []string{"", "best (dB)", "final (dB)", "SSIM"}, Rows: d.numbers(r, "")}
	}
	if svg, err := curves.SVG(); err == nil {
		page.Curves = svg
	}
	var bars []chart.Bar
	for _, m := range r.mask.Masks() {
		kept := m.Kept()
		bars = append(bars, chart.Bar{Name: m.Name, Value: float64(kept) / float64(len(m.Keep)), Note: fmt.Sprintf("%d of %d", kept, len(m.Keep))})
	}
	page.Layers = chart.BarsSVG("weights kept per layer", bars)
	page.Sizes = report.Table{Head: []string{"", "parameters", "bytes"}, Rows: [][]string{
		{"dense", fmt.Sprint(s.ParamsTotal), fmt.Sprint(s.BytesDense)},
		{"compact (model.onnx)", fmt.Sprint(s.ParamsCompact), fmt.Sprint(s.BytesCompact)},
		{"sparse (model.sparse.onnx)", fmt.Sprint(s.ParamsKept), fmt.Sprint(s.BytesSparse)},
	}}
	page.Use = elsewhere
	page.Set = []report.Pair{
		{Name: "task", Value: d.task.describe()}, {Name: "network", Value: s.Network}, {Name: "preset", Value: s.Preset}, {Name: "sparsity", Value: fmt.Sprintf("%.4g", s.Sparsity)},
		{Name: "mask steps", Value: fmt.Sprint(s.MaskSteps)}, {Name: "training steps", Value: fmt.Sprint(s.TrainSteps)},
		{Name: "size", Value: fmt.Sprintf("%d x %d", s.Width, s.Height)}, {Name: "seconds", Value: fmt.Sprint(s.Seconds)},
	}
	page.Origin = []report.Pair{
		{Name: "graft", Value: readVersion().Version}, {Name: "ONNX Runtime", Value: runtimeVersion(d.call)},
		{Name: "seed", Value: fmt.Sprint(s.Seed)}, {Name: "photo SHA-256", Value: strings.ReplaceAll(d.photo.hash, "+", " ")},
		{Name: "largest difference of an exported file", Value: fmt.Sprintf("%.3g", s.MaxAbsDiff)},
	}
	return page
}

// numbers are the rows of the table of PSNR and SSIM, with a word for what is not known.
func (d *denoising) numbers(r *denoised, unknown string) [][]string {
	cell := func(v *float64, digits int) string {
		if v == nil {
			return unknown
		}
		return strconv.FormatFloat(*v, 'f', digits, 64)
	}
	s := r.summary
	rows := [][]string{
		{d.task.adjective(), "", cell(s.NoisyPSNR, 2), cell(s.NoisySSIM, 4)},
		{"mask only", "", cell(s.MaskOnlyPSNR, 2), ""},
		{"sparse", cell(s.SparseBest, 2), cell(s.SparseFinal, 2), cell(s.SparseSSIM, 4)},
	}
	for _, b := range s.Baselines {
		rows = append(rows, []string{b.Name, cell(b.Best, 2), cell(b.Final, 2), cell(b.SSIM, 4)})
	}
	return rows
}

func firstUpper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// enlarge is a part of a picture, pixel by pixel; nil when the picture is too small.
func enlarge(data []byte, x, y int) []byte {
	m, err := dataset.DecodeImage("picture", data)
	if err != nil {
		return nil
	}
	part, err := m.Zoom(x, y, min(cropSide, m.Width-x), min(cropSide, m.Height-y), cropFactor)
	if err != nil {
		return nil
	}
	var b bytes.Buffer
	if dataset.WritePNG(&b, part) != nil {
		return nil
	}
	return b.Bytes()
}

// elsewhere shows how to run model.onnx in other runtimes: it has no inputs.
var elsewhere = []report.Code{
	{Title: "Python, onnxruntime", Text: `import onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
image = session.run(None, {})[0]  # float32 [1, 3, H, W] in (0, 1)`},
	{Title: "JavaScript, onnxruntime-node or onnxruntime-web", Text: `const session = await ort.InferenceSession.create("model.onnx");
const { image } = await session.run({});`},
	{Title: "Command line", Text: `graft run model.onnx --out outputs/`},
}
