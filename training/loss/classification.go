package loss

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

// BCEWithLogits is the mean binary cross-entropy of target probabilities t under sigmoid(x), the output being x:
// softplus(x) - t x.
func BCEWithLogits(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	return b.ReduceMean(b.Sub(b.Softplus(output), b.Mul(output, target)), false)
}

// KLDiv is the divergence of target probabilities t from the output x, logarithms of probabilities: the sum of
// t (log t - x) over everything, divided by the size of axis 0. 0 log 0 is 0.
func KLDiv(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	if len(output.Type.Shape) == 0 {
		b.Fail("kl-div: output is %v, want [N ...]", output.Type)
		return nil
	}
	zero, one := b.Scalar(target, 0), b.Scalar(target, 1)
	positive := b.Greater(target, zero)
	logarithm := b.Log(b.Where(positive, target, one))
	sum := b.ReduceSum(b.Mul(target, b.Sub(logarithm, output)), false)
	n := b.Cast(b.Squeeze(b.Gather(b.Shape(output), b.Ints(0), 0), 0), output.Type.DType)
	return b.Div(sum, n)
}

// IgnoreIndex is the usual label of positions without a class, as in PyTorch.
const IgnoreIndex = -100

var crossEntropySettings = []setting.Setting{
	{Name: "label-smoothing", Usage: "part of the target that is spread over all classes", High: 1},
	{Name: "ignore-index", Usage: "label of positions that do not count", Default: IgnoreIndex, Low: -1 << 31, High: 1 << 31},
	{Name: ClassAxis, Usage: "axis of the classes: 1, or -1 for the last, as a language model's logits have them", Default: 1, Low: -1, High: 1},
}

// ClassAxis is the setting of the cross-entropy that says where the classes are.
const ClassAxis = "class-axis"

func crossEntropyOf(s setting.Values) Func {
	return CrossEntropyConfig{LabelSmoothing: s["label-smoothing"], IgnoreIndex: int64(s["ignore-index"]), Last: s[ClassAxis] < 0}.Build
}

// CrossEntropyConfig are the settings of the cross-entropy.
type CrossEntropyConfig struct {
	// LabelSmoothing e makes 1-e + e/C of a target's one, and e/C of its zeros.
	LabelSmoothing float64
	// IgnoreIndex is the label of positions that do not count.
	IgnoreIndex int64
	// Last says that the classes are along the last axis of the output, [N,...,C], and not along axis 1.
	Last bool
	// Weights are those of the classes; nil: one each.
	Weights []float32
}

// CrossEntropy is CrossEntropyConfig.Build with PyTorch's usual settings.
func CrossEntropy(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	return CrossEntropyConfig{IgnoreIndex: IgnoreIndex}.Build(b, output, target)
}

// Build is the mean, over samples and positions, of -sum_c t_c log softmax(x)_c with the classes c along axis 1 of the output
// x [N,C,...], or the last. An integer target names the class with t_c = 1. As in PyTorch, positions whose label is IgnoreIndex do not
// count, and the mean is weighted by the weight of each position's class. Where nothing counts the loss is zero. The runtime
// refuses a label that is no class. A float target gives the t_c; it knows neither weights nor labels to ignore.
func (c CrossEntropyConfig) Build(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	if s := output.Type.Shape; c.Last && len(s) > 2 && s[len(s)-1].Known() {
		output = b.Reshape(output, -1, s[len(s)-1].Size)
		if target.Type.DType.IsFloat() {
			target = b.Reshape(target, -1, s[len(s)-1].Size)
		} else {
			target = b.Reshape(target, -1)
		}
	}
	s := output.Type.Shape
	if len(s) < 2 || !s[1].Known() || s[1].Size < 1 {
		b.Fail("cross-entropy: output is %v, want [N C ...] with a known number of classes", output.Type)
		return nil
	}
	classes := s[1].Size
	if c.Weights != nil && int64(len(c.Weights)) != classes {
		b.Fail("cross-entropy: %d weights for %d classes", len(c.Weights), classes)
		return nil
	}
	logs := b.LogSoftmax(output, 1)
	if target.Type.DType.IsFloat() {
		return c.soft(b, logs, target, classes)
	}
	target = b.Cast(target, onnx.Int64)
	counts := b.Not(b.Equal(target, b.Scalar(target, float64(c.IgnoreIndex))))
	// A negative label would count from the end; beyond the last class it is refused.
	class := b.Where(b.Less(target, b.Scalar(target, 0)), b.Scalar(target, float64(classes)), target)
	class = b.Where(counts, class, b.Scalar(class, 0))
	weight := b.Cast(counts, output.Type.DType)
	all := weight // what the sum over all classes is multiplied with
	if c.Weights != nil {
		weights := b.Cast(b.Const(onnx.FromSlice(c.Weights)), output.Type.DType)
		weight = b.Mul(weight, b.Gather(weights, class, 0))
		if c.LabelSmoothing != 0 {
			column := make([]int64, len(s))
			for i := range column {
				column[i] = 1
			}
			column[1] = classes
			all = b.Mul(all, b.ReduceSum(b.Mul(logs, b.Reshape(weights, column...)), false, 1))
		}
	} else if c.LabelSmoothing != 0 {
		all = b.Mul(all, b.ReduceSum(logs, false, 1))
	}
	chosen := b.Squeeze(b.GatherElements(logs, b.Unsqueeze(class, 1), 1), 1)
	sum := b.Mul(chosen, weight)
	if e := c.LabelSmoothing; e != 0 {
		sum = b.Add(b.Mul(sum, b.Scalar(sum, 1-e)), b.Mul(all, b.Scalar(all, e/float64(classes))))
	}
	total := b.ReduceSum(weight, false)
	total = b.Where(b.Equal(total, b.Scalar(total, 0)), b.Scalar(total, 1), total)
	return b.Neg(b.Div(b.ReduceSum(sum, false), total))
}

// soft is the mean for a target of probabilities.
func (c CrossEntropyConfig) soft(b *op.Builder, logs, target *onnx.Value, classes int64) *onnx.Value {
	if c.Weights != nil {
		b.Fail("cross-entropy: weights of classes want labels, the target is %v", target.Type)
		return nil
	}
	if e := c.LabelSmoothing; e != 0 {
		target = b.Add(b.Mul(target, b.Scalar(target, 1-e)), b.Scalar(target, e/float64(classes)))
	}
	mean := b.ReduceMean(b.Mul(logs, target), false) // over the classes too
	return b.Mul(mean, b.Scalar(mean, -float64(classes)))
}
