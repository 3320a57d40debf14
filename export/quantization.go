package export

import (
	"context"
	"errors"
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/quantize"
	"graft/onnx/rewrite"
	"graft/runtime"
)

// Integers says what a model's weights, and the products by them, become.
type Integers string

// StaticInt8 computes in integers by ranges that runs show, DynamicInt8 by ranges taken as the model runs; BlockInt8 and BlockInt4
// store weights alone, in blocks.
const (
	StaticInt8  Integers = "int8-static"
	DynamicInt8 Integers = "int8-dynamic"
	BlockInt8   Integers = "int8-blocks"
	BlockInt4   Integers = "int4"
)

// bitsOfBlocks has the bits of an element of the forms that store weights alone.
var bitsOfBlocks = map[Integers]int{BlockInt8: 8, BlockInt4: 4}

// Quantization stores a model's weights as integers.
type Quantization struct {
	To          Integers
	Weights     quantize.Weights
	Calibration Calibration // of StaticInt8; "" is MinMax
	Percentile  float64
	Block       int  // elements that share a scale in BlockInt8 and BlockInt4; 0 is 32
	NBits       bool // these as ONNX Runtime's MatMulNBits
	Feeds       []map[string]*onnx.Tensor
	Options     runtime.Options
}

// Quantized is a model whose weights are integers.
type Quantized struct {
	Model   *onnx.Model
	Report  *quantize.Report
	Changes []rewrite.Change // of nodes, on the way to the least opset that the form wants
	MaxRel  float64          // the largest max|a-b| / max|a| of an output on some of the feeds; NaN without feeds
	MaxAbs  float64
}

// LeastOpset is the first opset that has what the form is made of.
func (q Quantization) LeastOpset() int64 {
	if bitsOfBlocks[q.To] > 0 && !q.NBits {
		return quantize.BlockOpset
	}
	return quantize.LeastOpset
}

// comparedRuns bounds how many feeds a quantized model is compared on.
const comparedRuns = 8

// Apply makes the model; m stays as it is. An OriginalError is that m does not run on the feeds.
func (q Quantization) Apply(ctx context.Context, m *onnx.Model) (*Quantized, error) {
	if q.To == StaticInt8 && len(q.Feeds) == 0 {
		return nil, errors.New("quantize: int8-static takes its ranges from runs: no inputs are given")
	}
	out := &Quantized{Model: m.Clone(), MaxRel: math.NaN(), MaxAbs: math.NaN()}
	if m.Opset("") < q.LeastOpset() {
		var err error
		if out.Changes, err = rewrite.ToOpset(out.Model, q.LeastOpset()); err != nil {
			return nil, err
		}
	}
	w := out.Model
	op.InferModel(w)
	if w.Graph.UnlistInitializers() > 0 {
		w.IRVersion = max(w.IRVersion, 4)
	}
	w.Graph.AssignNames()
	original := w.Clone()
	if err := quantize.Prepare(w); err != nil {
		return nil, err
	}
	if err := q.quantize(ctx, out); err != nil {
		return nil, err
	}
	if out.Report.Products == 0 {
		reason := "no Conv, MatMul or Gemm has a constant float32 weight"
		if len(out.Report.Kept) > 0 {
			reason = "nothing can be quantized: " + out.Report.Kept[0]
		}
		return nil, errors.New(reason)
	}
	w.Graph.AssignNames()
	if len(q.Feeds) > 0 {
		var err error
		out.MaxRel, out.MaxAbs, err = LargestDifference(ctx, original, w, q.Feeds[:min(len(q.Feeds), comparedRuns)], q.Options)
		if err != nil {
			return nil, err
		}
	}
	ForgetInferred(w, m)
	return out, nil
}

func (q Quantization) quantize(ctx context.Context, out *Quantized) (err error) {
	m := out.Model
	switch q.To {
	case StaticInt8:
		cal := Calibrator{Method: q.Calibration, Percentile: q.Percentile, Feeds: q.Feeds, Options: q.Options}
		ranges, err := cal.Ranges(ctx, m, quantize.Activations(m))
		if err != nil {
			return err
		}
		out.Report = quantize.Static(m, ranges, q.Weights)
	case DynamicInt8:
		out.Report, err = quantize.Dynamic(m, q.Weights)
	case BlockInt8, BlockInt4:
		block := q.Block
		if block == 0 {
			block = 32
		}
		out.Report, err = quantize.Blocks(m, quantize.BlockForm{Bits: bitsOfBlocks[q.To], Size: block, NBits: q.NBits})
	default:
		return fmt.Errorf("quantize: no form %q", q.To)
	}
	return err
}
