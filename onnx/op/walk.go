package op

import (
	"fmt"

	"graft/onnx"
)

// walk visits the nodes of a graph and of the graphs inside its nodes, each after those that it reads, and keeps what is
// known of their values while it goes on.
type walk struct {
	facts *facts
	enter func(n *onnx.Node)       // what is done before the graphs inside n are visited; may be nil
	node  func(n *onnx.Node) error // infers n into its outputs; an error ends the walk, but for one in a dead branch
	name  func(v *onnx.Value)      // gives a body's input names for its unknown dimensions; may be nil
	again int                      // how many rounds after the first are going on, one inside the other
	extra int                      // nodes visited in them
	dead  int                      // how many branches around the node at hand are never taken
}

// maxRounds bounds how often a Loop's body is inferred until its carried values have the types that hold for every
// iteration. Bodies inside bodies multiply: after maxExtra nodes in such rounds, one round has to do.
const (
	maxRounds = 4
	maxExtra  = 1 << 15
)

func (w *walk) graph(g *onnx.Graph, depth int) error {
	if depth > maxGraphs {
		return fmt.Errorf("graph %q: more than %d graphs inside each other", g.Name, maxGraphs)
	}
	for _, n := range g.Nodes() {
		if w.again > 0 {
			w.extra++
		}
		if w.enter != nil {
			w.enter(n)
		}
		if err := w.bodies(n, depth); err != nil {
			return err
		}
		if err := w.node(n); err != nil && w.dead == 0 {
			return err
		}
		w.facts.remember(n)
	}
	return nil
}

// bodies visits the graphs inside n. What goes wrong in a branch that is never taken is no error: it is written for
// operands that this graph does not have.
func (w *walk) bodies(n *onnx.Node, depth int) error {
	if n.Is("Loop") {
		return w.loop(n, depth)
	}
	seedBody(n)
	_, never := branches(n)
	for _, sub := range n.Subgraphs() {
		if sub == never {
			w.dead++
		}
		err := w.graph(sub, depth+1)
		if sub == never {
			w.dead--
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// branches gives the graph that an If takes and the one that it does not, when its condition is known.
func branches(n *onnx.Node) (always, never *onnx.Graph) {
	if !n.Is("If") {
		return nil, nil
	}
	c, ok := scalarOf(n.Input(0))
	if !ok {
		return nil, nil
	}
	yes, no := onnx.AttrOr[*onnx.Graph](n, "then_branch", nil), onnx.AttrOr[*onnx.Graph](n, "else_branch", nil)
	if c != 0 {
		return yes, no
	}
	return no, yes
}

// loop visits a Loop's body as often as it takes until its carried values have the types that hold in every iteration:
// first those that they start with, then what these have in common with what the body makes of them.
func (w *walk) loop(n *onnx.Node, depth int) error {
	body := onnx.AttrOr[*onnx.Graph](n, "body", nil)
	if body == nil {
		return nil // the rule says so
	}
	ins, stated := body.Inputs(), statedTypes{}
	if n.NumInputs() != len(ins) || len(body.Outputs()) < len(ins)-1 || w.extra > maxExtra {
		seedBody(n)
		return w.graph(body, depth+1)
	}
	stated.graph(body, 0)
	carried := make([]onnx.TensorType, len(ins))
	for i := range ins {
		carried[i] = typeOf(n, i)
	}
	for round := 1; ; round++ {
		last := round == maxRounds || w.extra > maxExtra
		for i := 2; i < len(ins); i++ {
			t := carried[i]
			if last {
				t = shapeless(t)
			}
			if t, err := mergeTypes(t, stated[ins[i]]); err == nil {
				ins[i].Type = t
			}
		}
		seedBody(n)
		for i := 2; i < len(ins) && w.name != nil; i++ {
			w.name(ins[i])
		}
		if round > 1 {
			w.again++
		}
		err := w.graph(body, depth+1)
		if round > 1 {
			w.again--
		}
		if err != nil || last {
			return err
		}
		same := true
		for i := 2; i < len(ins); i++ {
			t, err := carriedType(carried[i], body.Outputs()[i-1].Type)
			if err != nil {
				return nil // the rule says so
			}
			if ins[i].Type.Of != nil && ins[i].Type.Of.Kind == onnx.Optional {
				continue // what comes in the first iteration only
			}
			same = same && t.Equal(carried[i])
			carried[i] = t
		}
		if same {
			return nil
		}
		stated.restore()
	}
}

// shapeless is t without what it says of shapes.
func shapeless(t onnx.TensorType) onnx.TensorType {
	if t.Of != nil {
		return onnx.TensorType{Of: &onnx.Container{Kind: t.Of.Kind, Elem: shapeless(t.Of.Elem)}}
	}
	return onnx.TensorType{DType: t.DType}
}

// statedTypes are the types of a body's values before it is inferred.
type statedTypes map[*onnx.Value]onnx.TensorType

func (s statedTypes) graph(g *onnx.Graph, depth int) {
	for _, v := range g.Inputs() {
		s[v] = v.Type
	}
	for _, n := range g.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil {
				s[v] = v.Type
			}
		}
		for _, sub := range n.Subgraphs() {
			if depth < maxGraphs {
				s.graph(sub, depth+1)
			}
		}
	}
}

func (s statedTypes) restore() {
	for v, t := range s {
		v.Type = t
	}
}
