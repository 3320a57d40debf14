package rewrite

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

var foldPatterns = []pattern{
	{"constants", []string{"Constant"}, 0, constantToInitializer},
	{"taken branches", []string{"If"}, 0, takenBranch},
	{"constant folding", nil, 0, foldNode},
	{"shape arithmetic", nil, 0, knownContents},
}

// constantToInitializer makes an initializer of a Constant node, unless it is a graph's output.
func constantToInitializer(s *site, n *onnx.Node) []*onnx.Value {
	o := n.Output(0)
	t := s.constant(o)
	if t == nil || s.outputs[o] {
		return nil
	}
	held := *t
	held.Name = ""
	return []*onnx.Value{s.named(s.tensor(&held), o)}
}

// named gives an initializer that has none the name of the value whose place it takes.
func (s *site) named(v, old *onnx.Value) *onnx.Value {
	if v.Name == "" && s.Graph() == s.pool.graph {
		v.Name, old.Name = old.Name, ""
	}
	return v
}

// foldNode computes a node whose inputs are constant.
func foldNode(s *site, n *onnx.Node) []*onnx.Value {
	compute := folds[n.Op]
	if compute == nil || n.Input(0) == nil {
		return nil
	}
	in := make([]*onnx.Tensor, n.NumInputs())
	for i, v := range n.Inputs() {
		if v == nil {
			continue
		}
		if in[i] = s.constant(v); in[i] == nil {
			return nil
		}
	}
	values := make([]*onnx.Value, n.NumOutputs())
	for i, o := range n.Outputs() {
		if o == nil || o.NumUses() == 0 && !s.outputs[o] {
			continue
		}
		if s.outputs[o] {
			return nil // an output is made by a node
		}
		dims, static := o.Type.Shape.Sizes()
		if !static || !s.affordable(o.Type.DType, dims) || !s.spend(o.Type.DType, dims) {
			return nil
		}
		t := compute(n, in, result{o.Type.DType, dims, i})
		if t == nil || t.DType != o.Type.DType || !slices.Equal(t.Dims, dims) || t.Check() != nil {
			return nil
		}
		if values[i] = s.keep(t); values[i] == nil {
			return nil
		}
		s.named(values[i], o)
	}
	return values
}

// affordable reports whether folding may make a tensor of that type.
func (s *simplifier) affordable(d onnx.DataType, dims []int64) bool {
	n, err := onnx.ElementCount(dims)
	return err == nil && d.Bits() > 0 && n <= s.MaxBytes*8/int64(d.Bits())
}

// keep is the initializer that holds t, which folding made; nil when that would be too many bytes.
func (s *site) keep(t *onnx.Tensor) *onnx.Value {
	v, added := s.pool.valueWithin(t, s.MaxBytes-s.made)
	s.made += added
	return v
}

// knownContents replaces what shapes say: by a constant where the sizes are known, else by a value that holds the same.
func knownContents(s *site, n *onnx.Node) []*onnx.Value {
	o := n.Output(0)
	c, ok := s.contents[o]
	if !ok || n.NumOutputs() != 1 || n.Is("Constant") || len(n.Subgraphs()) > 0 {
		return nil
	}
	if c.Tensor != nil {
		if s.outputs[o] || c.Tensor.DType != o.Type.DType {
			return nil
		}
		return []*onnx.Value{s.named(s.tensor(c.Tensor), o)}
	}
	first := s.known[c.Key]
	if first == nil || first.Producer() == nil || first.Producer().Graph() != s.Graph() {
		s.known[c.Key] = o
		return nil
	}
	if !s.mayAlias(o, first) {
		return nil
	}
	return []*onnx.Value{first}
}

// takenBranch puts the branch that an If with a constant condition takes in its place.
func takenBranch(s *site, n *onnx.Node) []*onnx.Value {
	branch := constantBranch(n)
	if branch == nil || len(branch.Inputs()) > 0 || len(branch.Outputs()) < n.NumOutputs() {
		return nil
	}
	separateOutputs(branch)
	if s.names == nil {
		s.names = namesOf(s.model.Graph)
	}
	s.names.renameShared(branch, n.Name)
	outs := branch.Outputs()[:n.NumOutputs()]
	if err := s.Graph().Take(branch); err != nil {
		s.Fail("%w", err)
		return nil
	}
	for i, v := range outs {
		if n.Output(i) != nil {
			v.Name = ""
		}
	}
	return outs
}

