package cli

import (
	"fmt"
	"slices"

	"graft/export"
	"graft/onnx"
	"graft/onnx/quantize"
	"graft/runtime"
)

// quantizedModel is what graft convert --json says of --quantize.
type quantizedModel struct {
	Quantize    string `json:"kind"`
	Calibration string `json:"calibration,omitempty"`
	Samples     int    `json:"samples,omitempty"` // runs that the ranges come from
	*quantize.Report
	MaxRel *runtime.Real `json:"max_rel,omitempty"` // largest max|a-b| / max|a| of an output on those runs; absent when not run, as is
	MaxAbs *runtime.Real `json:"max_abs_diff,omitempty"`
}

// convertQuantize applies --quantize.
func (c *call) convertQuantize(path string, w *content, doc *convertedFile) error {
	q := export.Quantization{
		To:          export.Integers(c.Text("quantize")),
		Weights:     quantize.Weights{PerTensor: c.Bool("per-tensor"), FullRange: c.Bool("full-range")},
		Calibration: export.Calibration(c.Text("calibration")), Percentile: c.Float("percentile"),
		Block: c.Int("block"), NBits: c.Text("block-form") == "matmulnbits",
		Options: c.runtimeOptions(),
	}
	from := w.model.Opset("")
	if from < q.LeastOpset() && c.Int("opset") != 0 {
		return misuse("--opset %d: --quantize %s wants opset %d or later", c.Int("opset"), q.To, q.LeastOpset())
	}
	if q.To == export.StaticInt8 && c.Bool("no-verify") {
		return misuse("--no-verify: --quantize int8-static takes its ranges from runs")
	}
	if !c.Bool("no-verify") {
		var err error
		if q.Feeds, err = c.sampleFeeds(path, w.model); err != nil {
			return err
		}
	}
	done, err := q.Apply(c.Context(), w.model)
	if err != nil {
		return c.convertError(path, err)
	}
	if from < q.LeastOpset() {
		c.Say("brought to opset %d, which --quantize %s needs", q.LeastOpset(), q.To)
		doc.Changes = done.Changes
	}
	w.model, doc.Quantized = done.Model, quantizedOf(q, done)
	return nil
}

// quantizedOf says what a quantization did.
func quantizedOf(q export.Quantization, done *export.Quantized) *quantizedModel {
	told := &quantizedModel{Quantize: string(q.To), Report: done.Report}
	if q.To == export.StaticInt8 {
		told.Calibration, told.Samples = string(q.Calibration), len(q.Feeds)
	}
	told.MaxRel, told.MaxAbs = measured(done.MaxRel), measured(done.MaxAbs)
	return told
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
