package autodiff

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

var activation = []row{
	{op: "Relu", grad: of(gradRelu)},
	{op: "LeakyRelu", grad: of(gradLeakyRelu)},
	{op: "Sigmoid", grad: of(gradSigmoid)},
	{op: "Tanh", grad: of(gradTanh)},
	{op: "Softplus", grad: of(gradSoftplus)},
	softmaxForms.of("Softmax"),
	{op: "LogSoftmax", grad: of(gradLogSoftmax)},
	{op: "Hardmax", zero: true},
	{op: "Elu", grad: of(gradElu)},
	{op: "Celu", grad: of(gradCelu)},
	{op: "Selu", grad: of(gradSelu)},
	{op: "PRelu", grad: gradPRelu},
	{op: "ThresholdedRelu", grad: of(gradThresholdedRelu)},
	{op: "Shrink", grad: of(gradShrink)},
	{op: "HardSigmoid", grad: of(gradHardSigmoid)},
	{op: "HardSwish", grad: of(gradHardSwish)},
	{op: "Softsign", grad: of(gradSoftsign)},
	{op: "Gelu", grad: of(gradGelu)},
	{op: "Mish", grad: of(gradMish)},
	{op: "Swish", expand: rewrite.Swish},
	{op: "SwiGLU", expand: rewrite.SwiGLU},
	{op: "Dropout", grad: of(gradDropout)},
}

// y = max(x, 0): dx = dy where x > 0, else 0.
func gradRelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0)
	if b.Err() == nil && y.Type.DType == onnx.Float {
		// A slope so steep that it is 0 or 1 after clipping, in one vectorized pass and a product: for 2.4 million elements
		// 4.1 ms, where a comparison and a choice take 14.8 (two threads, ONNX Runtime 1.28).
		return b.Mul(dy, b.Node("HardSigmoid", []*onnx.Value{y}, 1, onnx.Float32("alpha", 1e30), onnx.Float32("beta", 0))[0])
	}
	return b.Where(b.Greater(y, b.Scalar(y, 0)), dy, b.Scalar(dy, 0))
}

// y = x where x >= 0, alpha x elsewhere: dx = dy times 1 where x > 0 and alpha elsewhere.
func gradLeakyRelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0) // of the sign of x when alpha is positive
	alpha := float64(onnx.AttrOr(n, "alpha", float32(0.01)))
	steep := steepest(y)
	if alpha <= 0 || alpha >= 1 || steep == 0 {
		x := n.Input(0)
		return b.Where(b.Greater(x, b.Scalar(x, 0)), dy, b.Mul(dy, b.Scalar(dy, alpha)))
	}
	// A slope so steep that it is 1 or alpha after clipping: three vectorized passes, where a comparison and a choice take
	// 1.6 times as long on ONNX Runtime. Zero lies below alpha, out of the range where Clip has a gradient.
	return b.Mul(dy, b.Clip(b.Mul(y, b.Scalar(y, steep)), b.Scalar(y, alpha), b.Scalar(y, 1)))
}

// steepest is a factor that takes every number of v's element type that matters out of [0,1]; 0 when the type is too narrow.
func steepest(v *onnx.Value) float64 {
	if v == nil {
		return 0
	}
	switch v.Type.DType {
	case onnx.Float:
		return 1e30
	case onnx.Double:
		return 1e200
	}
	return 0
}

// y = x where x >= 0, slope x elsewhere: dx = dy where x > 0, dy slope elsewhere; dslope = dy x where x <= 0.
func gradPRelu(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	x, slope := n.Input(0), n.Input(1)
	positive := b.Greater(x, b.Scalar(x, 0))
	out := make([]*onnx.Value, 2)
	if b.Wants(0) {
		out[0] = b.Where(positive, dy[0], b.Mul(dy[0], slope))
	}
	if b.Wants(1) {
		out[1] = b.Mul(dy[0], b.Where(positive, b.Scalar(x, 0), x))
	}
	return out
}

// y = x where x > alpha, else 0: dx = dy where x > alpha, else 0.
func gradThresholdedRelu(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	return b.Where(b.Greater(x, b.Scalar(x, attribute(n, "alpha", 1))), dy, b.Scalar(dy, 0))
}

