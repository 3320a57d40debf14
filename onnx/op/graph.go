package op

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"graft/onnx"
)

// UnknownOperatorsError names the operators of a graph that the table does not have.
type UnknownOperatorsError struct {
	// Operators are sorted; those of other domains are written "domain:Operator".
	Operators []string
}

func (e *UnknownOperatorsError) Error() string {
	return "no such operators in the table: " + strings.Join(e.Operators, ", ")
}

// unknownOperators gathers them; a nil error when there are none.
type unknownOperators map[string]bool

func (u unknownOperators) add(n *onnx.Node) {
	if n.Domain == "" || n.Domain == "ai.onnx" {
		u[n.Op] = true
	} else {
		u[n.Domain+":"+n.Op] = true
	}
}

func (u unknownOperators) err() error {
	if len(u) == 0 {
		return nil
	}
	return &UnknownOperatorsError{slices.Sorted(maps.Keys(u))}
}

// rowOf is the row for n; nil when there is none.
func rowOf(n *onnx.Node) *Schema {
	if !n.Is(n.Op) {
		return nil
	}
	return Lookup(n.Op)
}

// maxGraphs bounds how deep subgraphs nest.
const maxGraphs = 32

// InferGraph infers the types of all values of g and of the graphs inside its nodes, in topological order, and writes them
// into the values. What the file says of a value is kept where the rules know less; where they contradict it, that is an
// error that names the node. Dimensions that depend on what is only known when the graph runs get names, "unk_1" and so on.
// Operators without a row leave their outputs as the file has them: the rest is inferred, and
// one *UnknownOperatorsError names them all.
func InferGraph(g *onnx.Graph) error {
	missing := unknownOperators{}
	f := facts{}
	defer f.forget()
	u := unknownsOf(g)
	w := walk{
		facts: &f,
		name:  u.name,
		node: func(n *onnx.Node) error {
			if rowOf(n) == nil {
				missing.add(n)
				return nil
			}
			if err := inferInto(n, n.NumOutputs()); err != nil {
				return fmt.Errorf("%s: %w", nodeName(n), err)
			}
			u.outputs(n)
			return nil
		},
	}
	if err := w.graph(g, 0); err != nil {
		return fmt.Errorf("infer %w", err)
	}
	if err := missing.err(); err != nil {
		return fmt.Errorf("infer: %w", err)
	}
	return nil
}

// nodeName is how messages name a node before its operator.
func nodeName(n *onnx.Node) string {
	if n.Name != "" {
		return n.Name
	}
	for _, o := range n.Outputs() {
		if o != nil && o.Name != "" {
			return "node of " + o.Name
		}
	}
	return "unnamed node"
}

// mergeTypes joins two statements about a value. The first one's symbols win.
func mergeTypes(a, b onnx.TensorType) (onnx.TensorType, error) {
	out := a
	if a.Of != nil || b.Of != nil {
		return joinContainers(a, b, mergeTypes, func(a, b bool) bool { return a || b })
	}
	if a.DType == onnx.Undefined {
		out.DType = b.DType
	} else if b.DType != onnx.Undefined && a.DType != b.DType {
		return a, fmt.Errorf("element types differ: %v and %v", a.DType, b.DType)
	}
	if !a.Shape.Ranked() {
		out.Shape = b.Shape.Clone()
		return out, nil
	}
	if !b.Shape.Ranked() {
		return out, nil
	}
	if len(a.Shape) != len(b.Shape) {
		return a, fmt.Errorf("ranks differ: %v and %v", a.Shape, b.Shape)
	}
	out.Shape = a.Shape.Clone()
	for i := range out.Shape {
		d, ok := mergeDim(a.Shape[i], b.Shape[i])
		if !ok {
			return a, fmt.Errorf("shapes differ: %v and %v", a.Shape, b.Shape)
		}
		out.Shape[i] = d
	}
	return out, nil
}

// joinContainers joins types of which one at least is a container's: what they hold by join, whether they are empty by empty.
// A type of which nothing is known gives way.
func joinContainers(a, b onnx.TensorType, join func(a, b onnx.TensorType) (onnx.TensorType, error), empty func(a, b bool) bool) (onnx.TensorType, error) {
	switch {
	case a.Of == nil && a.DType == onnx.Undefined && !a.Shape.Ranked():
		return b, nil
	case b.Of == nil && b.DType == onnx.Undefined && !b.Shape.Ranked():
		return a, nil
	case a.Of == nil || b.Of == nil || a.Of.Kind != b.Of.Kind:
		return a, fmt.Errorf("types differ: %v and %v", a, b)
	}
	x, y := a.Of.Elem, b.Of.Elem
	if a.Of.Empty {
		x = onnx.TensorType{DType: x.DType, Shape: y.Shape}
	}
	if b.Of.Empty {
		y = onnx.TensorType{DType: y.DType, Shape: x.Shape}
	}
	elem, err := join(x, y)
	return onnx.TensorType{Of: &onnx.Container{Kind: a.Of.Kind, Elem: elem, Empty: empty(a.Of.Empty, b.Of.Empty)}}, err
}

// LowestOpset is the lowest opset of the default domain that has every node of g, and of the graphs inside its nodes, in
// the form and with the element types that it is used with, and at least 7, where the table begins. It needs the types of
// the values. One *UnknownOperatorsError names all operators without a row.
func LowestOpset(g *onnx.Graph) (int64, error) {
	missing := unknownOperators{}
	low, err := lowestOpset(g, missing, 0)
	if err == nil {
		err = missing.err()
	}
	if err != nil {
		return 0, fmt.Errorf("lowest opset: %w", err)
	}
	return low, nil
}

func lowestOpset(g *onnx.Graph, missing unknownOperators, depth int) (int64, error) {
	if depth > maxGraphs {
		return 0, fmt.Errorf("graph %q: more than %d graphs inside each other", g.Name, maxGraphs)
	}
	low := int64(7)
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			l, err := lowestOpset(sub, missing, depth+1)
			if err != nil {
				return 0, err
			}
			low = max(low, l)
		}
		s := rowOf(n)
		if s == nil {
			missing.add(n)
			continue
		}
		l, err := s.opsetOf(n)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", nodeName(n), err)
		}
		low = max(low, l)
	}
	return low, nil
}

// opsetOf is the lowest opset that carries n.
func (s *Schema) opsetOf(n *onnx.Node) (int64, error) {
	low := s.Since
	if s.Lowest != nil {
		low = s.Lowest(n)
	}
	outs := make([]onnx.TensorType, 0, 1)
	if o := n.Output(0); o != nil {
		outs = append(outs, o.Type)
	}
	if d := s.elementType(n, outs); d != onnx.Undefined && s.Types != nil {
		since, ok := s.Types.since(d)
		if !ok {
			return 0, fmt.Errorf("%s: does not take %v", n.Op, d)
		}
		low = max(low, since)
	}
	return low, nil
}
