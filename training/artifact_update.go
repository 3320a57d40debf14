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
	fused         bool
}

func (u *update) scalars() {
	u.rate = u.g.AddInput(InputRate, onnx.TypeOf(onnx.Float, 1))
	if u.step == nil {
		u.step = u.g.AddInput(InputStep, onnx.TypeOf(onnx.Int64, 1))
	}
	u.count = u.step
}

func (u *update) slots() {
	for _, slot := range u.slotNames(u.fused) {
		var of []*onnx.Value
		for _, v := range u.plan.params {
			of = append(of, u.g.AddInput(v.Name+"."+slot, v.Type))
		}
		u.state = append(u.state, of)
	}
}

func (u *update) add() {
	b, names := u.b, u.slotNames(u.fused)
	join := func(of []*onnx.Value, name string) *onnx.Value {
		v := u.packing.pack(b, of)
		if len(of) == 1 { // what is not joined may have a name of its own
			v = b.Identity(v)
		}
		return b.Named(v, name)
	}
	slots := make([]*onnx.Value, len(u.state))
	for i, of := range u.state {
		slots[i] = join(of, packedState+"."+names[i])
	}
	packed := join(u.grads, packedGradient)
	params, count := join(u.params, packedState), u.count
	var sum accumulation
	if u.fused && u.Accumulate > 1 {
		sum = accumulate(b, u.Accumulate, packed, slots[len(slots)-1], u.count)
		packed, count = sum.sum, sum.update
	}
	if u.Accumulate > 1 {
		packed = b.Mul(packed, b.Scalar(packed, 1/float64(u.Accumulate)))
	}
	if u.ClipNorm > 0 {
		packed = clipped(b, packed, u.ClipNorm)
	}
	after, slotsAfter := u.Optimizer.Update(b, params, packed, slots[:len(u.Optimizer.Slots)], u.rate, count)
	if u.EMA > 0 {
		slotsAfter = append(slotsAfter, averaged(b, slots[len(slotsAfter)], after, u.EMA))
	}
	if sum.sum != nil {
		after = b.Where(sum.last, after, params)
		for i, v := range slotsAfter {
			slotsAfter[i] = b.Where(sum.last, v, slots[i])
		}
		slotsAfter = append(slotsAfter, sum.sum)
	}
	out := func(v *onnx.Value, suffix string) {
		b.Named(v, packedState+suffix+next)
		for i, part := range u.packing.unpack(b, v) {
			u.out(part, u.plan.params[i].Name+suffix+next)
		}
	}
	if len(u.params) == 1 { // as above: each result is a value of its own
		after = b.Identity(after)
		for i, v := range slotsAfter {
			slotsAfter[i] = b.Identity(v)
		}
	}
	out(after, "")
	for i, v := range slotsAfter {
		out(v, "."+names[i])
	}
}

// clipped is g times min(1, norm/(|g| + 1e-6)), as PyTorch clips.
func clipped(b *op.Builder, g *onnx.Value, norm float64) *onnx.Value {
	length := b.Add(b.Sqrt(b.ReduceSumSquare(g, true)), b.Scalar(g, 1e-6))
	return b.Mul(g, b.Min(b.Scalar(g, 1), b.Div(b.Scalar(g, norm), length)))
}
