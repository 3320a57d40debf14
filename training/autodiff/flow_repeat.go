package autodiff

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// repetition is a Scan or a Loop: a body that is run again and again, with states that it carries on, elements of sequences
// that it is fed with, and elements that it hands out.
type repetition struct {
	node   *onnx.Node
	body   *onnx.Graph
	states int
	in     int // the first state among the inputs of the node and of the body; fed elements follow on the states
	out    int // the first state among the outputs of the body; the node's begin with the states
	op.ScanAttrs
}

// dY of Y = Scan(body) flows back through a Scan of the body's gradient that runs the other way.
func gradScan(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	attrs, err := op.ScanAttrsOf(n)
	if err != nil {
		b.Fail("%w", err)
		return nil
	}
	r := &repetition{node: n, body: onnx.AttrOr[*onnx.Graph](n, "body", nil), ScanAttrs: attrs}
	r.states = n.NumInputs() - len(attrs.InputAxes)
	return r.gradient(b, dy)
}

// dY of Y = Loop(body) flows back through a Scan of the body's gradient over what the loop had in hand in each round: however
// many rounds there were.
func gradLoop(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	r := &repetition{node: n, body: onnx.AttrOr[*onnx.Graph](n, "body", nil), in: 2, out: 1}
	r.states = n.NumInputs() - 2
	if r.body == nil || r.states < 0 || len(r.body.Inputs()) != 2+r.states || len(r.body.Outputs()) < 1+r.states {
		b.Fail("the body does not fit the node")
		return nil
	}
	r.OutputAxes = make([]int64, len(r.body.Outputs())-1-r.states)
	r.OutputDirections = make([]int64, len(r.OutputAxes))
	return r.gradient(b, dy)
}

// With states s, fed elements x, captured values v, and (s', y) = body(s, x, v) in each round: from the last round to the
// first, (ds, dx, dv) = (ds', dy) times the Jacobian of the body there; ds is carried on, dv is summed, the dx are handed out.
// The body is computed anew from the s and x of its round: the s are handed out by the node itself for that.
func (r *repetition) gradient(b *Builder, dy []*onnx.Value) []*onnx.Value {
	n := r.node
	inputs, captured := n.Inputs(), n.Captured()
	c, ins, outs := b.copied(r.body)
	if err := r.setTypes(c, ins, outs); err != nil {
		b.discard(c.Graph())
		b.Fail("%w", err)
		return nil
	}
	states, fed := ins[r.in:r.in+r.states], ins[r.in+r.states:]
	after, made := outs[r.out:r.out+r.states], outs[r.out+r.states:]
	var xs, vs []*onnx.Value // fed elements and captured values whose cotangents are wanted
	for i, v := range fed {
		if b.Wants(r.in + r.states + i) {
			xs = append(xs, v)
		}
	}
	for i, v := range captured {
		if b.Wants(len(inputs) + i) {
			vs = append(vs, v)
		}
	}
	carried := r.carried(c, b, dy, states, after, made, slices.Concat(xs, vs))

	// The seeds: cotangents of the states after the round, and elements of those of what the node handed out.
	var ys, seeds, starts []*onnx.Value // starts of what the gradient carries
	var dstates []*onnx.Value           // its inputs
	type feed struct {
		element, sequence *onnx.Value // inside and outside
		saved             *onnx.Value // of the body, handed out by the node where it is read
		axis, direction   int64
	}
	var feeds []feed
	g := c.Graph()
	for i, yes := range carried {
		if !yes {
			continue
		}
		d := g.AddInput("", states[i].Type)
		dstates, ys, seeds = append(dstates, d), append(ys, after[i]), append(seeds, d)
		start := dy[i]
		if start == nil {
			start = b.zerosLike(r.start(i))
		}
		starts = append(starts, start)
	}
	for i, y := range made {
		k := r.states + i
		if k >= len(dy) || dy[k] == nil {
			continue
		}
		d := g.AddInput("", y.Type)
		ys, seeds = append(ys, y), append(seeds, d)
		feeds = append(feeds, feed{element: d, sequence: dy[k], axis: r.OutputAxes[i], direction: 1 - r.OutputDirections[i]})
	}
	var wanted []*onnx.Value
	for i, yes := range carried {
		if yes {
			wanted = append(wanted, states[i])
		}
	}
	wanted = slices.Concat(wanted, xs, vs)
	ds, err := b.engine.back(c, ys, seeds, wanted)
	if err != nil {
		b.discard(g)
		b.Fail("%w", err)
		return nil
	}
	inside := &Builder{Builder: c}
	backwards := len(dstates)
	for i, d := range ds[:backwards+len(xs)] {
		if d == nil {
			ds[i] = inside.zerosLike(wanted[i])
		} else if b.Err() == nil {
			d.Type = refine(d.Type, wanted[i].Type)
		}
	}
	// Sums over the rounds for the captured values that something flows back into.
	results := slices.Clone(ds[:backwards])
	var summed []int
	for i, d := range ds[backwards+len(xs):] {
		if d == nil {
			continue
		}
		sum := g.AddInput("", vs[i].Type)
		dstates, starts = append(dstates, sum), append(starts, b.zerosLike(vs[i]))
		results, summed = append(results, c.Add(sum, d)), append(summed, i)
	}
	handOut(c, slices.Concat(results, ds[backwards:backwards+len(xs)]))
	if c.Err() != nil {
		return nil
	}
	for i, v := range fed { // only a Scan is fed
		feeds = append(feeds, feed{element: v, sequence: inputs[r.in+r.states+i], axis: r.InputAxes[i], direction: 1 - r.InputDirections[i]})
	}
	for i, v := range ins[:r.in+r.states] {
		if v.NumUses() > 0 {
			if r.in == 2 && i == 1 { // a round is only run while the condition holds
				always := c.Const(onnx.Scalar(true))
				for _, u := range v.Uses() {
					u.Node.SetInput(u.Index, always)
				}
				continue
			}
			feeds = append(feeds, feed{element: v, saved: r.body.Inputs()[i], direction: 1})
		}
	}
	if len(feeds) == 0 { // something has to say how many rounds there were
		feeds = append(feeds, feed{element: ins[0], saved: r.body.Inputs()[0], direction: 1})
	}
	var a op.ScanAttrs
	var sequences []*onnx.Value
	bodyInputs := slices.Clone(dstates)
	for i, f := range feeds {
		if f.element.NumUses() == 0 && i > 0 {
			continue
		}
		if f.saved != nil {
			if f.sequence = r.save(f.saved, f.element.Type); f.sequence == nil {
				b.Fail("%s of the body is no tensor", label(f.saved))
				return nil
			}
		}
		bodyInputs, sequences = append(bodyInputs, f.element), append(sequences, f.sequence)
		a.InputAxes, a.InputDirections = append(a.InputAxes, f.axis), append(a.InputDirections, f.direction)
	}
	g.SetInputs(bodyInputs...)
	for i := range fed {
		if b.Wants(r.in + r.states + i) {
			a.OutputAxes = append(a.OutputAxes, r.InputAxes[i])
			a.OutputDirections = append(a.OutputDirections, 1-r.InputDirections[i])
		}
	}
	got := r.scan(b, g, starts, sequences, a)

	out := make([]*onnx.Value, len(inputs)+len(captured))
	take := func(i int, v *onnx.Value) {
		out[i], got = got[0], got[1:]
		if b.Err() == nil {
			out[i].Type = refine(out[i].Type, v.Type)
		}
	}
	for i, yes := range carried {
		if yes {
			take(r.in+i, inputs[r.in+i])
		}
	}
	for _, i := range summed {
		take(len(inputs)+slices.Index(captured, vs[i]), vs[i])
	}
	for i := range fed {
		if at := r.in + r.states + i; b.Wants(at) {
			take(at, inputs[at])
		}
	}
	return out
}

