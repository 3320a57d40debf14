package training

import (
	"graft/onnx"
	"graft/onnx/op"
)

// update is the optimizer's part of a graph. Inside all tensors are one vector each.
type update struct {
	*plan
	*form
	params, grads []*onnx.Value
	rate, count   *onnx.Value
	state         [][]*onnx.Value // by slot, then by parameter
}

func (u *update) scalars() {
	u.rate = u.g.AddInput(InputRate, onnx.TypeOf(onnx.Float, 1))
	u.count = u.g.AddInput(InputStep, onnx.TypeOf(onnx.Int64, 1))
}

func (u *update) slots() {
	for _, slot := range u.Optimizer.Slots {
		var of []*onnx.Value
		for _, v := range u.plan.params {
			of = append(of, u.g.AddInput(v.Name+"."+slot, v.Type))
		}
		u.state = append(u.state, of)
	}
}

func (u *update) add() {
	packedSlots := make([]*onnx.Value, len(u.state))
	for i, of := range u.state {
		packedSlots[i] = u.packing.pack(u.b, of)
	}
	packed := u.packing.pack(u.b, u.grads)
	if len(u.grads) == 1 { // what is not joined may have a name of its own
		packed = u.b.Identity(packed)
	}
	u.b.Named(packed, packedGradient)
	if u.ClipNorm > 0 {
		packed = clipped(u.b, packed, u.ClipNorm)
	}
	after, slotsAfter := u.Optimizer.Update(u.b, u.packing.pack(u.b, u.params), packed, packedSlots, u.rate, u.count)
	out := func(v *onnx.Value, suffix string) {
		for i, part := range u.packing.unpack(u.b, v) {
			u.out(part, u.plan.params[i].Name+suffix+next)
		}
	}
	out(after, "")
	for i, v := range slotsAfter {
		out(v, "."+u.Optimizer.Slots[i])
	}
}

// clipped is g times min(1, norm/(|g| + 1e-6)), as PyTorch clips.
func clipped(b *op.Builder, g *onnx.Value, norm float64) *onnx.Value {
	length := b.Add(b.Sqrt(b.ReduceSum(b.Mul(g, g), true, 0)), b.Scalar(g, 1e-6))
	return b.Mul(g, b.Min(b.Scalar(g, 1), b.Div(b.Scalar(g, norm), length)))
}
