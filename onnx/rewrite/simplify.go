package rewrite

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Simplifying says what Simplify may do.
type Simplifying struct {
	// MaxBytes bounds the bytes of the tensors that folding makes, each and all together; 0: DefaultFold.
	MaxBytes int64
	// KeepFunctions leaves calls of the model's functions as they are. Otherwise bodies take their place.
	KeepFunctions bool
	// Evaluate runs a model without inputs and gives its outputs: the constants that Go does not compute. nil: they stay.
	Evaluate func(m *onnx.Model) ([]*onnx.Tensor, error)

	more []pattern // of tests
}

// DefaultFold is the usual bound of what folding makes, in bytes.
const DefaultFold = 64 << 20

// Simplified says what Simplify did.
type Simplified struct {
	// Rules lists the rules that found something, in the order of the table, with the number of nodes or tensors.
	Rules []Applied `json:"rules"`
	// Skipped lists the rules that failed. What they had not changed by then is as it was.
	Skipped []Skipped `json:"skipped"`
}

// Applied counts what one rule did.
type Applied struct {
	Rule  string `json:"rule"`
	Count int    `json:"count"`
}

// Skipped names a rule that failed, and the first node that it failed on.
type Skipped struct {
	Rule   string `json:"rule"`
	Where  string `json:"where,omitempty"`
	Reason string `json:"reason"`
}

// A pattern is a rule of Simplify: where a node and those around it have a certain form, other nodes compute the same.
type pattern struct {
	name  string
	ops   []string // operators of the nodes it looks at; nil: every one of the default domain
	since int64    // the first opset that has the operators, and their forms, that it makes
	// build gives values to read in the place of n's outputs, nil when the rule does not apply. It edits the graph through
	// the site alone.
	build func(s *site, n *onnx.Node) []*onnx.Value
}

// patternFamilies lists the rules in the order in which they are tried on a node, one file a family.
var patternFamilies = [][]pattern{foldPatterns, idlePatterns, chainPatterns, convPatterns, matrixPatterns, normPatterns, attentionPatterns, recurrentPatterns, sharePatterns}

// maxSimplify bounds the rounds over the graph.
const maxSimplify = 24

// lowestSimplified is the first opset whose operators broadcast as they do today.
const lowestSimplified = 7

// Simplify rewrites m into fewer nodes that compute the same, in m's own opset: what is constant is computed, what does
// nothing or is not read goes, what is computed twice is computed once, and groups of nodes become the one node that does
// the same. Sums may be associated differently: results agree to rounding. A rule that fails is named in the result, and
// the others go on.
//
// Initializers that are inputs as well can be fed with something else, and are no constants; but in files before IR 4, where
// each has to be listed, they are taken off the inputs, and the file becomes one of IR 4.
func Simplify(m *onnx.Model, o Simplifying) *Simplified {
	s := newSimplifier(m, o)
	if m.Graph == nil {
		return &s.result
	}
	if !o.KeepFunctions {
		s.inline()
	}
	s.open()
	defer s.restore()
	for range maxSimplify {
		before := s.changes
		s.round()
		if s.changes == before && !s.evaluate() {
			break
		}
	}
	s.finish()
	return &s.result
}

type simplifier struct {
	Simplifying
	model    *onnx.Model
	patterns map[string][]*pattern // by operator
	every    []*pattern            // for each operator
	order    []string              // of rules
	counts   map[string]int
	off      map[string]bool // rules that failed
	changes  int
	result   Simplified

	declared    map[*onnx.Value]onnx.TensorType // the types that the file gives
	overridable map[*onnx.Value]*onnx.Tensor
	outputs     map[*onnx.Value]bool // of any graph
	replaced    map[*onnx.Value]*onnx.Value
	contents    map[*onnx.Value]op.Content
	names       names // of the model at the beginning of the round; nil until asked for
	made        int64 // bytes that folding made
	computed    int64 // bytes that it computed, those that were there among them
	pool        pool
	evaluated   bool
}

