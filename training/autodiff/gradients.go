package autodiff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// Options say how to differentiate. The zero value takes derivatives as they are, and keeps every value that they read
// until they are made.
type Options struct {
	// StraightThrough lets the gradient pass from DequantizeLinear to the input of the QuantizeLinear before it, as if nothing
	// were rounded, where that input lies inside the range of the quantized type. Without it such a pair is refused, since its
	// derivative is zero wherever it exists.
	StraightThrough bool
	// Segments above one cut the way to y into so many parts: values inside all but the last are computed anew from what
	// enters the part when its gradient is made, which takes the memory of one part, and the time of a second forward pass.
	Segments int
	// Device is where the gradients will run: it chooses between forms of them.
	Device Device
	// Deterministic has sums at places that repeat, the gradients of tables, in one order on every device. The CPU's always are.
	Deterministic bool
}

// Gradients adds the gradient of y with respect to each of xs to g and gives the gradients, one for each x and of its type.
// y must have one element. An x that y does not depend on gets zeros. On an error g may hold nodes that nothing reads.
//
// Nodes between xs and y may be replaced by expressions that compute the same. Who reads them, and outputs of the graph, then read
// the expressions; a y or x that is kept beside the graph may be what was replaced.
func Gradients(g *onnx.Graph, y *onnx.Value, xs []*onnx.Value) ([]*onnx.Value, error) {
	return Options{}.Gradients(g, y, xs)
}

// GradientsFrom adds to g, for each x of xs, the product of the seeds dys with the Jacobian of ys: the gradient of
// sum_i <ys[i], dys[i]>. dys[i] has the type of ys[i]. Otherwise as Gradients.
func GradientsFrom(g *onnx.Graph, ys, dys, xs []*onnx.Value) ([]*onnx.Value, error) {
	return Options{}.GradientsFrom(g, ys, dys, xs)
}

// Gradients is the function of that name with options.
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

// GradientsFrom is the function of that name with options.
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
	b := op.NewBuilder(g)
	names := nameUnknown(g)
	defer names.restore()
	w, err := o.differentiate(b, names, ys, dys, xs)
	if err != nil {
		return nil, fmt.Errorf("differentiate: %w", err)
	}
	out := make([]*onnx.Value, len(xs))
	for i, x := range w.xs {
		if out[i] = w.cotangent(x); out[i] == nil {
			out[i] = (&Builder{Builder: b}).zerosLike(x)
		}
	}
	if err := b.Err(); err != nil {
		return nil, fmt.Errorf("differentiate: %w", err)
	}
	if err := w.sweep(out); err != nil {
		return nil, err
	}
	if w.anew != nil {
		w.anew.apply(b, w.trace, w.xs)
	}
	if err := b.Err(); err != nil {
		return nil, fmt.Errorf("differentiate: compute anew: %w", err)
	}
	return out, nil
}

// differentiate carries the seeds dys, nil for none, from ys back to xs. Nothing flows back into an x whose cotangent is nil.
// The error names every node that has no rule, or whose rule does not apply.
func (o Options) differentiate(b *op.Builder, names *naming, ys, dys, xs []*onnx.Value) (*walker, error) {
	for i, y := range ys {
		if dys[i] != nil {
			names.agree(dys[i], y)
		}
	}
	ys, xs, failed, err := o.expand(b, ys, xs)
	if err != nil {
		return nil, err
	}
	slices.Reverse(failed)
	w := &walker{Options: o, xs: xs, failed: failed, trace: newTrace(b.Graph(), ys, xs), b: b, parts: map[*onnx.Value][]*onnx.Value{}, reported: map[string]bool{}}
	for i, y := range ys {
		if dys[i] != nil {
			w.parts[y] = append(w.parts[y], dys[i])
		}
	}
	w.failed = append(w.failed, w.misread()...)
	if o.Segments > 1 {
		w.anew = newRecomputation(w.trace, o.Segments)
	}
	for _, n := range slices.Backward(w.order) {
		if w.visits(n) {
			if w.anew != nil {
				w.anew.enter(w.graph, n)
			}
			w.step(n)
		}
	}
	if w.anew != nil {
		w.anew.enter(w.graph, nil)
	}
	if w.failed == nil {
		return w, nil
	}
	if err := w.sweep(nil); err != nil {
		return nil, err
	}
	slices.Reverse(w.failed)
	return nil, together(w.failed)
}

func (w *walker) back(c *op.Builder, ys, dys, xs []*onnx.Value) ([]*onnx.Value, error) {
	names := nameUnknown(c.Graph())
	defer names.restore()
	o := w.Options
	o.Segments = 0
	inner, err := o.differentiate(c, names, ys, dys, xs)
	if err != nil {
		return nil, err
	}
	ds := make([]*onnx.Value, len(xs))
	for i, x := range inner.xs {
		ds[i] = inner.cotangent(x)
	}
	return ds, c.TakeErr()
}

func (w *walker) between(g *onnx.Graph, ys, xs []*onnx.Value) *trace { return newTrace(g, ys, xs) }

// together is one error, of one line, that says what all of them say.
func together(errs []error) error {
	lines := make([]string, len(errs))
	for i, err := range errs {
		lines[i] = err.Error()
	}
	return errors.New(strings.Join(lines, "; "))
}

// walker goes through the nodes from the last to the first.
type walker struct {
	Options
	*trace
	b     *op.Builder
	xs    []*onnx.Value                 // as they are once expressions are written out
	parts map[*onnx.Value][]*onnx.Value // what flows back into a value, one part for each use
	// failed gathers the nodes without a rule, one an operator as reported notes, and those whose rules do not apply.
	failed   []error
	reported map[string]bool
	anew     *recomputation // nil: everything is kept
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
	operands := w.operands(n)
	b := &Builder{Builder: w.b.In("gradient of " + n.String()), wants: make([]bool, len(operands)), engine: w, options: w.Options}
	for i, v := range operands {
		b.wants[i] = v != nil && w.active[v]
	}
	r := w.row(n)
	if !n.Is(n.Op) || r.grad == nil {
		if name := operator(n); !w.reported[name] && (r.expand == nil || !n.Is(n.Op)) {
			w.reported[name] = true
			w.failed = append(w.failed, w.missing(n))
		}
		w.skip(operands)
		return
	}
	if err := absent(n); err != nil {
		w.failed = append(w.failed, err)
		w.skip(operands)
		return
	}
	grads := r.grad(b, n, dy)
	grads = grads[:min(len(grads), len(b.wants))]
	for i, d := range grads {
		if d == nil || !b.wants[i] {
			grads[i] = nil
			continue
		}
		if i < n.NumInputs() {
			d = b.unbroadcast(d, n, i)
		}
		if grads[i] = d; d != nil {
			grads[i].Type = refine(grads[i].Type, operands[i].Type)
		}
	}
	if err := b.TakeErr(); err != nil {
		w.failed = append(w.failed, err)
		w.skip(operands)
		return
	}
	for i, d := range grads {
		if d != nil {
			w.parts[operands[i]] = append(w.parts[operands[i]], d)
			if w.anew != nil {
				w.anew.sink(n, operands[i], d)
			}
		}
	}
}

// skip lets something of the right type flow back into the operands of a node whose own cotangents cannot be had, so that the
// nodes before it are tried too. There is a failure already: none of it is used.
func (w *walker) skip(operands []*onnx.Value) {
	for _, v := range operands {
		if v != nil && w.active[v] {
			w.parts[v] = append(w.parts[v], v)
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