// evaluate computes by the runtime what is constant and left, once. It reports whether anything changed.
func (s *simplifier) evaluate() bool {
	const rule = "runtime folding"
	if s.Evaluate == nil || s.evaluated || s.model.Opset("") < lowestSimplified {
		return false
	}
	s.evaluated = true
	nodes, wanted := s.constantNodes()
	if len(wanted) == 0 {
		return false
	}
	m, err := s.constantModel(nodes, wanted)
	if err != nil {
		s.skip(rule, "", err)
		return false
	}
	tensors, err := s.Evaluate(m)
	if err == nil && len(tensors) != len(wanted) {
		err = fmt.Errorf("%d outputs, want %d", len(tensors), len(wanted))
	}
	if err != nil {
		s.skip(rule, nodes[0].String(), err)
		return false
	}
	before := s.changes
	at := &site{Builder: op.NewBuilder(s.model.Graph), simplifier: s}
	s.replaced = map[*onnx.Value]*onnx.Value{}
	for i, o := range wanted {
		t := tensors[i]
		if t == nil || t.DType != o.Type.DType || t.Check() != nil || !s.affordable(t.DType, t.Dims) {
			continue
		}
		t.Name = ""
		v := at.keep(t)
		if v == nil {
			continue
		}
		if err := s.replace(at, o.Producer(), put(o, at.named(v, o))); err != nil {
			s.skip(rule, o.Producer().String(), err)
			break
		}
		s.count(rule, 1)
		s.changes++
	}
	s.model.Graph.ReplaceHandedOut(s.replaced)
	s.clear(s.model.Graph)
	return s.changes > before
}

// put is a list with v in the place of o among its producer's outputs.
func put(o, v *onnx.Value) []*onnx.Value {
	values := make([]*onnx.Value, o.OutputIndex()+1)
	values[o.OutputIndex()] = v
	return values
}

// variable are the operators that give something else each time, or nothing that a model can hand out.
var variable = map[string]bool{"RandomNormal": true, "RandomNormalLike": true, "RandomUniform": true, "RandomUniformLike": true,
	"Multinomial": true, "Bernoulli": true, "Dropout": true, "Constant": true}

// constantNodes are the nodes of the main graph whose inputs are constant, and those of their values that others read.
func (s *simplifier) constantNodes() (nodes []*onnx.Node, wanted []*onnx.Value) {
	work := max(evaluated, 8*s.MaxBytes)
	fixed := map[*onnx.Value]bool{}
	held := func(v *onnx.Value) bool { return v == nil || fixed[v] || op.ConstantOf(v) != nil }
	for _, n := range s.model.Graph.Nodes() {
		if !n.Is(n.Op) || variable[n.Op] || len(n.Subgraphs()) > 0 || n.NumInputs() == 0 || op.Lookup(n.Op) == nil {
			continue
		}
		ok := !slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return !held(v) })
		for _, o := range n.Outputs() {
			if o == nil || !ok {
				continue
			}
			dims, static := o.Type.Shape.Sizes()
			ok = static && s.affordable(o.Type.DType, dims) && !s.outputs[o]
		}
		if !ok {
			continue
		}
		if cost := costOf(n); cost < 0 || cost > work {
			continue
		} else {
			work -= cost
		}
		nodes = append(nodes, n)
		for _, o := range n.Outputs() {
			if o != nil {
				fixed[o] = true
			}
		}
	}
	left := s.MaxBytes - s.made
	for _, n := range nodes {
		for _, o := range n.Outputs() {
			if o != nil && slices.ContainsFunc(o.Uses(), func(u onnx.Use) bool {
				return u.Node.Graph() != s.model.Graph || !slices.ContainsFunc(u.Node.Outputs(), func(x *onnx.Value) bool { return fixed[x] })
			}) {
				dims, _ := o.Type.Shape.Sizes()
				if size := sizeOf(o.Type.DType, dims); size <= left {
					left -= size
					wanted = append(wanted, o)
				}
			}
		}
	}
	return nodes, wanted
}

// constantModel has the nodes alone, and hands wanted out.
func (s *simplifier) constantModel(nodes []*onnx.Node, wanted []*onnx.Value) (*onnx.Model, error) {
	g := onnx.NewGraph("constants")
	stands := map[*onnx.Value]*onnx.Value{}
	for _, n := range nodes {
		in := make([]*onnx.Value, n.NumInputs())
		for i, v := range n.Inputs() {
			if v == nil {
				continue
			}
			if stands[v] == nil {
				t := op.ConstantOf(v)
				if t == nil {
					return nil, fmt.Errorf("%v: input %d is not constant", n, i)
				}
				stands[v] = g.AddInitializer("", t)
			}
			in[i] = stands[v]
		}
		copied := g.Add(n.Op, in, n.NumOutputs(), n.Attrs...)
		for i, o := range n.Outputs() {
			if o != nil {
				stands[o] = copied.Output(i)
				copied.Output(i).Type = o.Type
			}
		}
	}
	for _, o := range wanted {
		g.AddOutput(stands[o], "")
	}
	g.RemoveUnused()
	return &onnx.Model{IRVersion: max(s.model.IRVersion, 4), Opsets: slices.Clone(s.model.Opsets), Graph: g}, nil
}
