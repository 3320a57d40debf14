package op

import (
	"fmt"
	"maps"
	"slices"

	"graft/onnx"
)

// Problem is what a node's types could not be inferred for.
type Problem struct {
	Node *onnx.Node
	Err  error
}

// InferModel is InferGraph for a model that is only looked at: it infers what it can at the model's own opset and goes on
// where a node fails. It gives the nodes that contradict their operator, or what the file says of their outputs, and the
// operators that it has no rule for ("Frobnicate", "com.example:Add"). A node in an older form than its row reads keeps the
// types that the file gives, unless the older form's types are the same.
func InferModel(m *onnx.Model) (problems []Problem, unknown []string) {
	return inferModel(m, nil)
}

// inferModel shows what it found of the values' contents to known, which may be nil, before it forgets them.
func inferModel(m *onnx.Model, known func(f *facts)) (problems []Problem, unknown []string) {
	if m.Graph == nil {
		return nil, nil
	}
	l := look{opset: m.Opset(""), missing: unknownOperators{}, functions: map[[2]string]bool{}, failed: map[*onnx.Node]bool{}}
	for _, f := range m.Functions() {
		l.functions[[2]string{f.Domain, f.Name}] = true
	}
	f := facts{}
	defer f.forget()
	l.walk = walk{facts: &f, node: l.node}
	_ = l.walk.graph(m.Graph, 0) // graphs that nest too deep are the structure's check to name
	if known != nil {
		known(&f)
	}
	return l.problems, slices.Sorted(maps.Keys(l.missing))
}

type look struct {
	walk
	opset     int64
	functions map[[2]string]bool // domain and name
	missing   unknownOperators
	problems  []Problem
	failed    map[*onnx.Node]bool
}

// maxProblems bounds what a file full of mistakes costs.
const maxProblems = 1000

func (l *look) node(n *onnx.Node) error {
	switch {
	case l.functions[[2]string{n.Domain, n.Op}]:
	case rowOf(n) == nil:
		l.missing.add(n)
	case n.Is("Dropout") && l.opset < 10: // the mask had the type of the input
		_ = inferInto(n, 1)
	case l.applies(n):
		err := inferInto(n, n.NumOutputs())
		if err != nil && l.dead == 0 && !l.failed[n] && len(l.problems) < maxProblems {
			l.problems = append(l.problems, Problem{n, err})
			l.failed[n] = true // a body may be visited again
		}
	}
	return nil
}

// sameTypesBefore are the operators whose older forms differ from their row in what they compute or take, not in the types
// that they give.
var sameTypesBefore = map[string]bool{
	"Softmax": true, "LogSoftmax": true, "Hardmax": true, "Concat": true, "Flatten": true, "Gather": true, "Clip": true,
	"Round": true, "BatchNormalization": true, "Sum": true, "Max": true, "Min": true, "Mean": true, "DepthToSpace": true,
	"ArgMax": true, "ArgMin": true, "MaxPool": true,
}

// applies reports whether n's row speaks of the form that n has.
func (l *look) applies(n *onnx.Node) bool {
	if len(n.Subgraphs()) > 0 {
		return true
	}
	low := rowOf(n).Since
	if rowOf(n).Lowest != nil {
		low = rowOf(n).Lowest(n)
	}
	return l.opset >= low || sameTypesBefore[n.Op]
}

// inferInto infers n's output types and writes them into the values, those of the first outs outputs.
func inferInto(n *onnx.Node, outs int) error {
	types, err := Infer(n)
	if err != nil {
		return fmt.Errorf("%w%s", err, inputShapes(n))
	}
	for i, t := range types[:min(outs, len(types))] {
		v := n.Output(i)
		if v == nil {
			continue
		}
		merged, err := mergeTypes(t, v.Type)
		if err != nil {
			return fmt.Errorf("%s: output %d is %v, the file says %v", n.Op, i, t, v.Type)
		}
		v.Type = merged
	}
	return nil
}
