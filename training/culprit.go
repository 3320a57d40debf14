package training

import (
	"context"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/runtime"
)

// Culprit is the first tensor of a step that is not finite: everything that it was made of is.
type Culprit struct {
	Step      int64
	Tensor    string
	Node      string   // the node that made it
	Count     int64    // elements that are NaN or infinite
	Element   int64    // the first of them
	Value     float32  // what it is
	Parameter []string // parameters that the node reads
	// Large says that every tensor is finite, but the sum of the gradient's squares is not: this is its largest element.
	Large bool
}

// String is one line.
func (c *Culprit) String() string {
	if c.Large {
		return fmt.Sprintf("the sum of the gradient's squares overflows, its largest element is %g, for element %d of parameter %s", c.Value, c.Element, limits.Names(c.Parameter, 1))
	}
	s := fmt.Sprintf("the first tensor that went bad is %s, element %d is %g, made by %s", limits.Name(c.Tensor), c.Element, c.Value, c.Node)
	if len(c.Parameter) > 0 {
		s += " with parameter " + limits.Names(c.Parameter, 4)
	}
	return s
}

// FindCulprit runs the step that follows a snapshot once more, every tensor in sight, and gives the first that is not finite;
// nil when all are.
func (l *Loop) FindCulprit(ctx context.Context, from *Snapshot) (*Culprit, error) {
	c, err := l.findCulprit(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("look for the tensor that went bad: %w", err)
	}
	return c, nil
}

// checked names the output that says of each tensor in turn whether it is finite.
const checked = "graft.checked"

func (l *Loop) findCulprit(ctx context.Context, from *Snapshot) (*Culprit, error) {
	feeds, err := l.feeds(from)
	if err != nil {
		return nil, err
	}
	m := l.Step.Model.Clone()
	op.InferModel(m)
	g := m.Graph
	values := floatValues(g)
	b := op.NewBuilder(g)
	var sums []*onnx.Value
	for _, v := range values {
		// x - x is 0, and NaN for what is not finite
		sum := b.ReduceSum(b.Sub(v, v), false)
		if v.Type.DType != onnx.Float {
			sum = b.Cast(sum, onnx.Float)
		}
		sums = append(sums, b.Reshape(sum, 1))
	}
	if len(sums) == 0 {
		return nil, nil
	}
	all := sums[0]
	if len(sums) > 1 {
		all = b.Concat(0, sums...)
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	g.SetOutputs()
	g.AddOutput(b.Identity(all), checked)
	out, err := l.runOnce(ctx, m, feeds, checked)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(out.Float32s(), func(x float32) bool { return x != x })
	if at < 0 {
		return l.largestGradient(ctx, from.Steps+1, feeds)
	}
	return l.describe(ctx, from.Steps+1, values[at].Name, feeds)
}

// largestGradient looks for the gradient that makes the sum of squares overflow; nil when none does.
func (l *Loop) largestGradient(ctx context.Context, step int64, feeds map[string]*onnx.Tensor) (*Culprit, error) {
	m := l.Step.Model.Clone()
	v := m.Graph.Lookup(packedGradient)
	if v == nil {
		return nil, nil
	}
	m.Graph.SetOutputs(v)
	t, err := l.runOnce(ctx, m, feeds, packedGradient)
	if err != nil {
		return nil, err
	}
	c := &Culprit{Step: step, Tensor: packedGradient, Large: true}
	sum, at := float32(0), 0
	for i, x := range t.Float32s() {
		if sum += x * x; max(x, -x) > max(c.Value, -c.Value) {
			at, c.Value = i, x
		}
	}
	if sum-sum == 0 {
		return nil, nil
	}
	p := l.Step.Packing
	for i, name := range p.names {
		if int64(at) >= p.offsets[i] && int64(at) < p.offsets[i+1] {
			c.Parameter, c.Element = []string{name}, int64(at)-p.offsets[i]
		}
	}
	return c, nil
}

// feeds is everything that the step behind a snapshot reads.
func (l *Loop) feeds(from *Snapshot) (map[string]*onnx.Tensor, error) {
	feeds, _, err := l.Step.links(from)
	if err != nil {
		return nil, err
	}
	step := from.Steps + 1
	feeds[InputRate] = onnx.FromSlice([]float32{float32(l.Rate(step))})
	feeds[InputStep] = onnx.FromSlice([]int64{step})
	if l.Step.Masked {
		feeds[InputGradientMask] = from.Mask
	}
	if l.Feed != nil {
		for name, t := range l.Feed(step) {
			feeds[name] = t
		}
	}
	if l.Data != nil {
		given, err := l.Data.At(step)
		if err != nil {
			return nil, err
		}
		for name, t := range given {
			feeds[name] = t
		}
	}
	return feeds, nil
}

// floatValues are the floating values that the nodes of a graph make, those of the first nodes first.
func floatValues(g *onnx.Graph) []*onnx.Value {
	var out []*onnx.Value
	for _, n := range g.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && v.Name != "" && (v.Type.DType == onnx.Float || v.Type.DType == onnx.Double) {
				out = append(out, v)
			}
		}
	}
	return out
}

func (l *Loop) runOnce(ctx context.Context, m *onnx.Model, feeds map[string]*onnx.Tensor, output string) (*onnx.Tensor, error) {
	m.Graph.RemoveUnused()
	data, err := m.Encode()
	if err != nil {
		return nil, err
	}
	session, err := runtime.Open(data, l.Session)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	given := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Inputs() {
		if !v.IsInitializer() {
			given[v.Name] = feeds[v.Name]
		}
	}
	out, err := session.Run(ctx, given, output)
	return out[output], err
}

// describe looks at one value closely.
func (l *Loop) describe(ctx context.Context, step int64, name string, feeds map[string]*onnx.Tensor) (*Culprit, error) {
	m := l.Step.Model.Clone()
	g := m.Graph
	v := g.Lookup(name)
	if !g.IsOutput(v) {
		g.SetOutputs()
		g.AddOutput(v, name)
	}
	n := v.Producer()
	c := &Culprit{Step: step, Tensor: name, Node: fmt.Sprint(n), Element: -1, Parameter: l.readBy(n)}
	t, err := l.runOnce(ctx, m, feeds, name)
	if err != nil {
		return nil, err
	}
	values, _ := t.Reals()
	for i, x := range values {
		if x-x != 0 {
			if c.Count++; c.Element < 0 {
				c.Element, c.Value = int64(i), float32(x)
			}
		}
	}
	return c, nil
}

// readBy lists the parameters that a node reads, directly or rearranged.
func (l *Loop) readBy(n *onnx.Node) []string {
	carriers := []string{"Identity", "Cast", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}
	var out []string
	for _, v := range n.Inputs() {
		for v != nil && v.Producer() != nil && slices.Contains(carriers, v.Producer().Op) {
			v = v.Producer().Input(0)
		}
		if v != nil && v.Producer() == nil && slices.Contains(l.Step.Packing.Names(), v.Name) {
			out = append(out, v.Name)
		}
	}
	return out
}

// Before is the state before a step: that of running the loop from a snapshot again, without its callbacks.
func (l *Loop) Before(ctx context.Context, from *Snapshot, step int64) (*Snapshot, error) {
	if from.Steps == step-1 {
		return from, nil
	}
	again := *l
	again.Each, again.Pause, again.Visit = nil, nil, nil
	return again.Run(ctx, from, step-1, 0, nil)
}