// y = x + bias where x < -lambd, x - bias where x > lambd, else 0: dx = dy in the first two cases, else 0.
func gradShrink(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x, lambd := n.Input(0), attribute(n, "lambd", 0.5)
	if lambd < 0 { // one of the two holds for every x
		return dy
	}
	return b.Where(b.Greater(b.Abs(x), b.Scalar(x, lambd)), dy, b.Scalar(dy, 0))
}

// y = min(max(alpha x + beta, 0), 1): dx = dy alpha where 0 < y < 1, else 0.
func gradHardSigmoid(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y := n.Output(0)
	inside := b.And(b.Greater(y, b.Scalar(y, 0)), b.Less(y, b.Scalar(y, 1)))
	return b.Mul(dy, b.Where(inside, b.Scalar(y, attribute(n, "alpha", 0.2)), b.Scalar(y, 0)))
}

// y = x min(max(x/6 + 1/2, 0), 1): dx = dy (x/3 + 1/2) where |x| < 3, dy where x >= 3, else 0.
func gradHardSwish(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	x := n.Input(0)
	outside := b.castLike(b.Greater(x, b.Scalar(x, 0)), x)
	inside := b.Add(b.Mul(x, b.Scalar(x, 1.0/3)), b.Scalar(x, 0.5))
	return b.Mul(dy, b.Where(b.Less(b.Abs(x), b.Scalar(x, 3)), inside, outside))
}

// y = x - log sum exp x along an axis: dx = dy - exp y sum dy. A dy that is zero but for a few entries, as that of a loss of
// classes is, is not added up: the few are added to -exp y sum dy. With 512 samples of 8,000 classes loss and gradient take
// 29 ms in place of 84.
func gradLogSoftmax(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	y, axis := n.Output(0), onnx.AttrOr(n, "axis", int64(-1))
	if rank := int64(len(y.Type.Shape)); axis < 0 {
		axis += rank
	}
	if at, few, ok := scattered(dy, axis); ok {
		return b.ScatterElements(b.Mul(b.Exp(y), b.Neg(b.ReduceSum(few, true, axis))), at, few, axis, "add")
	}
	return b.Sub(dy, b.Mul(b.Exp(y), b.ReduceSum(dy, true, axis)))
}

// scattered reports whether v is zeros with updates added along an axis, and where.
func scattered(v *onnx.Value, axis int64) (at, updates *onnx.Value, ok bool) {
	n := v.Producer()
	if n == nil || !n.Is("ScatterElements") || onnx.AttrOr(n, "reduction", "none") != "add" {
		return nil, nil, false
	}
	along := onnx.AttrOr(n, "axis", int64(0))
	if along < 0 {
		along += int64(len(v.Type.Shape))
	}
	base := n.Input(0).Producer()
	if along != axis || base == nil || !base.Is("ConstantOfShape") {
		return nil, nil, false
	}
	zeros := onnx.AttrOr(base, "value", onnx.FromSlice([]float32{0}))
	for _, c := range zeros.Data {
		if c != 0 {
			return nil, nil, false
		}
	}
	return n.Input(1), n.Input(2), true
}

// y = x, or in training mode y = x mask/(1-ratio) with the mask that the node gives: dx = dy, or dy mask/(1-ratio).
func gradDropout(b *Builder, n *onnx.Node, dy *onnx.Value) *onnx.Value {
	if dy == nil {
		return nil
	}
	training := op.ConstantOf(n.Input(2))
	if n.Input(2) == nil || training != nil && training.Check() == nil && training.Len() == 1 && training.Data[0] == 0 {
		return dy
	}
	mask := b.output(n, 1)
	if b.Err() != nil {
		return nil
	}
	one, ratio := b.Scalar(dy, 1), b.Scalar(dy, 0.5)
	if v := n.Input(1); v != nil {
		ratio = b.castLike(v, dy)
	}
	scale := b.Reciprocal(b.Sub(one, ratio))
	if training == nil {
		scale = b.Where(n.Input(2), scale, one)
	}
	return b.Mul(b.Mul(dy, b.castLike(mask, dy)), scale)
}
