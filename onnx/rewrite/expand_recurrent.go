package rewrite

import (
	"graft/onnx"
	"graft/onnx/op"
)

// maxUnrolled is the longest sequence whose steps are written out one by one. Longer ones, and those of unknown length, are a
// Scan. A training step takes the same time either way (an LSTM of 128 units, batch 8, on ONNX Runtime: 3.4 and 3.3 ms for 8
// steps, 8.7 and 8.3 for 32, 38 and 44 for 128), but opening the session takes 0.6 s for 8 steps written out, 16 for 128, and
// less than 0.1 s for a Scan.
const maxUnrolled = 4

// recurrence is an LSTM, GRU or RNN read out.
type recurrence struct {
	b       *op.Builder
	n       *onnx.Node
	hidden  int64
	length  onnx.Dim
	batch   onnx.Dim
	x       *onnx.Value // [length,batch,input]
	lengths *onnx.Value // of each sequence [batch]; nil: all of them whole
	first   []bool      // of a direction each: whether it begins with the first element
	batched bool        // layout 1: batch comes before length and directions
}

// cell makes one step of a direction: from the products [batch,gates*hidden] of the input's weights with their biases, and
// the states [batch,hidden] before, to the states after.
type cell func(b *op.Builder, gates *onnx.Value, before []*onnx.Value) []*onnx.Value

// newRecurrence reads n, whose row has so many gates.
func newRecurrence(b *op.Builder, n *onnx.Node, gates int64) *recurrence {
	r := &recurrence{b: b, n: n, x: n.Input(0), batched: onnx.AttrOr(n, "layout", int64(0)) != 0}
	if b.Err() != nil {
		return nil
	}
	switch direction := onnx.AttrOr(n, "direction", "forward"); direction {
	case "forward":
		r.first = []bool{true}
	case "reverse":
		r.first = []bool{false}
	case "bidirectional":
		r.first = []bool{true, false}
	default:
		b.Fail("direction %q is not known", direction)
		return nil
	}
	r.hidden = onnx.AttrOr(n, "hidden_size", int64(0))
	if s := n.Input(2).Type.Shape; len(s) == 3 && s[2].Known() {
		r.hidden = s[2].Size
	}
	if r.hidden < 1 {
		b.Fail("the hidden size is unknown: fix it in the recurrent weights, which are %v", n.Input(2).Type)
		return nil
	}
	if len(r.x.Type.Shape) != 3 {
		b.Fail("the input is %v, wants rank 3", r.x.Type)
		return nil
	}
	if s := n.Input(1).Type.Shape; len(s) == 3 && s[1].Known() && s[1].Size != gates*r.hidden {
		b.Fail("the weights are %v, want %d gates of %d", n.Input(1).Type, gates, r.hidden)
		return nil
	}
	if r.batched {
		r.x = b.Transpose(r.x, 1, 0, 2)
	}
	if b.Err() != nil {
		return nil
	}
	r.length, r.batch = r.x.Type.Shape[0], r.x.Type.Shape[1]
	if r.length == (onnx.Dim{}) {
		b.Fail("the sequence has no elements")
		return nil
	}
	if v := n.Input(4); v != nil {
		r.lengths = b.Cast(v, onnx.Int64)
	}
	return r
}

// of is the part of an operand, whose first axis is the direction, that belongs to direction d; nil for an absent one.
func (r *recurrence) of(i, d int) *onnx.Value {
	v := r.n.Input(i)
	switch {
	case v == nil:
		return nil
	case len(r.first) == 1:
		return r.b.Squeeze(v, 0)
	}
	return r.b.Squeeze(r.b.Slice(v, op.SliceSpec{Start: int64(d), End: int64(d) + 1}), 0)
}

// initial is direction d of the state that the node is given as input i: zeros where it is absent.
func (r *recurrence) initial(i, d int) *onnx.Value {
	v := r.n.Input(i)
	if v == nil {
		batch := r.b.Slice(r.b.Shape(r.x), op.SliceSpec{Start: 1, End: 2})
		return r.b.ConstantOfShape(r.b.Concat(0, batch, r.b.Ints(r.hidden)), onnx.NewTensor(r.x.Type.DType, 1))
	}
	axis := int64(0)
	if r.batched {
		axis = 1
	}
	return r.b.Squeeze(r.b.Slice(v, op.SliceSpec{Axis: axis, Start: int64(d), End: int64(d) + 1}), axis)
}

// products are the input's part of the gates of direction d for all steps at once, with bias: [length,batch,gates*hidden].
func (r *recurrence) products(d int, bias *onnx.Value) *onnx.Value {
	y := r.b.MatMul(r.x, r.b.Transpose(r.of(1, d), 1, 0))
	if bias != nil {
		y = r.b.Add(y, bias)
	}
	return y
}

