package cli

import (
	"fmt"

	"graft/export"
	"graft/onnx"
	"graft/onnx/rewrite"
)

// checkExportPrecision refuses flags that do not go together.
func (c *call) checkExportPrecision() error {
	p := c.Text("precision")
	integers := p == "int8" || p == "int4"
	switch {
	case integers && c.Bool("sparse-initializer"):
		return misuse("--sparse-initializer with --precision %s: integers are stored whole", p)
	case p == "fp32" && (c.IsSet("keep-io") || c.IsSet("tolerance") || c.IsSet("inputs")):
		return misuse("--keep-io, --tolerance and --inputs belong to a --precision other than fp32")
	case integers && c.Bool("keep-io"):
		return misuse("--keep-io with --precision %s: inputs and outputs stay as they are", p)
	}
	return nil
}

// exportPrecision applies --precision, as graft convert does, and notes in doc and in the file what that costs.
func (c *call) exportPrecision(path string, m *onnx.Model, doc *exportedModel) (*onnx.Model, error) {
	var rel, abs *float64
	limit := c.Float("tolerance")
	note := func(r, a float64) {
		if r == r { // measured
			rel, abs = &r, &a
		}
	}
	switch c.Text("precision") {
	case "fp32":
		return m, nil
	case "fp16", "bf16":
		if to := c.bfloatOpset(m); to > 0 {
			m = m.Clone()
			if _, err := rewrite.ToOpset(m, to); err != nil {
				return nil, refused(path, err)
			}
		}
		made, done, err := c.convertPrecision(path, m)
		if err != nil {
			return nil, err
		}
		m, doc.Narrowed = made, done
		if done.MaxRel != nil {
			note(float64(*done.MaxRel), float64(*done.MaxAbs))
		}
		if limit == 0 {
			limit = toleranceOf[map[string]onnx.DataType{"fp16": onnx.Float16, "bf16": onnx.BFloat16}[done.Precision]]
		}
	default:
		q := export.Quantization{To: export.BlockInt4, Options: c.runtimeOptions()}
		if !c.Bool("no-verify") {
			var err error
			if q.Feeds, err = c.convertFeeds(path, m); err != nil {
				return nil, err
			}
		}
		if c.Text("precision") == "int8" {
			q.To = export.DynamicInt8
			if len(q.Feeds) > 0 && (len(c.List("inputs")) > 0 || len(feedNames(m.Graph)) == 0) {
				q.To = export.StaticInt8
			}
		}
		done, err := q.Apply(c.Context(), m)
		if err != nil {
			return nil, c.convertError(path, err)
		}
		note(done.MaxRel, done.MaxAbs)
		m, doc.Quantized = done.Model, quantizedOf(q, done)
		m.Metadata.Set("graft.quantization", string(q.To))
		if rel != nil && limit > 0 && *rel > limit {
			return nil, no(fmt.Sprintf("%s: an output differs by %.3g of its largest value, --tolerance is %g; nothing was written", path, *rel, limit))
		}
	}
	if rel == nil {
		return m, nil
	}
	most := *abs
	if doc.MaxAbsDiff != nil {
		most = max(most, *doc.MaxAbsDiff)
	}
	doc.MaxAbsDiff = &most
	m.Metadata.Set("graft.max_rel", fmt.Sprintf("%.3g", *rel))
	tolerance := "none"
	if limit > 0 {
		tolerance = fmt.Sprintf("%g of the largest value", limit)
	}
	m.Metadata.Set("graft.tolerance", tolerance)
	return m, nil
}