func newSimplifier(m *onnx.Model, o Simplifying) *simplifier {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultFold
	}
	s := &simplifier{Simplifying: o, model: m, patterns: map[string][]*pattern{}, counts: map[string]int{}, off: map[string]bool{},
		declared: map[*onnx.Value]onnx.TensorType{}, overridable: map[*onnx.Value]*onnx.Tensor{}}
	s.result.Rules, s.result.Skipped = []Applied{}, []Skipped{}
	return s
}

// open chooses the rules for the model's opset, and brings the model into the form that they work on.
func (s *simplifier) open() {
	m := s.model
	s.order = []string{inlined}
	opset := m.Opset("")
	for _, family := range append(slices.Clone(patternFamilies), s.more) {
		for i := range family {
			p := &family[i]
			if !slices.Contains(s.order, p.name) {
				s.order = append(s.order, p.name)
			}
			if opset < max(p.since, lowestSimplified) {
				continue
			}
			if p.ops == nil {
				s.every = append(s.every, p)
			}
			for _, name := range p.ops {
				s.patterns[name] = append(s.patterns[name], p)
			}
		}
	}
	s.order = append(s.order, "unused nodes", "shared initializers", "runtime folding")
	const firstFree = 4 // the first IR in which an initializer need not be an input
	if m.IRVersion < firstFree && len(m.Graph.Initializers()) > 0 {
		m.Graph.UnlistInitializers()
		m.IRVersion = firstFree
	}
	for _, v := range m.Graph.Initializers() {
		if v.Const != nil && m.Graph.IsInput(v) {
			s.overridable[v] = v.Const
			v.Const = nil
		}
	}
	s.declare(m.Graph, 0)
}

// declare notes the types that the file gives, and names the dimensions of inputs that have none: what is computed from one
// is then known to be the same.
func (s *simplifier) declare(g *onnx.Graph, depth int) {
	if depth > maxGraphs {
		return
	}
	for _, v := range g.Inputs() {
		s.declared[v] = v.Type
	}
	for _, v := range g.Outputs() {
		s.declared[v] = v.Type
	}
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			if o != nil {
				s.declared[o] = o.Type
			}
		}
		for _, sub := range n.Subgraphs() {
			s.declare(sub, depth+1)
		}
	}
	if depth > 0 {
		return
	}
	for i, v := range g.Inputs() {
		if v.Type.Of != nil || !slices.Contains(v.Type.Shape, onnx.UnknownDim) {
			continue
		}
		v.Type.Shape = v.Type.Shape.Clone()
		for k, d := range v.Type.Shape {
			if d == onnx.UnknownDim {
				v.Type.Shape[k].Symbol = fmt.Sprintf("input_%d_dim_%d", i, k)
			}
		}
	}
}

// restore gives what the file says its place back.
func (s *simplifier) restore() {
	for v, t := range s.overridable {
		v.Const = t
	}
	for v, t := range s.declared {
		v.Type = t
	}
}

// round goes over all graphs once.
func (s *simplifier) round() {
	s.contents = op.InferContents(s.model)
	s.outputs, s.replaced = map[*onnx.Value]bool{}, map[*onnx.Value]*onnx.Value{}
	s.names = nil
	s.pool.open(s)
	s.noteOutputs(s.model.Graph, 0)
	s.graph(s.model.Graph, 0)
	s.model.Graph.ReplaceHandedOut(s.replaced)
	s.clear(s.model.Graph)
}

// clear takes out what nothing reads.
func (s *simplifier) clear(g *onnx.Graph) {
	before := countNodes(g, 0)
	removeUnused(g, 0)
	s.count("unused nodes", before-countNodes(g, 0))
}

func countNodes(g *onnx.Graph, depth int) int {
	total := g.NumNodes()
	if depth > maxGraphs {
		return total
	}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			total += countNodes(sub, depth+1)
		}
	}
	return total
}

