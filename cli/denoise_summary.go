package cli

import (
	"math"
	"time"

	"graft/training/metric"
	"graft/training/oes"
)

// denoiseSummary is summary.json. PSNR fields are absent when no clean photo is known.
type denoiseSummary struct {
	executed
	NoisyPSNR      *float64          `json:"noisy_psnr,omitempty"`
	MaskOnlyPSNR   *float64          `json:"mask_only_psnr,omitempty"`
	SparseBest     *float64          `json:"sparse_psnr_best,omitempty"`
	SparseFinal    *float64          `json:"sparse_psnr_final,omitempty"`
	DenseBest      *float64          `json:"dense_psnr_best,omitempty"`
	DenseFinal     *float64          `json:"dense_psnr_final,omitempty"`
	DecoderBest    *float64          `json:"decoder_psnr_best,omitempty"`
	DecoderFinal   *float64          `json:"decoder_psnr_final,omitempty"`
	MagnitudeBest  *float64          `json:"magnitude_psnr_best,omitempty"`
	MagnitudeFinal *float64          `json:"magnitude_psnr_final,omitempty"`
	RandomBest     *float64          `json:"random_psnr_best,omitempty"`
	RandomFinal    *float64          `json:"random_psnr_final,omitempty"`
	NoisySSIM      *float64          `json:"noisy_ssim,omitempty"`
	SparseSSIM     *float64          `json:"sparse_ssim,omitempty"`
	Baselines      []baselineSummary `json:"baselines,omitempty"`
	Task           string            `json:"task"`
	Network        string            `json:"network"`
	ParamsTotal    int64             `json:"params_total"`
	ParamsKept     int64             `json:"params_kept"`
	ParamsCompact  int64             `json:"params_compact"`
	Sparsity       float64           `json:"sparsity"`
	BytesDense     int64             `json:"bytes_dense"`
	BytesCompact   int64             `json:"bytes_compact"`
	BytesSparse    int64             `json:"bytes_sparse"`
	MaxAbsDiff     float64           `json:"max_abs_diff"`
	MaskSteps      int64             `json:"mask_steps,omitempty"`
	TrainSteps     int64             `json:"train_steps"`
	Width          int               `json:"width"`
	Height         int               `json:"height"`
	Preset         string            `json:"preset"`
	Seed           uint64            `json:"seed"`
	Seconds        float64           `json:"seconds"`
}

// baselineSummary is what a baseline came to. Its PSNR is that of the last picture, its SSIM too.
type baselineSummary struct {
	Name    string   `json:"name"`
	Best    *float64 `json:"psnr_best,omitempty"`
	Final   *float64 `json:"psnr_final,omitempty"`
	SSIM    *float64 `json:"ssim,omitempty"`
	Seconds float64  `json:"seconds"`
}

// summarize fills the summary from what was made.
func (d *denoising) summarize(r *denoised) error {
	p := d.problem
	s := &r.summary
	s.executed = d.executed()
	if p.Clean != nil {
		s.NoisyPSNR, s.NoisySSIM = psnr(metric.PSNR(d.photo.noisy.Pix, d.photo.clean.Pix)), d.ssim(d.photo.noisy)
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
	m, err := d.picture(r.fit.Image)
	if err != nil {
		return err
	}
	s.SparseSSIM = d.ssim(m)
	if s.Baselines, err = d.summarizeBaselines(r); err != nil {
		return err
	}
	s.ParamsTotal, s.ParamsKept = r.mask.Total(), r.mask.Kept()
	s.Sparsity = 1 - float64(s.ParamsKept)/float64(s.ParamsTotal)
	s.ParamsCompact = r.exported.paramsCompact
	s.BytesDense, s.BytesCompact, s.BytesSparse = r.exported.bytesDense, int64(len(r.exported.compact)), int64(len(r.exported.sparse))
	s.MaxAbsDiff = r.exported.maxAbsDiff
	s.TrainSteps = d.steps
	s.Width, s.Height = p.Region.Width, p.Region.Height
	s.Preset, s.Seed = d.Text("preset"), d.Common.Seed
	s.Task, s.Network = d.task.Name, d.prior.Name
	s.Seconds = math.Round(time.Since(d.started).Seconds()*10) / 10
	return nil
}

func (d *denoising) summarizeBaselines(r *denoised) (list []baselineSummary, err error) {
	for _, b := range r.baselines {
		m, err := d.picture(b.Image)
		if err != nil {
			return nil, err
		}
		for _, c := range d.curves {
			if c.Stage == b.Name {
				s := baselineSummary{Name: b.Name, Best: psnr(best(c.Samples)), Final: psnr(last(c.Samples)), SSIM: d.ssim(m)}
				if n := len(c.Samples); n > 0 {
					s.Seconds = math.Round(c.Samples[n-1].Seconds*10) / 10
				}
				list = append(list, s)
			}
		}
	}
	return list, nil
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
	if s.NoisyPSNR != nil {
		t := table{Head: []string{"", "best dB", "final dB", "SSIM"}}
		for _, row := range d.numbers(r, "-") {
			t.Rows = append(t.Rows, []any{row[0], row[1], row[2], row[3]})
		}
		d.Table(t)
	}
	d.Print("kept %d of %d weights; model.onnx has %d parameters and %d bytes (dense: %d bytes), model.sparse.onnx %d bytes",
		s.ParamsKept, s.ParamsTotal, s.ParamsCompact, s.BytesCompact, s.BytesDense, s.BytesSparse)
	d.Print("the exported files differ from the trained graph by at most %.2g%s", s.MaxAbsDiff, s.on())
	d.Print("%s: denoised.png, report.html and the models, in %.0f s", d.Out(), s.Seconds)
}
