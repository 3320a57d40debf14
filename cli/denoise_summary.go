package cli

import (
	"fmt"
	"math"
	"time"

	"graft/training/oes"
)

// denoiseSummary is summary.json. PSNR fields are absent when no clean photo is known.
type denoiseSummary struct {
	executed
	NoisyPSNR      *float64 `json:"noisy_psnr,omitempty"`
	MaskOnlyPSNR   *float64 `json:"mask_only_psnr,omitempty"`
	SparseBest     *float64 `json:"sparse_psnr_best,omitempty"`
	SparseFinal    *float64 `json:"sparse_psnr_final,omitempty"`
	DenseBest      *float64 `json:"dense_psnr_best,omitempty"`
	DenseFinal     *float64 `json:"dense_psnr_final,omitempty"`
	DecoderBest    *float64 `json:"decoder_psnr_best,omitempty"`
	DecoderFinal   *float64 `json:"decoder_psnr_final,omitempty"`
	MagnitudeBest  *float64 `json:"magnitude_psnr_best,omitempty"`
	MagnitudeFinal *float64 `json:"magnitude_psnr_final,omitempty"`
	RandomBest     *float64 `json:"random_psnr_best,omitempty"`
	RandomFinal    *float64 `json:"random_psnr_final,omitempty"`
	ParamsTotal    int64    `json:"params_total"`
	ParamsKept     int64    `json:"params_kept"`
	ParamsCompact  int64    `json:"params_compact"`
	Sparsity       float64  `json:"sparsity"`
	BytesDense     int64    `json:"bytes_dense"`
	BytesCompact   int64    `json:"bytes_compact"`
	BytesSparse    int64    `json:"bytes_sparse"`
	MaxAbsDiff     float64  `json:"max_abs_diff"`
	MaskSteps      int64    `json:"mask_steps,omitempty"`
	TrainSteps     int64    `json:"train_steps"`
	Width          int      `json:"width"`
	Height         int      `json:"height"`
	Preset         string   `json:"preset"`
	Seed           uint64   `json:"seed"`
	Seconds        float64  `json:"seconds"`
}

// summarize fills the summary from what was made.
func (d *denoising) summarize(r *denoised) {
	p := d.problem
	s := &r.summary
	s.executed = d.executed()
	if p.Clean != nil {
		s.NoisyPSNR = psnr(oes.RegionPSNR(p.Noisy, p.Clean, p.Region))
		s.MaskOnlyPSNR = psnr(oes.RegionPSNR(r.masked, p.Clean, p.Region))
	}
	for _, c := range d.curves {
		switch c.Stage {
		case "sparse":
			s.SparseBest, s.SparseFinal = psnr(best(c.Samples)), psnr(last(c.Samples))
		case "dense":
			s.DenseBest, s.DenseFinal = psnr(best(c.Samples)), psnr(last(c.Samples))
		case "decoder":
			s.DecoderBest, s.DecoderFinal = psnr(best(c.Samples)), psnr(last(c.Samples))
		case "magnitude":
			s.MagnitudeBest, s.MagnitudeFinal = psnr(best(c.Samples)), psnr(last(c.Samples))
		case "random":
			s.RandomBest, s.RandomFinal = psnr(best(c.Samples)), psnr(last(c.Samples))
		case "mask":
			s.MaskSteps = d.preset.MaskSteps
		}
	}
	s.ParamsTotal, s.ParamsKept = r.mask.Total(), r.mask.Kept()
	s.Sparsity = 1 - float64(s.ParamsKept)/float64(s.ParamsTotal)
	s.ParamsCompact = r.exported.paramsCompact
	s.BytesDense, s.BytesCompact, s.BytesSparse = r.exported.bytesDense, int64(len(r.exported.compact)), int64(len(r.exported.sparse))
	s.MaxAbsDiff = r.exported.maxAbsDiff
	s.TrainSteps = d.steps
	s.Width, s.Height = p.Region.Width, p.Region.Height
	s.Preset, s.Seed = d.Text("preset"), d.Common.Seed
	s.Seconds = math.Round(time.Since(d.started).Seconds()*10) / 10
}

// psnr is a PSNR for JSON: absent when it is not known, two numbers after the point are not enough for tests, so all.
func psnr(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// tell prints the result for people.
func (d *denoising) tell(r *denoised) {
	s := r.summary
	decibel := func(v *float64) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprintf("%.2f", *v)
	}
	if s.NoisyPSNR != nil {
		t := table{Head: []string{"", "best dB", "final dB"}, Rows: [][]any{{"noisy", "", decibel(s.NoisyPSNR)}, {"mask only", "", decibel(s.MaskOnlyPSNR)}}}
		for _, c := range d.curves {
			if c.Stage != "mask" {
				t.Rows = append(t.Rows, []any{c.Stage, decibel(psnr(best(c.Samples))), decibel(psnr(last(c.Samples)))})
			}
		}
		d.Table(t)
	}
	d.Print("kept %d of %d weights; model.onnx has %d parameters and %d bytes (dense: %d bytes), model.sparse.onnx %d bytes",
		s.ParamsKept, s.ParamsTotal, s.ParamsCompact, s.BytesCompact, s.BytesDense, s.BytesSparse)
	d.Print("the exported files differ from the trained graph by at most %.2g%s", s.MaxAbsDiff, s.on())
	d.Print("%s: denoised.png, report.html and the models, in %.0f s", d.Out(), s.Seconds)
}
