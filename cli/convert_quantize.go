package cli

import (
	"fmt"
	"slices"

	"graft/export"
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/quantize"
	"graft/onnx/rewrite"
	"graft/runtime"
)

// quantizedModel is what graft convert --json says of --quantize.
type quantizedModel struct {
	Quantize    string `json:"kind"`
	Calibration string `json:"calibration,omitempty"`
	Samples     int    `json:"samples,omitempty"` // runs that the ranges come from
	*quantize.Report
	MaxRel *runtime.Real `json:"max_rel,omitempty"` // largest max|a-b| / max|a| of an output on those runs; absent when not run
}

// convertQuantize applies --quantize.
func (c *call) convertQuantize(path string, w *content, doc *convertedFile) error {
	kind := c.Text("quantize")
	least := int64(quantize.LeastOpset)
	if kind == "int4" && c.Text("int4-form") == "standard" {
		least = quantize.BlockOpset
	}
	if from := w.model.Opset(""); from < least {
		m := w.model.Clone()
		changes, err := rewrite.ToOpset(m, least)
		if err != nil {
			return refused(path, err)
		}
		if c.Int("opset") != 0 {
			return misuse("--opset %d: --quantize %s wants opset %d or later", c.Int("opset"), kind, least)
		}
		c.Say("brought to opset %d, which --quantize %s needs", least, kind)
		w.model, doc.Changes = m, changes
	}
	m := w.model.Clone()
	op.InferModel(m)
	if m.Graph.UnlistInitializers() > 0 {
		m.IRVersion = max(m.IRVersion, 4)
	}
	m.Graph.AssignNames()
	original := m.Clone()
	if err := quantize.Prepare(m); err != nil {
		return refused(path, err)
	}
	done := &quantizedModel{Quantize: kind}
	static := kind == "int8-static"
	if static && c.Bool("no-verify") {
		return misuse("--no-verify: --quantize int8-static takes its ranges from runs")
	}
	var feeds []map[string]*onnx.Tensor
	var err error
	if !c.Bool("no-verify") {
		if feeds, err = c.sampleFeeds(path, m); err != nil {
			return err
		}
	}
	form := quantize.Weights{PerTensor: c.Bool("per-tensor"), FullRange: c.Bool("full-range")}
	switch kind {
	case "int8-static":
		cal := export.Calibrator{Method: export.Calibration(c.Text("calibration")), Percentile: c.Float("percentile"), Feeds: feeds, Options: c.runtimeOptions()}
		ranges, err := cal.Ranges(c.Context(), m, quantize.Activations(m))
		if err != nil {
			return c.convertError(path, err)
		}
		done.Calibration, done.Samples = string(cal.Method), len(feeds)
		done.Report = quantize.Static(m, ranges, form)
	case "int8-dynamic":
		done.Report, err = quantize.Dynamic(m, form)
	default:
		done.Report, err = quantize.Blocks(m, c.Int("block"), c.Text("int4-form") == "matmulnbits")
	}
	if err != nil {
		return refused(path, err)
	}
	if done.Products == 0 {
		reason := "no Conv, MatMul or Gemm has a constant float32 weight"
		if len(done.Kept) > 0 {
			reason = "nothing can be quantized: " + done.Kept[0]
		}
		return refused(path, fmt.Errorf("%s", reason))
	}
	m.Graph.AssignNames()
	if len(feeds) > 0 {
		rel, err := export.LargestDifference(c.Context(), original, m, feeds[:min(len(feeds), 8)], c.runtimeOptions())
		if err != nil {
			return c.convertError(path, err)
		}
		real := runtime.Real(rel)
		done.MaxRel = &real
	}
	w.model, doc.Quantized = m, done
	return nil
}

// sampleFeeds are the inputs that ranges come from: those of --data, cut into samples, then those of --inputs, else made up.
func (c *call) sampleFeeds(path string, m *onnx.Model) ([]map[string]*onnx.Tensor, error) {
	file := c.Text("data")
	if file == "" {
		return c.convertFeeds(path, m)
	}
	tensors, err := readTensorFile(file)
	if err != nil {
		return nil, err
	}
	g := m.Graph
	names := feedNames(g)
	found := map[string]*onnx.Tensor{}
	for _, t := range tensors {
		if slices.Contains(names, t.Name) {
			found[t.Name] = t
		}
	}
	if len(found) == 0 && len(names) == 1 {
		shape := g.Lookup(names[0]).Type.Shape
		for _, t := range tensors {
			if len(t.Dims) == len(shape) && (len(tensors) == 1 || t.DType == g.Lookup(names[0]).Type.DType) {
				found[names[0]] = t
				break
			}
		}
	}
	if len(found) < len(names) {
		return nil, refused(file, fmt.Errorf("has samples for %d of the inputs %v", len(found), names))
	}
	batch := int64(1)
	for _, name := range names {
		if s := g.Lookup(name).Type.Shape; len(s) > 0 && s[0].Known() {
			batch = s[0].Size
		}
	}
	feeds, err := export.Samples(found, batch, int64(c.Int("samples")))
	if err != nil {
		return nil, refused(file, err)
	}
	return feeds, nil
}