// scan is a Scan over sequences that may be of no length where the node may run no round at all: then it gives the starts,
// for ONNX Runtime refuses a Scan over nothing.
func (r *repetition) scan(b *Builder, body *onnx.Graph, starts, sequences []*onnx.Value, a op.ScanAttrs) []*onnx.Value {
	if r.runs() {
		return b.Scan(body, starts, sequences, a)
	}
	some, none := b.Inside(onnx.NewGraph("rounds")), b.Inside(onnx.NewGraph("no rounds"))
	handOut(some, some.Scan(body, starts, sequences, a))
	handOut(none, starts)
	if b.Err() != nil {
		return nil
	}
	rounds := b.Gather(b.Shape(sequences[0]), b.Const(onnx.Scalar(int64(0))), 0)
	return b.If(b.Greater(rounds, b.Const(onnx.Scalar(int64(0)))), some.Graph(), none.Graph())
}

// runs reports whether the node is sure to run a round. ONNX Runtime refuses a Scan over nothing anyway.
func (r *repetition) runs() bool {
	if r.in == 0 {
		return true
	}
	if m := r.node.Input(0); m != nil {
		if n, ok := op.ConstantInts(m); !ok || len(n) != 1 || n[0] < 1 {
			return false
		}
	}
	if c := r.node.Input(1); c != nil {
		t := op.ConstantOf(c)
		return t != nil && len(t.Data) == 1 && t.Data[0] != 0
	}
	return true
}

// start is a value with the type of state i, outside the body.
func (r *repetition) start(i int) *onnx.Value { return r.node.Input(r.in + i) }

