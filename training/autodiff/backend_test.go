package autodiff

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// errRefused is a case that graft does not differentiate, and says why; errNotCounted one in which there is nothing to
// differentiate.
var errRefused, errNotCounted = errors.New("refused"), errors.New("not counted")

// TestBackendNodeGradients differentiates ONNX's node tests: the gradient of a random projection of all floating-point
// outputs with respect to all floating-point inputs, against differences of the outputs themselves, in two steps with
// Richardson's extrapolation. Counted is every case with a floating-point input on a path to a floating-point output that
// does not go through an operator whose row says that its gradient is zero: integers, Booleans and steps. The log lists
// them. Of a case that the runtime does not run, for want of a kernel, what graft writes in its place is run, which must give
// the recorded outputs.
func TestBackendNodeGradients(t *testing.T) {
	cases := onnxtest.NodeCases(t)
	options := runtimetest.Options(t)
	options.Threads = 1
	passed, refused, failed, written := 0, 0, 0, 0
	skipped := map[string]int{}
	for _, c := range cases {
		nc := &nodeGradient{options: options}
		err := nc.gradientCase(c)
		if errors.Is(err, errNotRun) {
			nc = &nodeGradient{options: options, written: true}
			if e := nc.gradientCase(c); !errors.Is(e, errRefused) {
				err = e
			}
		}
		if err == nil && nc.written {
			written++
		}
		switch {
		case err == nil:
			passed++
		case errors.Is(err, errNotCounted):
			skipped[strings.TrimPrefix(err.Error(), errNotCounted.Error()+": ")]++
		case errors.Is(err, errRefused):
			refused++
			t.Logf("%s: %v", c.Name, err)
		default:
			failed++
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		t.Logf("not counted: %d cases: %s", skipped[why], why)
	}
	counted := passed + refused + failed
	t.Logf("%d of those that passed run as graft writes them, the runtime has no kernel", written)
	t.Logf("%d passed, %d refused, %d failed of %d cases", passed, refused, failed, counted)
	t.Logf("%d cases altogether, %d without a differentiable path", len(cases), len(cases)-counted)
	if refused*100 > 8*counted {
		t.Errorf("%d of %d cases are refused, at most 8 in 100 may be", refused, counted)
	}
}

// nodeGradient is one case on its way.
type nodeGradient struct {
	options  runtime.Options
	xs, ys   []string // floating-point inputs and outputs on a path
	point    map[string]*onnx.Tensor
	forward  []byte
	backward []byte
	session  *runtime.Session // of forward
	double   bool             // nothing is rounded to float32 on the way
	fresh    bool             // every run of forward wants a session of its own
	written  bool             // constants are folded, and expressions stand in the place of nodes
}

// errNotRun is a case that the runtime does not run.
var errNotRun = fmt.Errorf("%w: the case itself", errRefused)

func (nc *nodeGradient) gradientCase(c onnxtest.Case) error {
	m, err := c.Model()
	if err != nil {
		return fmt.Errorf("%w: %w", errNotCounted, err)
	}
	for _, o := range m.Opsets {
		if o.Domain != "" && o.Domain != "ai.onnx" {
			return fmt.Errorf("%w: domain %s", errNotCounted, o.Domain)
		}
	}
	if err := countable(m.Graph); err != nil {
		return err
	}
	inputs, outputs, err := c.Tensors()
	if err != nil {
		return fmt.Errorf("%w: inputs that are no tensors", errNotCounted)
	}
	nc.point = map[string]*onnx.Tensor{}
	var names []string
	for _, y := range m.Graph.Outputs() {
		names = append(names, y.Name)
	}
	if err := nc.build(m, inputs); err != nil {
		return err
	}
	if len(nc.xs) == 0 {
		return fmt.Errorf("%w: no path", errNotCounted)
	}
	if nc.session, err = runtime.Open(nc.forward, nc.options); err != nil {
		return fmt.Errorf("%w: %w", errNotRun, err)
	}
	defer nc.session.Close()
	if nc.written {
		if err := nc.recorded(names, outputs); err != nil {
			return err
		}
	}
	return nc.check()
}

// recorded holds what runs in the place of a case against the outputs that are recorded.
func (nc *nodeGradient) recorded(ys []string, want []*onnx.Tensor) error {
	got, err := nc.run(nc.session, nc.point)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotRun, err)
	}
	for i, name := range ys {
		if i >= len(want) || !wide(want[i].DType) {
			continue
		}
		tolerance := 1e-4
		if narrow(want[i].DType) {
			tolerance = 1e-2
		}
		if err := onnxtest.Compare(got[name], widened(want[i]), tolerance, 10*tolerance); err != nil {
			return fmt.Errorf("%s as graft writes it: %w", name, err)
		}
	}
	return nil
}