func (s *simplifier) noteOutputs(g *onnx.Graph, depth int) {
	if depth > maxGraphs {
		return
	}
	for _, v := range g.Outputs() {
		s.outputs[v] = true
	}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			s.noteOutputs(sub, depth+1)
		}
	}
}

func (s *simplifier) graph(g *onnx.Graph, depth int) {
	if depth > maxGraphs {
		return
	}
	at := &site{Builder: op.NewBuilder(g), simplifier: s, opset: s.model.Opset(""), same: map[string]*onnx.Node{}, known: map[string]*onnx.Value{}}
	for _, n := range g.Nodes() {
		if n.Graph() != g {
			continue
		}
		for _, sub := range n.Subgraphs() {
			s.graph(sub, depth+1)
		}
		if !n.Is(n.Op) {
			continue
		}
		s.node(at, n)
	}
}

// node applies the first rule that does.
func (s *simplifier) node(at *site, n *onnx.Node) {
	for _, p := range s.patterns[n.Op] {
		if s.try(at, p, n) {
			return
		}
	}
	for _, p := range s.every {
		if s.try(at, p, n) {
			return
		}
	}
}

// try applies a rule to a node; true when the node was replaced.
func (s *simplifier) try(at *site, p *pattern, n *onnx.Node) bool {
	if s.off[p.name] {
		return false
	}
	values, err := s.ask(at, p, n)
	if err == nil && values != nil {
		err = s.replace(at, n, values)
	}
	if err != nil {
		s.skip(p.name, n.String(), err)
		return false
	}
	if values == nil {
		return false
	}
	s.count(p.name, 1)
	s.changes++
	return true
}

// ask is p.build; a panic is an error.
func (s *simplifier) ask(at *site, p *pattern, n *onnx.Node) (values []*onnx.Value, err error) {
	defer func() {
		if e := recover(); e != nil {
			at.TakeErr()
			values, err = nil, fmt.Errorf("%v", e)
		}
	}()
	values = p.build(at, n)
	if err := at.TakeErr(); err != nil {
		return nil, err
	}
	return values, nil
}

func (s *simplifier) skip(rule, where string, err error) {
	s.off[rule] = true
	s.result.Skipped = append(s.result.Skipped, Skipped{rule, where, err.Error()})
}

func (s *simplifier) count(rule string, n int) { s.counts[rule] += n }

// replace makes values stand in the place of n's outputs, under their names.
func (s *simplifier) replace(at *site, n *onnx.Node, values []*onnx.Value) error {
	for i, v := range values { // nothing is half done
		if old := n.Output(i); old != nil && v == nil && (old.NumUses() > 0 || s.outputs[old]) {
			return fmt.Errorf("output %d is read, and nothing takes its place", i)
		}
	}
	for i, v := range values {
		old := n.Output(i)
		if old == nil || v == nil {
			continue
		}
		if p := v.Producer(); p != nil && p.Name == "" && p.Graph() == n.Graph() {
			p.Name, n.Name = n.Name, ""
		}
		if v.Type.DType == onnx.Undefined && v.Type.Of == nil {
			v.Type = old.Type
		}
		isOutput := at.Graph().IsOutput(old)
		if t, ok := s.declared[old]; ok && isOutput {
			s.declared[v] = t
		}
		if v.Name == "" && v.Producer() != nil && !isOutput {
			v.Name, old.Name = old.Name, ""
		}
		if err := at.Graph().ReplaceUses(old, v); err != nil {
			return err
		}
		s.replaced[old] = v
		if s.outputs[old] {
			delete(s.outputs, old)
			s.outputs[v] = true
		}
	}
	return nil
}

// finish counts, and shares what folding left twice.
func (s *simplifier) finish() {
	s.count("shared initializers", s.pool.merged)
	for _, name := range s.order {
		if s.counts[name] > 0 {
			s.result.Rules = append(s.result.Rules, Applied{name, s.counts[name]})
		}
	}
}
