package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"graft/export"
	"graft/export/packed"
	"graft/onnx"
	"graft/onnx/atomicfile"
	"graft/runtime"
	"graft/training"
	"graft/training/metric"
	"graft/training/oes"
	"graft/training/study"
)

// oesResult is what a cell of the study comes to. What does not apply is absent.
type oesResult struct {
	NoisyPSNR     *float64        `json:"noisy_psnr"`
	NoisySSIM     *float64        `json:"noisy_ssim"`
	MaskOnlyPSNR  *float64        `json:"mask_only_psnr,omitempty"`
	Peak          *float64        `json:"psnr_peak,omitempty"` // the largest sample of the curve
	PeakStep      *int64          `json:"peak_step,omitempty"`
	Final         *float64        `json:"psnr_final"`
	SSIMPeak      *float64        `json:"ssim_peak,omitempty"`
	SSIMFinal     *float64        `json:"ssim_final"`
	Loss          *float64        `json:"loss_final,omitempty"`
	StopStep      *int64          `json:"stop_step,omitempty"` // chosen by the method itself
	ParamsTotal   int64           `json:"params_total,omitempty"`
	ParamsKept    int64           `json:"params_kept,omitempty"`
	ParamsCompact int64           `json:"params_compact,omitempty"`
	BytesDense    int64           `json:"bytes_dense,omitempty"`
	BytesCompact  int64           `json:"bytes_compact,omitempty"`
	BytesSparse   int64           `json:"bytes_sparse,omitempty"`
	BytesPacked   int64           `json:"bytes_packed,omitempty"`
	LatencyMS     float64         `json:"latency_ms,omitempty"` // of the compacted network, the least of several runs
	LatencyDense  float64         `json:"latency_dense_ms,omitempty"`
	Dead          []string        `json:"dead_layers,omitempty"`
	Layers        []oes.LayerKept `json:"layers,omitempty"`
	Spectrum      []float64       `json:"spectrum,omitempty"` // of what the masked network draws untrained
	Curve         *oesCurve       `json:"curve,omitempty"`
}

// oneColour says that what the masked network draws untrained does not depend on z: no path leads through.
func (r *oesResult) oneColour() bool {
	if len(r.Layers) == 0 || len(r.Spectrum) == 0 {
		return false
	}
	return slices.Max(r.Spectrum) < leastPower
}

// leastPower is what the rounding of one colour stays below in a spectrum.
const leastPower = 1e-16

// oesCurve is what is sampled every 25 steps.
type oesCurve struct {
	Step []int64   `json:"step"`
	PSNR []float64 `json:"psnr"`
	SSIM []float64 `json:"ssim"`
	Loss []float64 `json:"loss"`
}

// spectrumRings is how many frequencies spectra tell apart.
const spectrumRings = 16

// oesCell is a cell under way.
type oesCell struct {
	*oesStudy
	cell    study.Cell
	method  oes.Method
	problem *oes.Problem
	trial   *oes.Trial
	work    string
	ssim    map[int64]float64 // of the fit, by step
}

// Run does a cell.
func (s *oesStudy) Run(ctx context.Context, c study.Cell, work string, folder *study.Folder) (any, error) {
	p, m, err := s.find(c)
	if err != nil {
		return nil, err
	}
	run := &oesCell{oesStudy: s, cell: c, method: m, work: work, ssim: map[int64]float64{}}
	if run.trial, err = s.trial(p, c); err != nil {
		return nil, err
	}
	run.problem, run.trial.Stage = run.trial.Problem, run.stage
	out, err := m.Run(ctx, run.trial)
	if err != nil {
		return nil, err
	}
	result, err := run.result(ctx, out)
	if err != nil {
		return nil, err
	}
	if out.Keep == nil {
		return result, nil
	}
	return result, run.keep(out.Keep, folder)
}

// checkpointEvery is how many steps of a cell lie between checkpoints: a cell is short.
const checkpointEvery = 1000

// savedStage is what a checkpoint of a stage holds beside the state.
type savedStage struct {
	Samples []oes.Sample      `json:"samples"`
	SSIM    map[int64]float64 `json:"ssim"`
}

