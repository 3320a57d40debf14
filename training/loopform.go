package training

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime"
)

// outputFinite is bool[1]: loss and gradient were finite, and the step took place.
const outputFinite = "graft.finite"

// loopForm is the graph that a loop runs for a step. That of a named step takes parameters and slots as rows, a bucket of
// them at a time, and updates them where they are, row by row; a step whose loss or gradient is not finite changes nothing.
type loopForm struct {
	*Step
	model   *onnx.Model
	buckets []bucket        // nil: parameters and slots go by the step's own inputs
	inPlace map[string]bool // inputs that are written over
}

// writesOver are operators whose kernels read each element before they write the one at its place. (Where makes two passes.)
var writesOver = []string{"Add", "Sub", "Mul", "Div"}

// loopForm derives the form from the step, which stays as it is.
func (s *Step) loopForm(provider string) (*loopForm, error) {
	f := &loopForm{Step: s, model: s.Model, inPlace: map[string]bool{}}
	switch {
	case runtime.ProviderName(provider) != runtime.CPU:
		return f, nil
	case !s.Named:
		for _, name := range append([]string{InputTrained}, s.Slots...) {
			f.inPlace[name] = updatedInPlace(s.Model.Graph, name)
		}
		return f, nil
	}
	f.buckets = s.Packing.buckets()
	f.model = s.Model.Clone()
	if err := f.pack(f.model.Graph); err != nil {
		return nil, fmt.Errorf("pack the training step: %w", err)
	}
	return f, nil
}

// states are what a bucket has an input for, by suffix: the parameters, then the slots.
func (f *loopForm) states() []string {
	suffixes := []string{""}
	for _, slot := range f.Slots {
		suffixes = append(suffixes, "."+slot)
	}
	return suffixes
}

func (f *loopForm) pack(g *onnx.Graph) error {
	var joined, results []*onnx.Value
	for _, suffix := range f.states() {
		v, after := g.Lookup(packedState+suffix), g.Lookup(packedState+suffix+next)
		if v == nil || after == nil {
			return fmt.Errorf("the fused model has no value %q: make the artifacts again", packedState+suffix)
		}
		joined, results = append(joined, v), append(results, after)
	}
	gradient := g.Lookup(packedGradient)
	if gradient == nil {
		return fmt.Errorf("the fused model has no value %q: make the artifacts again", packedGradient)
	}
	blocked := make([]*rewrite.Blocked, len(f.buckets))
	for i, k := range f.buckets {
		var err error
		if blocked[i], err = rewrite.Block(g, results, append(slices.Clone(joined), gradient), k.block); err != nil {
			return err
		}
	}
	for _, v := range append(slices.Clone(results), append(joined, gradient)...) {
		v.Name = ""
	}
	b := op.NewBuilder(g)
	states := f.replaceStates(b)
	readers, gradients := gradient.Uses(), f.spread(b, gradient)
	ok := f.finite(b, f.square(b, gradients, readers))
	vectors := make([][]*onnx.Value, len(blocked[0].Vectors))
	for i, v := range blocked[0].Vectors {
		if at := slices.Index(joined, v); at >= 0 {
			vectors[i] = states[at]
		} else if vectors[i] = gradients; v != gradient {
			vectors[i] = f.spread(b, v)
		}
	}
	if err := b.Err(); err != nil {
		return err
	}
	update := f.guarded(g, ok, blocked, vectors, states)
	f.rewire(b, update, ok)
	if err := b.Err(); err != nil {
		return err
	}
	g.RemoveUnused()
	f.findInPlace(g, update, blocked, joined, states)
	g.AssignNames()
	return nil
}

