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
	w := &rewind{repetition: r, b: b, dy: dy, inputs: r.node.Inputs(), captured: r.node.Captured()}
	w.c, w.ins, w.outs = b.copied(r.body)
	err := r.setTypes(w.c, w.ins, w.outs)
	if err == nil {
		err = w.backwards()
	}
	if err != nil {
		b.discard(w.c.Graph())
		b.Fail("%w", err)
		return nil
	}
	w.feedBody()
	if b.Err() != nil {
		return nil
	}
	return w.build()
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

// setTypes gives the inputs of the copied body the types that they have in every round, and infers the others from them.
func (r *repetition) setTypes(c *op.Builder, ins, outs []*onnx.Value) error {
	for i, v := range ins {
		if !v.IsTensor() {
			return fmt.Errorf("input %d of the body is no tensor", i)
		}
		if i >= r.in && r.node.Input(i) == nil {
			return fmt.Errorf("input %d is absent", i)
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

// save makes the node hand out, round by round, a value that its body has, of type t.
func (r *repetition) save(v *onnx.Value, t onnx.TensorType) *onnx.Value {
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
