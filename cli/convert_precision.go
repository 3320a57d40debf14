package cli

import (
	"errors"
	"maps"
	"math"

	"graft/export"
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/precision"
	"graft/runtime"
)

// madeUpRuns is how many inputs are made up, from as many seeds, where a conversion looks at runs and none are given.
const madeUpRuns = 5

// narrowedModel is what graft convert --json says of --precision.
type narrowedModel struct {
	Precision string `json:"type"`
	*precision.Report
	MaxRel *runtime.Real `json:"max_rel,omitempty"` // absent when the model was not run, as is
	MaxAbs *runtime.Real `json:"max_abs_diff,omitempty"`
	Runs   int           `json:"runs,omitempty"` // candidates that were run
	Note   string        `json:"note,omitempty"` // why the model was not run
}

// toleranceOf is --tolerance where it is not given: half of what float16 is held to, some steps of bfloat16's eight bits.
var toleranceOf = map[onnx.DataType]float64{onnx.Float16: 5e-3, onnx.BFloat16: 3e-2, onnx.Float: 5e-3}

// madeUp reports whether conversions look at made-up inputs.
func (c *call) madeUp() bool { return len(c.List("inputs")) == 0 && len(c.List("dim")) == 0 }

func isEnvironment(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == exitEnvironment
}

// convertPrecision applies --precision.
func (c *call) convertPrecision(path string, m *onnx.Model) (*onnx.Model, *narrowedModel, error) {
	name := c.Text("precision")
	w := export.Narrowing{To: onnx.Float16, KeepIO: c.Bool("keep-io"), Delicate: name == "mixed", Tolerance: c.Float("tolerance"),
		Options: c.runtimeOptions(), Say: func(format string, a ...any) { c.Detail(format, a...) }}
	switch name {
	case "fp32":
		w.To = onnx.Float
	case "bf16":
		w.To = onnx.BFloat16
	}
	var err error
	if w.Tolerance == 0 {
		w.Tolerance = toleranceOf[w.To]
	}
	note := ""
	if !c.Bool("no-verify") {
		if w.Feeds, err = c.convertFeeds(path, m); err != nil {
			if !c.madeUp() || isEnvironment(err) || c.Context().Err() != nil {
				return nil, nil, err
			}
			note = oneLine(err.Error())
		}
	}
	done, err := w.Apply(c.Context(), m)
	var original *export.OriginalError
	if errors.As(err, &original) && c.madeUp() && c.Context().Err() == nil && !isEnvironment(runtimeError(err, path)) {
		note, w.Feeds = oneLine(err.Error()), nil
		done, err = w.Apply(c.Context(), m)
	}
	if note != "" {
		c.Say("not measured: %s; constants and types alone decide, give --inputs or --dim to measure", note)
	}
	if err != nil {
		return nil, nil, c.convertError(path, err)
	}
	doc := &narrowedModel{Precision: name, Report: done.Report, Runs: done.Rounds, Note: note}
	doc.MaxRel, doc.MaxAbs = measured(done.MaxRel), measured(done.MaxAbs)
	return done.Model, doc, nil
}

// measured is a number that is there unless it is NaN.
func measured(v float64) *runtime.Real {
	if math.IsNaN(v) {
		return nil
	}
	r := runtime.Real(v)
	return &r
}

// convertFeeds are the inputs that a conversion looks at: those of --inputs, else made up ones.
func (c *call) convertFeeds(path string, m *onnx.Model) ([]map[string]*onnx.Tensor, error) {
	dims, err := c.freeDims()
	if err != nil {
		return nil, err
	}
	if len(c.List("inputs")) == 0 {
		list, err := export.MadeUp(c.Context(), m, c.Common.Seed, madeUpRuns, dims, c.runtimeOptions())
		if err != nil {
			return nil, c.convertError(path, err)
		}
		return list, nil
	}
	inferred := m.Clone()
	op.InferModel(inferred)
	names := feedNames(inferred.Graph)
	var list []map[string]*onnx.Tensor
	for _, file := range c.List("inputs") {
		feeds := map[string]*onnx.Tensor{}
		if err := feedsOfFile(feeds, names, file); err != nil {
			return nil, err
		}
		list = append(list, feeds)
	}
	for i, feeds := range list {
		made, err := runtime.Sample(inferred.Graph, c.Common.Seed+uint64(i), dims)
		if err != nil {
			return nil, runtimeError(err, path)
		}
		maps.Copy(made, feeds)
		list[i] = made
	}
	return list, nil
}

// convertError grades what stopped a conversion that runs models.
func (c *call) convertError(path string, err error) error {
	if c.Context().Err() != nil {
		return c.Context().Err()
	}
	graded := runtimeError(err, path)
	var e *Error
	switch {
	case graded == err:
		return refused(path, err)
	case errors.As(graded, &e) && e.Code == exitEnvironment:
		e.Reason += ": the model cannot be run"
		e.Hint += "; --no-verify converts it without looking at runs"
	}
	return graded
}