// stage sets a stage of a cell up.
func (r *oesCell) stage(name string, steps int64) oes.Run {
	dir := filepath.Join(r.work, name)
	run := oes.Run{Session: r.session(), SaveEvery: checkpointEvery,
		Save: func(step *training.Step, snap *training.Snapshot, samples []oes.Sample) error {
			if name == "fit" && snap.Steps >= steps {
				return nil // the cell is about to end
			}
			if err := os.MkdirAll(r.work, 0o755); err != nil {
				return atomicfile.Wrap(r.work, err)
			}
			return step.SaveCheckpoint(dir, snap, savedStage{samples, r.ssim})
		},
		Resume: func(step *training.Step) (*training.Snapshot, []oes.Sample, error) {
			var saved savedStage
			snap, err := step.LoadCheckpoint(dir, nil, &saved)
			if errors.Is(err, training.ErrNoCheckpoint) {
				return nil, nil, nil
			}
			if err == nil && saved.SSIM != nil && name == "fit" {
				r.ssim = saved.SSIM
			}
			return snap, saved.Samples, err
		},
	}
	if name == "fit" {
		run.Seen = func(step int64, image func() (*onnx.Tensor, error)) error {
			if step%oes.Every != 0 || step == 0 {
				return nil
			}
			t, err := image()
			if err == nil {
				r.ssim[step] = r.similarity(t)
			}
			return err
		}
	}
	return run
}

// session is where a cell's models run: without --threads, cells at once share the cores.
func (s *oesStudy) session() runtime.Options { return sharedSession(s.call) }

// sharedSession are a session's options where cells may run at once.
func sharedSession(c *call) runtime.Options {
	o := c.runtimeOptions()
	if jobs := c.Int("jobs"); jobs > 1 && o.Threads == 0 {
		o.Threads = max(1, goruntime.NumCPU()/jobs)
	}
	return o
}

// result measures what a method made.
func (r *oesCell) result(ctx context.Context, out *oes.Outcome) (*oesResult, error) {
	p := r.problem
	res := &oesResult{
		NoisyPSNR: psnr(oes.RegionPSNR(p.Noisy, p.Clean, p.Region)), NoisySSIM: psnr(r.similarity(p.Noisy)),
	}
	drawn, clean := out.Region.Pixels(out.Image), p.Region.Pixels(p.Clean)
	res.Final, res.SSIMFinal = psnr(metric.PSNR(drawn, clean)), psnr(metric.SSIM(drawn, clean, p.Region.Height, p.Region.Width))
	if out.Stop != nil {
		res.StopStep = &out.Stop.Step
	}
	if out.Fit != nil {
		r.curve(res, out.Fit)
	}
	if out.Keep == nil && r.cell.Get("method") != "dense" {
		return res, nil
	}
	if err := r.untrained(ctx, res, out.Keep); err != nil {
		return nil, err
	}
	return res, r.sizes(ctx, res, out)
}

// curve puts the samples of a fit into the result.
func (r *oesCell) curve(res *oesResult, fit *oes.Fit) {
	samples := fit.Samples
	if len(samples) == 0 {
		return
	}
	last := samples[len(samples)-1]
	r.ssim[last.Step] = r.similarity(fit.Image)
	c := &oesCurve{}
	best := 0
	for i, s := range samples {
		c.Step, c.PSNR, c.SSIM, c.Loss = append(c.Step, s.Step), append(c.PSNR, s.PSNR), append(c.SSIM, r.ssim[s.Step]), append(c.Loss, s.Loss)
		if s.PSNR > samples[best].PSNR {
			best = i
		}
	}
	res.Curve, res.Loss = c, &last.Loss
	res.Peak, res.PeakStep = psnr(samples[best].PSNR), &samples[best].Step
	res.SSIMPeak = psnr(slices.Max(c.SSIM))
}

// untrained is what the mask lets through before training.
func (r *oesCell) untrained(ctx context.Context, res *oesResult, keep []bool) error {
	p, network := r.problem, r.problem.Network
	if keep != nil {
		network = oes.Masked(network, keep)
		res.Layers, res.Dead = oes.KeptLayers(p.Network, keep), oes.DeadLayers(p.Network, keep)
	}
	image, err := p.Draw(ctx, network, r.session())
	if err != nil {
		return err
	}
	res.MaskOnlyPSNR = psnr(oes.RegionPSNR(image, p.Clean, p.Region))
	d := image.Dims
	if res.Spectrum, err = metric.Spectrum(image.Float32s(), int(d[2]), int(d[3]), spectrumRings); err != nil {
		return err
	}
	for i, v := range res.Spectrum {
		if math.IsNaN(v) {
			res.Spectrum[i] = 0
		}
	}
	return nil
}

