package training

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/precision"
)

// BufferLossScale is a buffer of artifacts that compute in float16, float[2]: what the loss is multiplied by before it is
// differentiated, and the steps since that changed or a gradient was not finite. The training model moves it: half as much after a
// gradient that is not finite, whose update is left out, and twice as much after GrowthInterval others (Micikevicius et al. 2018,
// arXiv 1710.03740, section 3.2).
const BufferLossScale = "loss_scale"

// How the loss scale moves. A gradient that is not finite at the least scale is the network's own.
const (
	firstLossScale = 1 << 16
	leastLossScale = 1
	mostLossScale  = 1 << 24
	GrowthInterval = 2000
)

// halfProducts are the operators that compute in 16 bits, halfBetween those that do where all that they read is in 16 bits already, but in
// bfloat16 those for which, or for the gradient of which, ONNX Runtime 1.31 has no kernel on CUDA. Everything else stays in float32, with
// Casts between.
var (
	halfProducts = []string{"MatMul", "Gemm", "Conv", "ConvTranspose"}
	halfBetween  = []string{"Add", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "LeakyRelu", "MaxPool", "Neg", "Pad", "Relu", "Reshape",
		"Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
	notInBFloat16 = []string{"LeakyRelu", "Pad", "Relu"}
)

// addLossScale makes the loss scale a buffer of the plan.
func (p *plan) addLossScale() error {
	switch p.Precision {
	case onnx.Undefined, onnx.Float:
		return nil
	case onnx.BFloat16:
		p.notes = append(p.notes, "products compute in bfloat16, for which ONNX Runtime's CPU has no kernels: the training and fused models run on CUDA")
		return nil
	case onnx.Float16:
	default:
		return fmt.Errorf("precision %v: wants float, float16 or bfloat16", p.Precision)
	}
	if p.Direction != nil {
		return fmt.Errorf("precision %v: the direction that steps are taken in wants float", p.Precision)
	}
	v := p.base.Graph.AddInitializer(BufferLossScale, onnx.FromSlice([]float32{firstLossScale, 0}, 2))
	p.buffers = append(p.buffers, v)
	return nil
}

// narrow has the products of the network, and what lies between them, compute in the plan's precision. Parameters stay in float32.
func (f *form) narrow(p *plan) error {
	if p.Precision == onnx.Undefined || p.Precision == onnx.Float {
		return nil
	}
	f.g.AssignNames()
	half, keep := map[*onnx.Value]bool{}, map[string]string{}
	for _, n := range f.g.Nodes() {
		if runsInHalf(n, half, p.Precision) {
			for _, o := range n.Outputs() {
				half[o] = true
			}
		} else {
			keep[precision.Key(n)] = "in float32"
		}
	}
	if len(half) == 0 {
		return fmt.Errorf("precision %v: the network has no product that would compute in it", p.Precision)
	}
	_, err := precision.Convert(f.m, precision.Plan{To: p.Precision, KeepIO: true, Keep: keep})
	return err
}

// runsInHalf reports whether a node computes in 16 bits, where those values are in it that half has.
func runsInHalf(n *onnx.Node, half map[*onnx.Value]bool, d onnx.DataType) bool {
	float := func(v *onnx.Value) bool { return v != nil && v.Type.DType == onnx.Float }
	switch {
	case !n.Is(n.Op) || n.Output(0) == nil || !float(n.Output(0)):
		return false
	case slices.Contains(halfProducts, n.Op):
		return true
	case !slices.Contains(halfBetween, n.Op) || d == onnx.BFloat16 && slices.Contains(notInBFloat16, n.Op):
		return false
	}
	some := false
	for _, v := range n.Inputs() {
		if !float(v) || op.ConstantOf(v) != nil {
			continue
		}
		if !half[v] {
			return false
		}
		some = true
	}
	return some
}

// scaledGradients are those of the loss: by way of the loss multiplied by the scale, where there is one.
func (f *form) scaledGradients(differentiate func(loss *onnx.Value) ([]*onnx.Value, error)) ([]*onnx.Value, error) {
	if f.lossScale == nil {
		return differentiate(f.loss)
	}
	b := f.b
	scale := b.Squeeze(b.Slice(f.lossScale, op.SliceSpec{Axis: 0, Start: 0, End: 1}), 0)
	scaled := b.Mul(f.loss, scale)
	if err := b.Err(); err != nil {
		return nil, err
	}
	grads, err := differentiate(scaled)
	if err != nil {
		return nil, err
	}
	for i, g := range grads {
		grads[i] = b.Div(g, scale)
	}
	f.finite = allFinite(b, grads)
	f.out(movedLossScale(b, f.lossScale, f.finite), BufferLossScale+next)
	return grads, b.Err()
}

// allFinite is a bool of no dimensions: no element is NaN or infinite. Their products with 0 would be NaN.
func allFinite(b *op.Builder, values []*onnx.Value) *onnx.Value {
	var sums []*onnx.Value
	for _, v := range values {
		sums = append(sums, b.ReduceSum(b.Reshape(b.Mul(v, b.Scalar(v, 0)), -1), false))
	}
	total := sums[0]
	if len(sums) > 1 {
		total = b.Sum(sums...)
	}
	return b.Equal(total, b.Scalar(total, 0))
}

// movedLossScale is what the buffer becomes.
func movedLossScale(b *op.Builder, old, finite *onnx.Value) *onnx.Value {
	scale := b.Slice(old, op.SliceSpec{Axis: 0, Start: 0, End: 1})
	steps := b.Add(b.Slice(old, op.SliceSpec{Axis: 0, Start: 1, End: 2}), b.Scalar(old, 1))
	grows := b.GreaterOrEqual(steps, b.Scalar(steps, GrowthInterval))
	none := b.Const(onnx.FromSlice([]float32{0}, 1))
	larger := b.Min(b.Mul(scale, b.Scalar(scale, 2)), b.Scalar(scale, mostLossScale))
	smaller := b.Max(b.Mul(scale, b.Scalar(scale, 0.5)), b.Scalar(scale, leastLossScale))
	return b.Where(finite, b.Concat(0, b.Where(grows, larger, scale), b.Where(grows, none, steps)), b.Concat(0, smaller, none))
}

// scaleSpent reports whether a gradient was not finite at the least scale.
func scaleSpent(t *onnx.Tensor) bool {
	v := t.Float32s()
	return len(v) == 2 && v[0] <= leastLossScale && v[1] == 0
}
