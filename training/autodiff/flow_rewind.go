package autodiff

import (
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// rewind is the gradient of a repetition while it is made: c builds its body, a copy of the repetition's with what flows back.
type rewind struct {
	*repetition
	b         *Builder
	c         *op.Builder
	dy        []*onnx.Value
	inputs    []*onnx.Value // of the node
	captured  []*onnx.Value
	ins, outs []*onnx.Value // of the copied body

	carries  []int         // states whose cotangents go from round to round
	sums     []int         // captured values whose cotangents are summed on the way
	products []int         // captured values whose cotangents are one product at the end
	xs       []int         // fed elements whose cotangents are wanted
	states   []*onnx.Value // inputs of the gradient's body that it carries on: cotangents of carries, then sums
	starts   []*onnx.Value // of those
	feeds    []feed
}

// feed is a sequence that the gradient's body gets the elements of.
type feed struct {
	element         *onnx.Value // input of the body
	sequence        *onnx.Value // input of the node; nil for saved ones
	saved           *onnx.Value // a value of the repetition's body that the node is made to hand out
	axis, direction int64
}

// backwards differentiates the copied body and makes it hand out what the gradient consists of.
func (w *rewind) backwards() error {
	g, b := w.c.Graph(), w.b
	before, fed := w.ins[w.in:w.in+w.repetition.states], w.ins[w.in+w.repetition.states:]
	after, made := w.outs[w.out:w.out+w.repetition.states], w.outs[w.out+w.repetition.states:]
	var wanted, vs []*onnx.Value
	for i, v := range fed {
		if b.Wants(w.in + w.repetition.states + i) {
			w.xs, wanted = append(w.xs, i), append(wanted, v)
		}
	}
	var at []int // of vs among the captured values
	for i, v := range w.captured {
		if b.Wants(len(w.inputs) + i) {
			vs, at = append(vs, v), append(at, i)
		}
	}
	w.carries = w.carried(before, after, made, slices.Concat(wanted, vs))

	// The seeds: cotangents of the states after the round, and elements of those of what the node handed out.
	var ys, seeds, starting []*onnx.Value
	for _, i := range w.carries {
		d := g.AddInput("", before[i].Type)
		w.states, ys, seeds, starting = append(w.states, d), append(ys, after[i]), append(seeds, d), append(starting, before[i])
		start := w.dy[i]
		if start == nil {
			start = b.zerosLike(w.inputs[w.in+i])
		}
		w.starts = append(w.starts, start)
	}
	for i, y := range made {
		k := w.repetition.states + i
		if k >= len(w.dy) || w.dy[k] == nil {
			continue
		}
		d := g.AddInput("", y.Type)
		ys, seeds = append(ys, y), append(seeds, d)
		w.feeds = append(w.feeds, feed{element: d, sequence: w.dy[k], axis: w.OutputAxes[i], direction: 1 - w.OutputDirections[i]})
	}
	wanted = append(starting, wanted...)
	ds, err := b.engine.back(w.c, ys, seeds, slices.Concat(wanted, vs))
	if err != nil {
		return err
	}
	inside := &Builder{Builder: w.c}
	for i, v := range wanted {
		if ds[i] == nil {
			ds[i] = inside.zerosLike(v)
		} else {
			ds[i].Type = refine(ds[i].Type, v.Type)
		}
	}
	carried, handed := slices.Clone(ds[:len(w.carries)]), slices.Clone(ds[len(w.carries):len(wanted)])
	for i, d := range ds[len(wanted):] {
		if d == nil {
			continue
		}
		if left, right, ok := factors(d); ok && w.runs() {
			w.products, handed = append(w.products, at[i]), append(handed, left, right)
			continue
		}
		sum := g.AddInput("", vs[i].Type)
		w.sums, w.states, w.starts = append(w.sums, at[i]), append(w.states, sum), append(w.starts, b.zerosLike(vs[i]))
		carried = append(carried, w.c.Add(sum, d))
	}
	handOut(w.c, slices.Concat(carried, handed))
	return b.TakeErr()
}

// factors writes d as left' right where it is made as such, as the gradient of a weight is, and where handing the factors out
// costs less than summing the products round by round. One product over all rounds is then the sum.
func factors(d *onnx.Value) (left, right *onnx.Value, ok bool) {
	n := d.Producer()
	switch {
	case n == nil:
		return nil, nil, false
	case n.Is("Gemm"):
		a := op.GemmAttrsOf(n)
		ok = a.TransA && !a.TransB && a.Alpha == 1 && n.Input(2) == nil
		left, right = n.Input(0), n.Input(1)
	case n.Is("MatMul"):
		if t := n.Input(0).Producer(); t != nil && t.Is("Transpose") {
			left, right, ok = t.Input(0), n.Input(1), true
		}
	}
	if !ok || len(left.Type.Shape) != 2 || len(right.Type.Shape) != 2 {
		return nil, nil, false
	}
	rows, m, k := left.Type.Shape[0], left.Type.Shape[1], right.Type.Shape[1]
	return left, right, !rows.Known() || !m.Known() || !k.Known() || rows.Size*(m.Size+k.Size) <= 2*m.Size*k.Size
}

// feedBody chooses the sequences that the gradient's body reads, and makes the node hand out those that it has inside.
func (w *rewind) feedBody() {
	first := w.in + w.repetition.states
	for i, v := range w.ins[first:] { // only a Scan is fed
		w.feeds = append(w.feeds, feed{element: v, sequence: w.inputs[first+i], axis: w.InputAxes[i], direction: 1 - w.InputDirections[i]})
	}
	for i, v := range w.ins[:first] {
		switch {
		case v.NumUses() == 0:
		case w.in == 2 && i == 1: // a round is only run while the condition holds
			always := w.c.Const(onnx.Scalar(true))
			for _, u := range v.Uses() {
				u.Node.SetInput(u.Index, always)
			}
		default:
			w.feeds = append(w.feeds, feed{element: v, saved: w.body.Inputs()[i], direction: 1})
		}
	}
	read := slices.DeleteFunc(slices.Clone(w.feeds), func(f feed) bool { return f.element.NumUses() == 0 })
	if len(read) == 0 { // something has to say how many rounds there were
		read = []feed{{element: w.ins[0], saved: w.body.Inputs()[0], direction: 1}}
		if len(w.feeds) > 0 {
			read = w.feeds[:1]
		}
	}
	w.feeds = read
	for i := range w.feeds {
		if f := &w.feeds[i]; f.saved != nil {
			f.sequence = w.save(f.saved, f.element.Type)
		}
	}
}

// build adds the Scan, and gives what flows back into the node's inputs and captured values.
func (w *rewind) build() []*onnx.Value {
	var a op.ScanAttrs
	var sequences []*onnx.Value
	bodyInputs := slices.Clone(w.states)
	for _, f := range w.feeds {
		bodyInputs, sequences = append(bodyInputs, f.element), append(sequences, f.sequence)
		a.InputAxes, a.InputDirections = append(a.InputAxes, f.axis), append(a.InputDirections, f.direction)
	}
	for _, i := range w.xs {
		a.OutputAxes, a.OutputDirections = append(a.OutputAxes, w.InputAxes[i]), append(a.OutputDirections, 1-w.InputDirections[i])
	}
	for range 2 * len(w.products) {
		a.OutputAxes, a.OutputDirections = append(a.OutputAxes, 0), append(a.OutputDirections, 0)
	}
	w.c.Graph().SetInputs(bodyInputs...)
	got := w.scan(w.b, w.c.Graph(), w.starts, sequences, a)
	if w.b.Err() != nil {
		return nil
	}

	out := make([]*onnx.Value, len(w.inputs)+len(w.captured))
	put := func(i int, v *onnx.Value) {
		out[i], got = got[0], got[1:]
		out[i].Type = refine(out[i].Type, v.Type)
	}
	for _, i := range w.carries {
		put(w.in+i, w.inputs[w.in+i])
	}
	for _, i := range w.sums {
		put(len(w.inputs)+i, w.captured[i])
	}
	for _, i := range w.xs {
		i += w.in + w.repetition.states
		put(i, w.inputs[i])
	}
	for _, i := range w.products { // the rounds below each other: [rounds*rows, columns]
		out[len(w.inputs)+i] = w.b.Gemm(w.b.Flatten(got[0], 2), w.b.Flatten(got[1], 2), nil, op.GemmAttrs{TransA: true})
		got = got[2:]
	}
	return out
}

// carried lists the states whose cotangents go from round to round: those that something wanted flows into, and that something
// depends on whose cotangent is there.
func (w *rewind) carried(before, after, made, xs []*onnx.Value) []int {
	active, used := make([]bool, len(before)), make([]bool, len(before))
	var ys []*onnx.Value
	for i := range before {
		active[i], used[i] = w.b.Wants(w.in+i), w.dy[i] != nil
	}
	for i, y := range made {
		if k := len(before) + i; k < len(w.dy) && w.dy[k] != nil {
			ys = append(ys, y)
		}
	}
	for changed := true; changed; {
		changed = false
		from, to := slices.Clone(xs), slices.Clone(ys)
		for i := range before {
			if active[i] {
				from = append(from, before[i])
			}
			if used[i] {
				to = append(to, after[i])
			}
		}
		t := w.b.engine.between(w.c.Graph(), to, from)
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
		for i := range before {
			if t.active[after[i]] && !active[i] && before[i].Type.DType.IsFloat() {
				active[i], changed = true, true
			}
			if read[before[i]] && !used[i] {
				used[i], changed = true, true
			}
		}
	}
	var both []int
	for i := range before {
		if active[i] && used[i] {
			both = append(both, i)
		}
	}
	return both
}