// sizes makes the files that a deployment would have, and times them.
func (r *oesCell) sizes(ctx context.Context, res *oesResult, out *oes.Outcome) error {
	base := export.Deployment{Z: export.ZGenerate, Key: oes.ZKey(r.trial.Seed), Scale: oes.ZScale}
	size := func(d export.Deployment, m *onnx.Model) (int64, *export.Deployed, error) {
		deployed, err := d.Apply(m)
		if err != nil {
			return 0, nil, err
		}
		data, err := deployed.Model.Encode()
		return int64(len(data)), deployed, err
	}
	bytesDense, _, err := size(base, r.problem.Network)
	if err != nil {
		return err
	}
	res.BytesDense = bytesDense
	for _, v := range training.Parameters(r.problem.Network.Graph) {
		res.ParamsTotal += v.Const.Len()
	}
	res.ParamsKept, res.ParamsCompact = res.ParamsTotal, res.ParamsTotal
	if res.LatencyDense, err = r.latency(ctx, r.problem.Network, false); err != nil || out.Keep == nil {
		return err
	}
	res.ParamsKept = 0
	for _, k := range out.Keep {
		if k {
			res.ParamsKept++
		}
	}
	base.Compact = true
	var compact *export.Deployed
	if res.BytesCompact, compact, err = size(base, out.Fit.Model); err != nil {
		return err
	}
	res.ParamsCompact = compact.Compaction.After
	if res.LatencyMS, err = r.latency(ctx, out.Fit.Model, true); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := packed.Write(&b, compact.Model, packed.Config{}); err != nil {
		return err
	}
	res.BytesPacked = int64(b.Len())
	base.Sparse = true
	res.BytesSparse, _, err = size(base, out.Fit.Model)
	return err
}

// latencyRuns is how many runs a latency is the least of.
const latencyRuns = 7

// latency times a network that is given z: one that makes it has no input, and the runtime computes its output when it opens it.
func (r *oesCell) latency(ctx context.Context, m *onnx.Model, compact bool) (float64, error) {
	deployed, err := export.Deployment{Compact: compact}.Apply(m)
	if err != nil {
		return 0, err
	}
	session, err := runtime.OpenModel(deployed.Model, r.session())
	if err != nil {
		return 0, err
	}
	defer session.Close()
	feeds := map[string]*onnx.Tensor{}
	for _, in := range session.Inputs() { // none where nothing depends on z any more
		feeds[in.Name] = r.problem.Z
	}
	least := math.Inf(1)
	for range latencyRuns {
		begun := time.Now()
		if _, err := session.Run(ctx, feeds); err != nil {
			return 0, err
		}
		least = min(least, time.Since(begun).Seconds()*1000)
	}
	return math.Round(least*1000) / 1000, nil
}

// similarity is the SSIM to the clean picture, without the padding.
func (r *oesCell) similarity(image *onnx.Tensor) float64 {
	g := r.problem.Region
	return metric.SSIM(g.Pixels(image), g.Pixels(r.problem.Clean), g.Height, g.Width)
}

// keep writes what is wanted of a mask beside the cell's result: its picture, and itself with --keep-masks.
func (r *oesCell) keep(keep []bool, folder *study.Folder) error {
	set, err := oes.UnpackMask(r.problem.Network, keep)
	if err != nil {
		return err
	}
	picture, err := maskPicture(set)
	if err != nil {
		return err
	}
	name := filepath.Join("cells", r.cell.Key())
	if err := folder.WriteFile(name+".png", picture); err != nil || !r.Bool("keep-masks") {
		return err
	}
	return set.WriteFile(folder.Path(name+".safetensors"), map[string]string{"cell": r.cell.String()})
}

// Line is a finished cell.
func (s *oesStudy) Line(r *study.Record) string {
	res, err := resultOf[oesResult](r)
	if err != nil {
		return r.Cell.String()
	}
	c := r.Cell
	line := fmt.Sprintf("%s, noise %s, seed %s, %s", c.Get("image"), c.Get("noise"), c.Get("seed"), c.Get("method"))
	if sparsity := c.Get("sparsity"); sparsity != "" {
		line += fmt.Sprintf(" at %s", sparsity)
	}
	if res.Final != nil {
		line += fmt.Sprintf(": %.2f dB", *res.Final)
	}
	if res.Peak != nil {
		line += fmt.Sprintf(", %.2f at step %d", *res.Peak, *res.PeakStep)
	}
	if res.oneColour() {
		line += "; no path leads from z to the picture"
	} else if len(res.Dead) > 0 {
		line += "; nothing is left of " + namesShort(res.Dead)
	}
	return line + fmt.Sprintf(" (%.1f s)", r.Seconds)
}

// namesShort lists a few names.
func namesShort(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
