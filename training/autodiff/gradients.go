package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Options say how to differentiate. The zero value takes derivatives as they are.
type Options struct {
	// StraightThrough lets the gradient pass from DequantizeLinear to the input of the QuantizeLinear before it, as if nothing
	// were rounded, where that input lies inside the range of the quantized type. Without it such a pair is refused, since its
	// derivative is zero wherever it exists.
	StraightThrough bool
}

// Gradients adds the gradient of y with respect to each of xs to g and gives the gradients, one for each x and of its type.
// y must have one element. An x that y does not depend on gets zeros. On an error g may hold nodes that nothing reads.
//
// Nodes between xs and y may be replaced by expressions that compute the same. Who reads them, and outputs of the graph, then read
// the expressions; a y or x that is kept beside the graph may be what was replaced.
func Gradients(g *onnx.Graph, y *onnx.Value, xs []*onnx.Value) ([]*onnx.Value, error) {
	return Options{}.Gradients(g, y, xs)
}

// Gradients is the function of that name, by the options.
func (o Options) Gradients(g *onnx.Graph, y *onnx.Value, xs []*onnx.Value) ([]*onnx.Value, error) {
	if y == nil {
		return nil, fmt.Errorf("differentiate: no value to differentiate")
	}
	sizes, static := y.Type.Shape.Sizes()
	if n, err := onnx.ElementCount(sizes); !static || err != nil || n != 1 {
		return nil, fmt.Errorf("differentiate %s: it is %v, want one element; GradientsFrom takes a seed", label(y), y.Type)
	}
	one, err := op.ScalarTensor(y.Type.DType, 1)
	if err != nil {
		return nil, fmt.Errorf("differentiate %s: %w", label(y), err)
	}
	one.Dims = slices.Clone(sizes)
	return o.GradientsFrom(g, []*onnx.Value{y}, []*onnx.Value{op.NewBuilder(g).Const(one)}, xs)
}

// GradientsFrom adds to g, for each x of xs, the product of the seeds dys with the Jacobian of ys: the gradient of
// sum_i <ys[i], dys[i]>. dys[i] has the type of ys[i]. Otherwise as Gradients.
func GradientsFrom(g *onnx.Graph, ys, dys, xs []*onnx.Value) ([]*onnx.Value, error) {
	return Options{}.GradientsFrom(g, ys, dys, xs)
}

// GradientsFrom is the function of that name, by the options.
func (o Options) GradientsFrom(g *onnx.Graph, ys, dys, xs []*onnx.Value) ([]*onnx.Value, error) {
	if len(ys) != len(dys) {
		return nil, fmt.Errorf("differentiate: %d values and %d seeds", len(ys), len(dys))
	}
	for _, v := range slices.Concat(ys, dys, xs) {
		if v == nil {
			return nil, fmt.Errorf("differentiate: a value is nil")
		}
	}
	for _, x := range xs {
		if !x.Type.DType.IsFloat() {
			return nil, fmt.Errorf("differentiate with respect to %s: %v is not a floating-point type", label(x), x.Type.DType)
		}
	}
	names := nameUnknown(g)
	defer names.restore()
	for i, y := range ys {
		names.agree(dys[i], y)
	}
	ys, xs, err := expand(g, ys, xs)
	if err != nil {
		return nil, err
	}
	t := newTrace(g, ys, xs)
	if err := t.missing(); err != nil {
		return nil, err
	}
	w := &walker{Options: o, trace: t, b: op.NewBuilder(g), parts: map[*onnx.Value][]*onnx.Value{}}
	for i, y := range ys {
		w.parts[y] = append(w.parts[y], dys[i])
	}
	for _, n := range slices.Backward(t.order) {
		if t.visits(n) {
			w.step(n)
		}
	}
	out := make([]*onnx.Value, len(xs))
	if w.failed != nil {
		return nil, fmt.Errorf("differentiate: %w", errors.Join(w.failed...))
	}
	for i, x := range xs {
		if out[i] = w.cotangent(x); out[i] == nil {
			out[i] = (&Builder{Builder: w.b}).zerosLike(x)
		}
	}
	if err := w.b.Err(); err != nil {
		return nil, fmt.Errorf("differentiate: %w", err)
	}
	return out, t.sweep(out)
}

// walker goes through the nodes from the last to the first.
type walker struct {
	Options
	*trace
	b     *op.Builder
	parts map[*onnx.Value][]*onnx.Value // what flows back into a value, one part for each use
	// failed gathers the nodes whose rules do not apply; nothing flows back through them.
	failed []error
}

// cotangent is the sum of what flows back into v; nil when nothing does.
func (w *walker) cotangent(v *onnx.Value) *onnx.Value {
	parts := w.parts[v]
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	case 2:
		w.parts[v] = []*onnx.Value{w.b.Add(parts[0], parts[1])}
	default:
		w.parts[v] = []*onnx.Value{w.b.Sum(parts...)}
	}
	return w.parts[v][0]
}

func (w *walker) step(n *onnx.Node) {
	dy := make([]*onnx.Value, n.NumOutputs())
	for i, o := range n.Outputs() {
		if o != nil {
			dy[i] = w.cotangent(o)
		}
	}
	if !slices.ContainsFunc(dy, func(d *onnx.Value) bool { return d != nil }) {
		return
	}
	b := &Builder{Builder: w.b.In("gradient of " + n.String()), wants: make([]bool, n.NumInputs()), options: w.Options}
	for i, v := range n.Inputs() {
		b.wants[i] = v != nil && w.active[v]
	}
	grads := rules[n.Op].grad(b, n, dy)
	grads = grads[:min(len(grads), len(b.wants))]
	for i, d := range grads {
		if d == nil || !b.wants[i] {
			grads[i] = nil
			continue
		}
		grads[i] = b.unbroadcast(d, n, i)
	}
	if err := b.TakeErr(); err != nil {
		w.failed = append(w.failed, err)
		return
	}
	for i, d := range grads {
		if d != nil {
			w.parts[n.Input(i)] = append(w.parts[n.Input(i)], d)
		}
	}
}

func label(v *onnx.Value) string {
	if v.Name != "" {
		return fmt.Sprintf("%q", v.Name)
	}
	if n := v.Producer(); n != nil {
		return "the output of " + n.String()
	}
	return "a value"
}
