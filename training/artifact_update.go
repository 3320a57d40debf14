package training

import (
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// update is the optimizer's part of a graph.
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

// part are tensors that are updated as one vector.
type part struct {
	*Packing
	members []int // positions in the plan's parameters
}

// parts divides the tensors. In the fused form they are one vector, which loopForm divides anew; in the optimizer model, which
// runs as it is, a large tensor is a vector by itself, so that none is copied and intermediates are no longer than one.
func (u *update) parts() ([]part, error) {
	var alone, together []int
	for i := range u.params {
		if !u.fused && u.packing.offsets[i+1]-u.packing.offsets[i] >= ownElements {
			alone = append(alone, i)
		} else {
			together = append(together, i)
		}
	}
	var out []part
	add := func(members ...int) error {
		var values []*onnx.Value
		for _, i := range members {
			values = append(values, u.plan.params[i])
		}
		p, err := NewPacking(values)
		out = append(out, part{p, members})
		return err
	}
	for _, i := range alone {
		if err := add(i); err != nil {
			return nil, err
		}
	}
	if len(together) == 0 {
		return out, nil
	}
	return out, add(together...)
}

// join makes the vector of a part, which goes by the name in the fused form.
func (u *update) join(p part, of []*onnx.Value, name string) *onnx.Value {
	var own []*onnx.Value
	for _, i := range p.members {
		own = append(own, of[i])
	}
	v := p.Join(u.b, own)
	if !u.fused {
		return v
	}
	if len(own) == 1 { // what is not joined may have a name of its own
		v = u.b.Identity(v)
	}
	return u.b.Named(v, name)
}

// add adds the update and its outputs.
func (u *update) add() error {
	parts, err := u.parts()
	if err != nil {
		return err
	}
	b, names := u.b, append([]string{""}, u.slotNames(u.fused)...)
	gradients := make([]*onnx.Value, len(parts))
	for i, p := range parts {
		gradients[i] = u.join(p, u.grads, packedGradient)
	}
	before := make([][]*onnx.Value, len(parts)) // by part, then the parameters and the slots
	for i, p := range parts {
		for j, of := range append([][]*onnx.Value{u.params}, u.state...) {
			before[i] = append(before[i], u.join(p, of, packedName(names[j])))
		}
	}
	if u.Precision == onnx.Float16 && u.finite == nil {
		u.finite = allFinite(b, gradients)
	}
	count := u.count
	var sum accumulation
	if u.fused && u.Accumulate > 1 {
		sum = accumulate(b, u.Accumulate, gradients[0], before[0][len(before[0])-1], u.count)
		gradients[0], count = sum.sum, sum.update
	}
	if u.Accumulate > 1 {
		for i, g := range gradients {
			gradients[i] = b.Mul(g, b.Scalar(g, 1/float64(u.Accumulate)))
		}
	}
	if u.ClipNorm > 0 {
		clip(b, gradients, u.ClipNorm)
	}
	after := make([][]*onnx.Value, len(names)) // the parameters and the slots, then by parameter
	for j := range after {
		after[j] = make([]*onnx.Value, len(u.params))
	}
	for i, p := range parts {
		for j, v := range u.updated(before[i], gradients[i], count, sum) {
			if len(p.members) == 1 { // as in join: each result is a value of its own
				v = b.Identity(v)
			}
			if u.fused {
				v = b.Named(v, packedName(names[j])+next)
			}
			for k, t := range p.Split(b, v) {
				after[j][p.members[k]] = t
			}
		}
	}
	for j, of := range after {
		for i, v := range of {
			u.out(v, strings.TrimSuffix(u.plan.params[i].Name+"."+names[j], ".")+next)
		}
	}
	return b.Err()
}

// packedName is the packed parameters' name, or that of a slot.
func packedName(slot string) string {
	if slot == "" {
		return packedState
	}
	return packedState + "." + slot
}

// updated gives what a part's parameters and slots become.
func (u *update) updated(before []*onnx.Value, gradient, count *onnx.Value, sum accumulation) []*onnx.Value {
	b, params, slots := u.b, before[0], before[1:]
	first, after := u.Optimizer.Update(b, params, gradient, slots[:len(u.Optimizer.Slots)], u.rate, count)
	if u.EMA > 0 {
		after = append(after, averaged(b, slots[len(after)], first, u.EMA))
	}
	after = append([]*onnx.Value{first}, after...)
	if sum.sum != nil {
		for i, v := range after {
			after[i] = b.Where(sum.last, v, before[i])
		}
		after = append(after, sum.sum)
	}
	if u.finite != nil {
		for i, v := range after {
			after[i] = b.Where(u.finite, v, before[i])
		}
	}
	return after
}

// clip multiplies each gradient with min(1, norm/(|g| + 1e-6)), g being all of them, as PyTorch clips.
func clip(b *op.Builder, gradients []*onnx.Value, norm float64) {
	var squares []*onnx.Value
	for _, g := range gradients {
		squares = append(squares, b.ReduceSumSquare(b.Reshape(g, -1), true))
	}
	sum := squares[0]
	if len(squares) > 1 {
		sum = b.Sum(squares...)
	}
	length := b.Add(b.Sqrt(sum), b.Scalar(sum, 1e-6))
	factor := b.Min(b.Scalar(sum, 1), b.Div(b.Scalar(sum, norm), length))
	for i, g := range gradients {
		gradients[i] = b.Mul(g, factor)
	}
}