// countable says why a graph has nothing to differentiate; nil when it has.
func countable(g *onnx.Graph) error {
	float := func(v *onnx.Value) bool { return v.IsTensor() && wide(v.Type.DType) }
	if !slices.ContainsFunc(g.Inputs(), float) {
		return fmt.Errorf("%w: no floating-point input", errNotCounted)
	}
	active := map[*onnx.Value]bool{}
	for _, v := range g.Inputs() {
		active[v] = float(v)
	}
	blocked := map[string]bool{}
	for _, n := range g.Nodes() {
		reads := slices.ContainsFunc(reads(n), func(v *onnx.Value) bool { return active[v] })
		if !reads {
			continue
		}
		if rules[n.Op].zero {
			blocked[n.Op+": its gradient is zero"] = true
			continue
		}
		for _, o := range n.Outputs() {
			if o != nil && (float(o) || o.Type.DType == onnx.Undefined) {
				active[o] = true
			}
		}
	}
	if slices.ContainsFunc(g.Outputs(), func(v *onnx.Value) bool { return float(v) && active[v] && v.Producer() != nil }) {
		return nil
	}
	if len(blocked) > 0 {
		return fmt.Errorf("%w: %s", errNotCounted, strings.Join(slices.Sorted(maps.Keys(blocked)), "; "))
	}
	return fmt.Errorf("%w: no floating-point output", errNotCounted)
}

// build makes the two models: the case with its integer inputs as constants and narrow floats as float, and the same with
// the gradient of the projection.
func (nc *nodeGradient) build(m *onnx.Model, inputs []*onnx.Tensor) error {
	g := m.Graph
	if err := upgraded(m); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	widen(g)
	for _, n := range g.Nodes() {
		if n.Is("Dropout") { // the same mask in the first run of every session
			n.SetAttr(onnx.Int("seed", 1))
			nc.fresh = true
		}
	}
	declared := g.Inputs()
	if len(declared) != len(inputs) {
		return fmt.Errorf("%w: %d inputs, %d recorded", errNotCounted, len(declared), len(inputs))
	}
	for i, v := range declared {
		x := inputs[i]
		if v.Type.DType == onnx.Float && x.DType == onnx.Uint16 { // recorded as bits
			x.DType = onnx.BFloat16
		}
		x = widened(x)
		if !wide(x.DType) || sets(v) {
			bound := g.AddInitializer(v.Name, x)
			if err := g.ReplaceUses(v, bound); err != nil {
				return err
			}
			if err := g.RemoveInput(v); err != nil {
				return err
			}
			continue
		}
		v.Type = x.Type()
		nc.point[v.Name] = x
	}
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil {
				o.Type = onnx.TensorType{}
			}
		}
	}
	if err := op.InferGraph(g); err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	if nc.written {
		if _, err := rewrite.Fold(g, rewrite.Folding{}); err != nil {
			return err
		}
		if err := writeExpressions(g); err != nil {
			return fmt.Errorf("%w: %w", errRefused, err)
		}
	}
	low, err := op.LowestOpset(g)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	m.SetOpset("", max(low, op.Opset)) // a younger file is in the same forms; the runtime has no kernels for the youngest opsets
	m.IRVersion = 10
	if nc.forward, err = m.Encode(); err != nil {
		return err
	}
	return nc.differentiate(m)
}

func (nc *nodeGradient) differentiate(m *onnx.Model) error {
	g := m.Graph
	var xs, ys, dys []*onnx.Value
	for _, v := range g.Inputs() {
		if wide(v.Type.DType) {
			xs = append(xs, v)
		}
	}
	for _, y := range g.Outputs() {
		if y.IsTensor() && wide(y.Type.DType) && y.Producer() != nil {
			ys = append(ys, y)
			nc.ys = append(nc.ys, y.Name)
			dys = append(dys, g.AddInput("seed of "+y.Name, y.Type))
		}
	}
	nc.double = true
	t := newTrace(g, ys, xs)
	for _, n := range t.order {
		for _, v := range append(n.Inputs(), n.Outputs()...) {
			nc.double = nc.double && (v == nil || v.Type.DType != onnx.Float)
		}
	}
	grads, err := GradientsFrom(g, ys, dys, xs)
	if err != nil {
		return fmt.Errorf("%w: %w", errRefused, err)
	}
	g.SetOutputs()
	b := op.NewBuilder(g)
	for i, d := range grads {
		nc.xs = append(nc.xs, xs[i].Name)
		g.AddOutput(b.Identity(d), "gradient of "+xs[i].Name)
	}
	if err := b.Err(); err != nil {
		return err
	}
	g.RemoveUnused()
	low, err := op.LowestOpset(g)
	if err != nil {
		return err
	}
	m.SetOpset("", max(low, op.Opset))
	nc.backward, err = m.Encode()
	return err
}