// run makes the steps of every direction, and gives the node's outputs: all first states, and the last of each state.
func (r *recurrence) run(make func(d int) (gates *onnx.Value, start []*onnx.Value, step cell)) []*onnx.Value {
	var all []*onnx.Value
	var last [][]*onnx.Value
	for d := range r.first {
		gates, start, step := make(d)
		if r.b.Err() != nil {
			return nil
		}
		var y *onnx.Value
		var states []*onnx.Value
		if r.length.Known() && r.length.Size <= maxUnrolled {
			y, states = r.unrolled(r.first[d], gates, start, step)
		} else {
			y, states = r.scanned(r.first[d], gates, start, step)
		}
		all = append(all, r.b.Unsqueeze(y, 1))
		for i, s := range states {
			if d == 0 {
				last = append(last, nil)
			}
			last[i] = append(last[i], r.b.Unsqueeze(s, 0))
		}
	}
	y := r.joined(1, all)
	if r.batched {
		y = r.b.Transpose(y, 2, 0, 1, 3)
	}
	out := []*onnx.Value{y}
	for _, states := range last {
		s := r.joined(0, states)
		if r.batched {
			s = r.b.Transpose(s, 1, 0, 2)
		}
		out = append(out, s)
	}
	return out[:min(len(out), max(r.n.NumOutputs(), 1))]
}

func (r *recurrence) joined(axis int64, parts []*onnx.Value) *onnx.Value {
	if len(parts) == 1 {
		return parts[0]
	}
	return r.b.Concat(axis, parts...)
}

// unrolled writes every step out: the first state after each [length,batch,hidden], and the last states.
func (r *recurrence) unrolled(forwards bool, gates *onnx.Value, states []*onnx.Value, step cell) (*onnx.Value, []*onnx.Value) {
	b, steps := r.b, int(r.length.Size)
	sizes := make([]int64, steps)
	for t := range sizes {
		sizes[t] = 1
	}
	parts := []*onnx.Value{gates}
	if steps > 1 {
		parts = b.Split(gates, 0, sizes...)
	}
	ys := make([]*onnx.Value, steps)
	for i := range steps {
		t := i
		if !forwards {
			t = steps - 1 - i
		}
		after := step(b, b.Squeeze(parts[t], 0), states)
		y := after[0]
		if r.lengths != nil {
			y = r.within(b, b.Unsqueeze(b.Less(b.Const(onnx.Scalar(int64(t))), r.lengths), 1), states, after)
		}
		states, ys[t] = after, b.Unsqueeze(y, 0)
	}
	return r.joined(0, ys), states
}

// within keeps the states from before where a sequence has ended, and gives what comes out: the first state, or zeros there.
func (r *recurrence) within(b *op.Builder, inside *onnx.Value, before, after []*onnx.Value) *onnx.Value {
	y := b.Where(inside, after[0], b.Scalar(after[0], 0))
	for i := range after {
		after[i] = b.Where(inside, after[i], before[i])
	}
	return y
}

// scanned is unrolled as a Scan.
func (r *recurrence) scanned(forwards bool, gates *onnx.Value, states []*onnx.Value, step cell) (*onnx.Value, []*onnx.Value) {
	g := onnx.NewGraph("step")
	b := r.b.Inside(g)
	var before []*onnx.Value
	for _, s := range states {
		before = append(before, g.AddInput("", s.Type))
	}
	element := onnx.TensorType{DType: gates.Type.DType, Shape: gates.Type.Shape[1:].Clone()}
	part := g.AddInput("", element)
	sequences := []*onnx.Value{gates}
	var inside *onnx.Value
	if r.lengths != nil {
		count := r.b.Squeeze(r.b.Slice(r.b.Shape(r.x), op.SliceSpec{End: 1}), 0)
		at := r.b.Range(r.b.Const(onnx.Scalar(int64(0))), count, r.b.Const(onnx.Scalar(int64(1))))
		sequences = append(sequences, r.b.Unsqueeze(r.b.Less(r.b.Unsqueeze(at, 1), r.b.Unsqueeze(r.lengths, 0)), 2))
		inside = g.AddInput("", onnx.TensorType{DType: onnx.Bool, Shape: onnx.Shape{r.batch, {Size: 1}}})
	}
	after := step(b, part, before)
	y := after[0]
	if inside != nil {
		y = r.within(b, inside, before, after)
	}
	if b.Err() != nil {
		return nil, nil
	}
	for _, s := range after {
		g.AddOutput(b.Identity(s), "")
	}
	g.AddOutput(b.Identity(y), "")
	a := op.ScanAttrs{InputDirections: make([]int64, len(sequences)), OutputDirections: []int64{0}}
	if !forwards {
		a.OutputDirections[0] = 1
		for i := range a.InputDirections {
			a.InputDirections[i] = 1
		}
	}
	got := r.b.Scan(g, states, sequences, a)
	return got[len(states)], got[:len(states)]
}