// setTypes gives the inputs of the copied body the types that they have in every round, and infers the others from them.
func (r *repetition) setTypes(c *op.Builder, ins, outs []*onnx.Value) error {
	for i, v := range ins {
		if !v.IsTensor() {
			return fmt.Errorf("input %d of the body is no tensor", i)
		}
		switch {
		case i < r.in:
			v.Type = onnx.TypeOf([]onnx.DataType{onnx.Int64, onnx.Bool}[i])
		case i < r.in+r.states:
			v.Type = refine(r.node.Input(i).Type, v.Type)
		default:
			k := i - r.in - r.states
			t := r.node.Input(i).Type
			if axis := r.InputAxes[k]; t.Shape.Ranked() {
				if axis < 0 {
					axis += int64(len(t.Shape))
				}
				if axis < 0 || axis >= int64(len(t.Shape)) {
					return fmt.Errorf("axis %d of scan input %d is outside %v", r.InputAxes[k], k, t.Shape)
				}
				t.Shape = slices.Delete(t.Shape.Clone(), int(axis), int(axis)+1)
			}
			v.Type = refine(t, v.Type)
		}
	}
	if err := inferred(c); err != nil {
		return err
	}
	for i := range r.states {
		before, after := ins[r.in+i].Type, outs[r.out+i].Type
		if !sameSizes(before.Shape, after.Shape) {
			return fmt.Errorf("carried value %d changes its shape, from %v to %v: what is carried must keep it", i, before.Shape, after.Shape)
		}
		outs[r.out+i].Type = refine(after, before)
	}
	return nil
}

// sameSizes reports whether two shapes are equal as far as they are known.
func sameSizes(s, t onnx.Shape) bool {
	if !s.Ranked() || !t.Ranked() {
		return true
	}
	if len(s) != len(t) {
		return false
	}
	for i := range s {
		if s[i].Known() && t[i].Known() && s[i].Size != t[i].Size {
			return false
		}
	}
	return true
}

// carried tells which states' cotangents go from round to round: those that something wanted flows into, and that something
// depends on whose cotangent is there.
func (r *repetition) carried(c *op.Builder, b *Builder, dy, states, after, made, xs []*onnx.Value) []bool {
	active, used := make([]bool, r.states), make([]bool, r.states)
	var ys []*onnx.Value
	for i := range r.states {
		active[i] = b.Wants(r.in + i)
		used[i] = dy[i] != nil
	}
	for i, y := range made {
		if k := r.states + i; k < len(dy) && dy[k] != nil {
			ys = append(ys, y)
		}
	}
	for {
		from, to := slices.Clone(xs), slices.Clone(ys)
		for i := range r.states {
			if active[i] {
				from = append(from, states[i])
			}
			if used[i] {
				to = append(to, after[i])
			}
		}
		t := b.engine.between(c.Graph(), to, from)
		read := map[*onnx.Value]bool{}
		for _, y := range to {
			read[y] = true
		}
		for _, n := range t.order {
			if t.needed[n] {
				for _, v := range t.operands(n) {
					read[v] = true
				}
			}
		}
		changed := false
		for i := range r.states {
			if t.active[after[i]] && !active[i] && states[i].Type.DType.IsFloat() {
				active[i], changed = true, true
			}
			if read[states[i]] && !used[i] {
				used[i], changed = true, true
			}
		}
		if !changed {
			break
		}
	}
	for i := range active {
		active[i] = active[i] && used[i]
	}
	return active
}

// save makes the node hand out, round by round, a value that its body has; nil if it is no tensor.
func (r *repetition) save(v *onnx.Value, t onnx.TensorType) *onnx.Value {
	if !v.IsTensor() {
		return nil
	}
	n := r.node
	for i, o := range r.body.Outputs()[r.out+r.states:] { // an earlier gradient may have saved it
		p := o.Producer()
		if p != nil && p.Is("Identity") && p.Input(0) == v && r.OutputAxes[i] == 0 && r.OutputDirections[i] == 0 && n.Output(r.states+i) != nil {
			return n.Output(r.states + i)
		}
	}
	o := r.body.Add("Identity", []*onnx.Value{v}, 1).Output(0)
	o.Type = v.Type
	r.body.AddOutput(o, "")
	for n.NumOutputs() < len(r.body.Outputs())-r.out {
		n.AddOutput()
	}
	r.OutputAxes, r.OutputDirections = append(r.OutputAxes, 0), append(r.OutputDirections, 0)
	for name, list := range map[string][]int64{"scan_output_axes": r.OutputAxes, "scan_output_directions": r.OutputDirections} {
		if _, ok := n.Attr(name); ok {
			n.SetAttr(onnx.Ints(name, list...))
		}
	}
	saved := n.Output(n.NumOutputs() - 1)
	saved.Type = t
	if t.Shape.Ranked() {
		saved.Type.Shape = append(onnx.Shape{r.length()}, t.Shape...)
	}
	return saved
}

// length is the number of rounds, as far as it is known.
func (r *repetition) length() onnx.Dim {
	for k, axis := range r.InputAxes {
		s := r.node.Input(r.in + r.states + k).Type.Shape
		if axis < 0 {
			axis += int64(len(s))
		}
		if axis >= 0 && axis < int64(len(s)) && s[axis] != onnx.UnknownDim {
			return s[axis]
		}
	}
	return onnx.UnknownDim
}