func (nc *nodeGradient) run(s *runtime.Session, feeds map[string]*onnx.Tensor) (map[string]*onnx.Tensor, error) {
	if nc.fresh && s == nc.session {
		var err error
		if s, err = runtime.Open(nc.forward, nc.options); err != nil {
			return nil, err
		}
		defer s.Close()
	}
	return s.Run(context.Background(), feeds)
}

// sets reports whether an input only sets an operator up, as the scales of a Resize do: it is bound as a constant.
func sets(v *onnx.Value) bool {
	return v.NumUses() > 0 && !slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool {
		return !slices.Contains(settings[u.Node.Op], u.Index)
	})
}

// settings are the floating-point inputs by which operators are set up.
var settings = map[string][]int{"Resize": {1, 2}, "Upsample": {1}, "Dropout": {1}}

// upgraded brings a case into the forms that the rules read.
func upgraded(m *onnx.Model) error {
	if err := rewrite.Inline(m); err != nil {
		return err
	}
	return rewrite.Upgrade(m)
}

// widen makes float of the narrow floating-point types that a graph speaks of: CPU kernels know few others.
func widen(g *onnx.Graph) {
	for _, v := range slices.Concat(g.Inputs(), g.Initializers()) {
		if narrow(v.Type.DType) {
			v.Type.DType = onnx.Float
		}
		if v.Const != nil {
			v.Const = widened(v.Const)
		}
	}
	for _, n := range g.Nodes() {
		for _, a := range n.Attrs {
			switch value := a.Value.(type) {
			case int64:
				if (a.Name == "to" || a.Name == "dtype" || a.Name == "stash_type") && narrow(onnx.DataType(value)) {
					n.SetAttr(onnx.Int(a.Name, int64(onnx.Float)))
				}
			case *onnx.Tensor:
				if value != nil && narrow(value.DType) {
					a.Value = widened(value)
					n.SetAttr(a)
				}
			}
		}
	}
}

// wide reports whether derivatives are taken of an element type: floats of 16 bits or more.
func wide(d onnx.DataType) bool { return d == onnx.Float || d == onnx.Double || narrow(d) }

func narrow(d onnx.DataType) bool { return d == onnx.Float16 || d == onnx.BFloat16 }

func widened(t *onnx.Tensor) *onnx.Tensor {
	if !narrow(t.DType) {
		return t
	}
	out := onnx.NewTensor(onnx.Float, t.Dims...)
	out.Name = t.Name
	for i, v := range onnx.View[uint16](t) {
		if t.DType == onnx.BFloat16 {
			out.Float32s()[i] = math.Float32frombits(uint32(v) << 16)
		} else {
			out.Float32s()[i] = half(v)
		}
	}
	return out
}

// half is the number that the bits of a float16 stand for.
func half(v uint16) float32 {
	sign, exponent, fraction := 1-2*float64(v>>15), int(v>>10&31), float64(v&1023)
	switch exponent {
	case 0:
		return float32(sign * fraction * 0x1p-24)
	case 31:
		return float32(sign * math.Inf(1))
	}
	return float32(sign * (1 + fraction/1024) * math.Pow(2, float64(exponent-15)))
}

func floats(t *onnx.Tensor) []float64 {
	if t == nil {
		return nil
	}
	if t.DType == onnx.Double {
		return onnx.View[float64](t)
	}
	out := make([]float64, t.Len())
	for i, v := range t.Float32s() {
		out[i] = float64(v)
	}
	return out
}

// moved is x + h direction.
func moved(x *onnx.Tensor, direction []float64, h float64) *onnx.Tensor {
	out := x.Clone()
	for i, d := range direction {
		if x.DType == onnx.Double {
			onnx.View[float64](out)[i] += h * d
		} else {
			out.Float32s()[i] += float32(h * d)
		}
	}
	return out
}

// random is a number in [-1,1] for each element of t.
func random(rng *rand.Rand, t *onnx.Tensor) []float64 {
	out := make([]float64, t.Len())
	for i := range out {
		out[i] = 2*rng.Float64() - 1
	}
	return out
}

func finite(values []float64) bool {
	return !slices.ContainsFunc(values, func(v float64) bool { return v-v != 0 })
}
