package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"graft/export"
	"graft/onnx"
	"graft/training/oes"
)

// exportedModels are the model files of a run.
type exportedModels struct {
	compact, sparse []byte
	bytesDense      int64
	paramsCompact   int64
	maxAbsDiff      float64
	checks          []export.Check
}

// write fills the work folder.
func (d *denoising) write(r *denoised) error {
	if err := d.export(r); err != nil {
		return err
	}
	if err := d.summarize(r); err != nil {
		return err
	}
	images, err := d.images(r)
	if err != nil {
		return err
	}
	summary, err := json.MarshalIndent(r.summary, "", "  ")
	if err != nil {
		return err
	}
	curves := d.figure()
	chart, err := curves.PNG()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := d.report(r, images, curves).Write(&page); err != nil {
		return err
	}
	files := map[string][]byte{
		"denoised.png": images[d.task.participle()], "model.onnx": r.exported.compact, "model.sparse.onnx": r.exported.sparse,
		"history.csv": d.history(), "psnr.png": chart, "report.html": page.Bytes(), "summary.json": append(summary, '\n'),
	}
	if err := r.mask.WriteFile(d.dir.File("mask.safetensors"), map[string]string{"producer": "graft " + readVersion().Version}); err != nil {
		return err
	}
	if files["mask.safetensors"], err = os.ReadFile(d.dir.File("mask.safetensors")); err != nil {
		return err
	}
	manifest := export.NewManifest(readVersion().Version)
	manifest.Checks = r.exported.checks
	manifest.Settings = map[string]any{"task": d.task.describe(), "network": d.prior.Name, "preset": d.Text("preset"), "seed": d.Common.Seed, "sparsity": r.summary.Sparsity}
	for name, data := range files {
		if err := d.dir.WriteFile(name, data); err != nil {
			return err
		}
		manifest.Add(name, data)
	}
	if err := d.dropWork(); err != nil {
		return err
	}
	return writeManifest(d.dir, manifest)
}

// dropWork takes what only a resumed run needs out of the folder.
func (d *denoising) dropWork() error {
	work, err := filepath.Glob(d.dir.File("checkpoint-*"))
	if err != nil {
		return err
	}
	for _, path := range append(work, d.dir.File(settingsFile)) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// export makes the model files and runs each against the trained graph.
func (d *denoising) export(r *denoised) error {
	d.Progress().Stage("export", 0)
	base := export.Deployment{Z: export.ZGenerate, Key: oes.ZKey(d.Common.Seed), Scale: oes.ZScale, Metadata: d.metadata(r)}
	region := d.problem.Region
	photo := func(m *onnx.Model) (*onnx.Model, error) {
		return export.Crop(m, int64(region.X), int64(region.Y), int64(region.Width), int64(region.Height))
	}
	untrained, err := photo(d.problem.Network)
	if err != nil {
		return err
	}
	trained, err := photo(r.fit.Model)
	if err != nil {
		return err
	}
	dense, err := base.Apply(untrained)
	if err != nil {
		return err
	}
	data, err := dense.Model.Encode()
	if err != nil {
		return err
	}
	e := &r.exported
	e.bytesDense = int64(len(data))
	base.Compact = true
	feeds := map[string]*onnx.Tensor{d.problem.Network.Graph.Inputs()[0].Name: d.problem.Z}
	for _, variant := range []struct {
		file   string
		sparse bool
		to     *[]byte
	}{{"model.onnx", false, &e.compact}, {"model.sparse.onnx", true, &e.sparse}} {
		base.Sparse = variant.sparse
		deployed, err := base.Apply(trained)
		if err != nil {
			return err
		}
		diff, err := export.Verify(d.Context(), trained, deployed.Model, feeds, export.Float32, d.session())
		if err != nil {
			return failed(fmt.Errorf("%s: %w", variant.file, err), "")
		}
		if *variant.to, err = deployed.Model.Encode(); err != nil {
			return err
		}
		e.paramsCompact = deployed.Compaction.After
		e.maxAbsDiff = max(e.maxAbsDiff, diff)
		e.checks = append(e.checks, export.Check{File: variant.file, Precision: "fp32", MaxAbs: diff, Tolerance: export.Float32})
	}
	return nil
}

// metadata is the provenance that the model files carry.
func (d *denoising) metadata(r *denoised) onnx.Metadata {
	return onnx.Metadata{
		{Key: "graft.version", Value: readVersion().Version},
		{Key: "graft.method", Value: "Optimal Eye Surgeon, Sparse-DIP"},
		{Key: "graft.task", Value: d.task.describe()},
		{Key: "graft.network", Value: d.prior.Name},
		{Key: "graft.seed", Value: fmt.Sprint(d.Common.Seed)},
		{Key: "graft.preset", Value: d.Text("preset")},
		{Key: "graft.sparsity", Value: fmt.Sprintf("%.6g", 1-float64(r.mask.Kept())/float64(r.mask.Total()))},
		{Key: "graft.steps", Value: fmt.Sprint(d.steps)},
		{Key: "graft.onnxruntime", Value: runtimeVersion(d.call)},
	}
}

// history is history.csv: stage, step, loss, psnr, seconds.
func (d *denoising) history() []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"stage", "step", "loss", "psnr", "seconds"}) // a buffer takes everything
	for _, c := range d.curves {
		for _, s := range c.Samples {
			psnr := ""
			if s.PSNR != oes.NoPSNR {
				psnr = strconv.FormatFloat(s.PSNR, 'f', 4, 64)
			}
			_ = w.Write([]string{c.Stage, fmt.Sprint(s.Step), strconv.FormatFloat(s.Loss, 'g', 7, 64), psnr, strconv.FormatFloat(s.Seconds, 'f', 2, 64)})
		}
	}
	w.Flush()
	return b.Bytes()
}