// replaceStates makes an input of each bucket's states, by state and then by bucket, and has what read a parameter or slot
// read its part.
func (f *loopForm) replaceStates(b *op.Builder) [][]*onnx.Value {
	g := b.Graph()
	inputs := map[string]*onnx.Value{}
	for _, v := range g.Inputs() {
		inputs[v.Name] = v
	}
	states := make([][]*onnx.Value, len(f.states()))
	for i, suffix := range f.states() {
		for _, k := range f.buckets {
			old := make([]*onnx.Value, len(k.members))
			for j, m := range k.members {
				if old[j] = inputs[f.Packing.names[m]+suffix]; old[j] == nil {
					b.Fail("the fused model has no input %q: make the artifacts again", f.Packing.names[m]+suffix)
					return nil
				}
				old[j].Name = ""
			}
			state := g.AddInput(k.name+suffix, onnx.TypeOf(onnx.Float, k.rows, k.block))
			states[i] = append(states[i], state)
			for j, part := range k.cut(b, f.Packing, state) {
				readInstead(old[j], part)
				if err := g.RemoveInput(old[j]); err != nil {
					b.Fail("%w", err)
				}
			}
		}
	}
	return states
}

// readInstead makes every reader of old read new, whatever the types say.
func readInstead(old, new *onnx.Value) {
	for _, u := range old.Uses() {
		u.Node.SetInput(u.Index, new)
	}
}

// spread is a packed vector as rows, bucket by bucket.
func (f *loopForm) spread(b *op.Builder, v *onnx.Value) []*onnx.Value {
	p := f.Packing
	parts := []*onnx.Value{v}
	switch n := v.Producer(); {
	case len(p.names) == 1:
	case n != nil && n.Is("Concat") && n.NumInputs() == len(p.names): // joined for the update alone
		parts = n.Inputs()
	default:
		sizes := make([]int64, len(p.names))
		for i := range sizes {
			sizes[i] = p.offsets[i+1] - p.offsets[i]
		}
		if parts = b.Split(v, 0, sizes...); b.Err() != nil {
			return nil
		}
	}
	out := make([]*onnx.Value, len(f.buckets))
	for i, k := range f.buckets {
		out[i] = k.join(b, p, parts)
	}
	return out
}

// square is the sum of the gradient's squares, float[1], taken bucket by bucket. It also serves what clips the gradient, one
// of those that read it packed.
func (f *loopForm) square(b *op.Builder, gradients []*onnx.Value, readers []onnx.Use) *onnx.Value {
	var squares []*onnx.Value
	for _, part := range gradients {
		squares = append(squares, b.Reshape(b.ReduceSumSquare(part, true), -1))
	}
	sum := b.Sum(squares...)
	for _, u := range readers {
		if n := u.Node; b.Err() == nil && n.Is("ReduceSumSquare") && n.Output(0).Type.Shape.Equal(sum.Type.Shape) {
			readInstead(n.Output(0), sum)
		}
	}
	return sum
}

// finite is whether the loss and the sum of the gradient's squares are.
func (f *loopForm) finite(b *op.Builder, square *onnx.Value) *onnx.Value {
	g := b.Graph()
	i := slices.IndexFunc(g.Outputs(), func(v *onnx.Value) bool { return v.Name == OutputLoss })
	if i < 0 {
		b.Fail("no output %q", OutputLoss)
	}
	if b.Err() != nil {
		return nil
	}
	loss := b.Abs(b.Reshape(g.Outputs()[i], -1))
	largest := b.Scalar(loss, math.MaxFloat32)
	return b.And(b.LessOrEqual(loss, largest), b.LessOrEqual(square, largest))
}

// guarded is the update where ok holds: the states' next values, or the states as they were, by bucket and then by state.
// Vectors and states come the other way round.
func (f *loopForm) guarded(g *onnx.Graph, ok *onnx.Value, blocked []*rewrite.Blocked, vectors, states [][]*onnx.Value) *onnx.Node {
	then, otherwise := onnx.NewGraph("update"), onnx.NewGraph("leave")
	var types []onnx.TensorType
	for i, k := range f.buckets {
		rows := make([]*onnx.Value, len(vectors))
		for j, v := range vectors {
			rows[j] = v[i]
		}
		scan := then.Add("Scan", rows, len(states), onnx.Attr{Name: "body", Value: blocked[i].Body}, onnx.Int("num_scan_inputs", int64(len(rows))))
		then.SetOutputs(append(then.Outputs(), scan.Outputs()...)...)
		for _, of := range states {
			otherwise.AddOutput(otherwise.Add("Identity", []*onnx.Value{of[i]}, 1).Output(0), "")
			types = append(types, onnx.TypeOf(onnx.Float, k.rows, k.block))
		}
	}
	update := g.Add("If", []*onnx.Value{ok}, len(types), onnx.Attr{Name: "then_branch", Value: then}, onnx.Attr{Name: "else_branch", Value: otherwise})
	for i, t := range types {
		then.Outputs()[i].Type, otherwise.Outputs()[i].Type, update.Output(i).Type = t, t, t
	}
	return update
}

