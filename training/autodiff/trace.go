package autodiff

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// trace is what lies between xs and ys.
type trace struct {
	graph  *onnx.Graph
	order  []*onnx.Node
	active map[*onnx.Value]bool        // values that an x flows into
	from   map[*onnx.Value]*onnx.Value // the active input that made a value active
	needed map[*onnx.Node]bool         // nodes that a y depends on
	read   map[*onnx.Node][]*onnx.Value
}

func newTrace(g *onnx.Graph, ys, xs []*onnx.Value) *trace {
	t := &trace{graph: g, order: g.Nodes(), active: map[*onnx.Value]bool{}, from: map[*onnx.Value]*onnx.Value{},
		needed: map[*onnx.Node]bool{}, read: map[*onnx.Node][]*onnx.Value{}}
	for _, x := range xs {
		t.active[x] = true
	}
	for _, n := range t.order {
		in := t.activeInput(n)
		if in == nil || rules[n.Op].zero {
			continue
		}
		for _, o := range n.Outputs() {
			// A value of unknown type may be a float; integers and Booleans end the path, but for those that stand for floats.
			if o != nil && !t.active[o] && (o.Type.DType.IsFloat() || o.Type.DType == onnx.Undefined || quantizes(n)) {
				t.active[o], t.from[o] = true, in
			}
		}
	}
	for _, y := range ys {
		if p := y.Producer(); p != nil {
			t.needed[p] = true
		}
	}
	for _, n := range slices.Backward(t.order) {
		if !t.needed[n] {
			continue
		}
		for _, v := range t.operands(n) {
			if v == nil {
				continue
			}
			if p := v.Producer(); p != nil {
				t.needed[p] = true
			}
		}
	}
	return t
}

// visits reports whether n is on a path from an x to a y.
func (t *trace) visits(n *onnx.Node) bool {
	return t.needed[n] && t.activeInput(n) != nil &&
		slices.ContainsFunc(n.Outputs(), func(o *onnx.Value) bool { return o != nil && t.active[o] })
}

func (t *trace) activeInput(n *onnx.Node) *onnx.Value {
	for _, v := range t.operands(n) {
		if v != nil && t.active[v] {
			return v
		}
	}
	return nil
}

// reads lists what n reads: its inputs, absent ones as nil, then what its subgraphs read of the graphs around them.
func reads(n *onnx.Node) []*onnx.Value {
	if len(n.Subgraphs()) == 0 {
		return n.Inputs()
	}
	return append(n.Inputs(), n.Captured()...)
}

// operands is reads, looked for once where it takes time.
func (t *trace) operands(n *onnx.Node) []*onnx.Value {
	list, ok := t.read[n]
	if !ok {
		if list = reads(n); len(n.Subgraphs()) > 0 {
			t.read[n] = list
		}
	}
	return list
}

// absent says which input n cannot be without and is; nil when it has them all.
func absent(n *onnx.Node) error {
	if s := op.Lookup(n.Op); s != nil && n.Is(n.Op) {
		for i := range s.MinIn {
			if n.Input(i) == nil {
				return fmt.Errorf("%s: input %d is absent", n, i)
			}
		}
	}
	return nil
}

// missing says that n has no rule, and how an x reaches it.
func (t *trace) missing(n *onnx.Node) error {
	why := rules[n.Op].none
	if why == "" {
		why = "no gradient rule"
	}
	return fmt.Errorf("%s at %s: %s (path %s)", operator(n), n, why, t.path(n))
}

// misread says which nodes on the way read a quantized value as if it were one, one an operator.
func (t *trace) misread() []error {
	var errs []error
	seen := map[string]bool{}
	for _, n := range t.order {
		if v := t.quantized(n); v != nil && !seen[n.Op] {
			seen[n.Op] = true
			errs = append(errs, fmt.Errorf("%s at %s: reads the quantized %s: a gradient passes through DequantizeLinear alone", n.Op, n, label(v)))
		}
	}
	return errs
}

// operator is n's operator with its domain.
func operator(n *onnx.Node) string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}

// quantized is a quantized value on the way that a node reads and does not pass on.
func (t *trace) quantized(n *onnx.Node) *onnx.Value {
	if r := rules[n.Op]; !t.needed[n] || n.Is("DequantizeLinear") || r.zero || r.none != "" {
		return nil
	}
	for _, v := range n.Inputs() {
		if v != nil && t.active[v] && v.Producer() != nil && quantizes(v.Producer()) && !v.Type.DType.IsFloat() {
			return v
		}
	}
	return nil
}

// path shows how an x reaches n: "w -> Conv_1 -> Relu_2".
func (t *trace) path(n *onnx.Node) string {
	parts := []string{n.String()}
	v := t.activeInput(n)
	for ; t.from[v] != nil; v = t.from[v] {
		parts = append(parts, v.Producer().String())
	}
	if v.Name != "" {
		parts = append(parts, v.Name)
	}
	slices.Reverse(parts)
	if len(parts) > 8 {
		parts = slices.Concat(parts[:3], []string{"..."}, parts[len(parts)-4:])
	}
	return strings.Join(parts, " -> ")
}

// sweep removes what was added since the trace was made and leads to no result.
func (t *trace) sweep(results []*onnx.Value) error {
	old, kept := map[*onnx.Node]bool{}, map[*onnx.Value]bool{}
	for _, n := range t.order {
		old[n] = true
	}
	for _, v := range results {
		kept[v] = true
	}
	for _, n := range slices.Backward(t.graph.Nodes()) {
		used := old[n] || slices.ContainsFunc(n.Outputs(), func(o *onnx.Value) bool {
			return o != nil && (o.NumUses() > 0 || kept[o])
		})
		if !used {
			if err := t.graph.Remove(n); err != nil {
				return fmt.Errorf("differentiate: %w", err)
			}
		}
	}
	return nil
}