// rewire puts the buckets' outputs in the place of those by name, and has buffers move only with the rest.
func (f *loopForm) rewire(b *op.Builder, update *onnx.Node, ok *onnx.Value) {
	g := b.Graph()
	gone := map[string]bool{}
	for _, name := range f.Packing.Names() {
		for _, suffix := range f.states() {
			gone[name+suffix] = true
		}
	}
	buffers, inputs := map[string]bool{}, map[string]*onnx.Value{}
	for _, v := range f.Buffers {
		buffers[v.Name+next] = true
	}
	for _, v := range g.Inputs() {
		inputs[v.Name] = v
	}
	var outputs []*onnx.Value
	for _, v := range g.Outputs() {
		name, state := strings.CutSuffix(v.Name, next)
		switch {
		case state && gone[name]:
			v.Name = ""
		case buffers[v.Name] && name != BufferLossScale:
			v.Name = ""
			outputs = append(outputs, b.Named(b.Where(ok, v, inputs[name]), name+next))
		default:
			outputs = append(outputs, v)
		}
	}
	after := update.Outputs()
	for _, k := range f.buckets {
		for _, suffix := range f.states() {
			after[0].Name = k.name + suffix + next
			outputs, after = append(outputs, after[0]), after[1:]
		}
	}
	g.SetOutputs(append(outputs, b.Named(ok, outputFinite))...)
}

// findInPlace finds the states that may be written over: everything that reads them is done when the update begins, and
// the update reads each row before it writes it.
func (f *loopForm) findInPlace(g *onnx.Graph, update *onnx.Node, blocked []*rewrite.Blocked, joined []*onnx.Value, states [][]*onnx.Value) {
	before := ancestors(g, update)
	for i, k := range f.buckets {
		body := blocked[i].Body
		for j, suffix := range f.states() {
			safe := readBefore(states[j][i], before)
			if at := slices.Index(blocked[i].Vectors, joined[j]); at >= 0 && safe {
				last := body.Outputs()[j].Producer()
				safe = slices.Contains(writesOver, last.Op) && readBefore(body.Inputs()[at], ancestors(body, last))
			}
			f.inPlace[k.name+suffix] = safe
		}
	}
}

// updatedInPlace reports whether the next value of an input may be written over it: an operator that works element by element
// makes it, when all that reads the input is done.
func updatedInPlace(g *onnx.Graph, input string) bool {
	before, after := g.Lookup(input), g.Lookup(input+next)
	if before == nil || after == nil || after.Producer() == nil || !slices.Contains(writesOver, after.Producer().Op) {
		return false
	}
	return !slices.ContainsFunc(after.Producer().Inputs(), func(v *onnx.Value) bool { return v == before && !v.Type.Shape.Equal(after.Type.Shape) }) &&
		readBefore(before, ancestors(g, after.Producer()))
}

// ancestors are a node and all that it depends on, with what is inside of them.
func ancestors(g *onnx.Graph, last *onnx.Node) map[*onnx.Node]bool {
	before := map[*onnx.Node]bool{last: true}
	var mark func(n *onnx.Node)
	mark = func(n *onnx.Node) {
		for _, x := range n.Inputs() {
			if x != nil && x.Producer() != nil {
				before[x.Producer()] = true
			}
		}
		for _, sub := range n.Subgraphs() {
			for _, m := range sub.Nodes() {
				before[m] = true
				mark(m)
			}
		}
	}
	for _, n := range slices.Backward(g.Nodes()) {
		if before[n] {
			mark(n)
		}
	}
	return before
}

// readBefore reports whether everything that reads v, through views of it, is among before.
func readBefore(v *onnx.Value, before map[*onnx.Node]bool) bool {
	return !slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool {
		if u.Node.Is("Reshape") && u.Index == 0 {
			return !readBefore(u.Node.Output(0), before)
		}
		return !before[u.Node]
	})
}
