package precision

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// Plan says what becomes of a model's floating-point values.
type Plan struct {
	To     onnx.DataType     // Float16, BFloat16 or Float
	KeepIO bool              // inputs and outputs keep their types, with Casts behind and before them
	Keep   map[string]string // nodes, by Key, that stay as they are, and why
	Thin   bool              // weights that nodes read which stay are stored in the type all the same, with Casts behind them
	Wide   map[string]bool   // values that the type cannot hold: what makes and reads them stays, as inputs and outputs they do
}

// Kept is a node that stays in float32, and why.
type Kept struct {
	Node   string `json:"node"`
	Op     string `json:"op"`
	Reason string `json:"reason"`
}

// Report is what a conversion did.
type Report struct {
	Nodes   int    `json:"nodes"`   // that compute in the type
	Weights int    `json:"weights"` // that are stored in it
	Casts   int    `json:"casts"`   // that stand between types
	Kept    []Kept `json:"kept"`    // nodes on floating-point values that stay
}

// Convert brings the values of m into the plan's type. Every value has a name and, as far as op.InferModel finds one, a type.
// Graph inputs that are also initializers, as files of version 3 list them, are initializers alone afterwards.
func Convert(m *onnx.Model, p Plan) (*Report, error) {
	c := &converter{Plan: p, opset: m.Opset(""), from: []onnx.DataType{onnx.Float}, owner: map[*onnx.Value]*onnx.Graph{},
		casts: map[castKey]*onnx.Value{}, was: map[*onnx.Value]onnx.DataType{}, report: &Report{Kept: []Kept{}}}
	switch p.To {
	case onnx.Float16, onnx.BFloat16:
	case onnx.Float:
		c.from = []onnx.DataType{onnx.Float16, onnx.BFloat16}
	default:
		return nil, fmt.Errorf("convert: no conversion to %v", p.To)
	}
	if m.Graph.UnlistInitializers() > 0 {
		m.IRVersion = max(m.IRVersion, 4) // since which an initializer need not be an input
	}
	if !p.KeepIO {
		for _, v := range m.Graph.Inputs() {
			if c.float(v) && !p.Wide[v.Name] {
				c.set(v, p.To)
			}
		}
	}
	c.graph(m.Graph, true, 0)
	c.dropReplaced()
	return c.report, nil
}

type castKey struct {
	graph *onnx.Graph
	value *onnx.Value
	to    onnx.DataType
}

type converter struct {
	Plan
	opset  int64
	from   []onnx.DataType
	owner  map[*onnx.Value]*onnx.Graph // of initializers
	casts  map[castKey]*onnx.Value
	was    map[*onnx.Value]onnx.DataType // of values whose type is another now
	made   []replacedWeight
	report *Report
}

// replacedWeight is an initializer and its copy in another type.
type replacedWeight struct {
	graph    *onnx.Graph
	old, new *onnx.Value
}

// float reports whether v is a tensor that the conversion is about.
func (c *converter) float(v *onnx.Value) bool {
	if v == nil || !v.IsTensor() {
		return false
	}
	d := v.Type.DType
	if old, ok := c.was[v]; ok {
		d = old
	}
	return slices.Contains(c.from, d)
}

func (c *converter) set(v *onnx.Value, d onnx.DataType) {
	if _, ok := c.was[v]; !ok {
		c.was[v] = v.Type.DType
	}
	v.Type.DType = d
}

// original is the type that v had.
func (c *converter) original(v *onnx.Value) onnx.DataType {
	if d, ok := c.was[v]; ok {
		return d
	}
	return v.Type.DType
}

const maxGraphs = 32

func (c *converter) graph(g *onnx.Graph, outermost bool, depth int) {
	if depth > maxGraphs {
		return
	}
	for _, v := range g.Initializers() {
		c.owner[v] = g
	}
	for _, n := range g.Nodes() {
		for _, sub := range n.Subgraphs() {
			c.graph(sub, false, depth+1)
		}
		c.node(g, n)
	}
	c.outputs(g, outermost)
}

// node gives n the types that it computes in.
func (c *converter) node(g *onnx.Graph, n *onnx.Node) {
	if n.Is("Constant") || !slices.ContainsFunc(slices.Concat(n.Inputs(), n.Outputs()), c.float) {
		return // constants are given in the type in which they are read
	}
	reason := c.Keep[Key(n)]
	if reason == "" {
		reason = c.overflow(n)
	}
	if reason == "" {
		reason = able(n, c.To, c.opset)
	}
	if reason == "" && c.To != onnx.Float {
		reason = c.misfit(n)
	}
	converts := reason == ""
	if !converts && !n.Is("Cast") {
		c.report.Kept = append(c.report.Kept, Kept{Key(n), n.Op, reason})
	}
	thin := c.Thin && !converts && c.To != onnx.Float && n.Is(n.Op) && !slices.Contains(stay, n.Op) && len(n.Subgraphs()) == 0
	for i, v := range n.Inputs() {
		if !c.float(v) || converts && n.Is("Cast") {
			continue
		}
		if thin && !slices.Contains(wideInputs[n.Op], i) && c.heavy(v) {
			n.SetInput(i, c.thinned(g, v))
			continue
		}
		want := c.original(v)
		if converts && !slices.Contains(wideInputs[n.Op], i) {
			want = c.To
		}
		if v.Type.DType != want {
			n.SetInput(i, c.as(g, v, want))
		}
	}
	if !converts {
		return
	}
	c.attributes(n)
	for _, o := range n.Outputs() {
		if c.float(o) {
			c.set(o, c.To)
		}
	}
	c.report.Nodes++
}

// leastHeavy is how many elements a weight has for which a Cast pays.
const leastHeavy = 256

// heavy reports whether v is a weight of float32 that is worth storing in the type, and survives it.
func (c *converter) heavy(v *onnx.Value) bool {
	t := op.ConstantOf(v)
	return t != nil && t.DType == onnx.Float && t.Check() == nil && t.Len() >= leastHeavy && Fits(t, c.To) == ""
}

// thinned is a weight in float32 of what is stored in the type.
func (c *converter) thinned(g *onnx.Graph, v *onnx.Value) *onnx.Value {
	half := c.as(g, v, c.To)
	key := castKey{g, half, onnx.Float}
	if c.casts[key] == nil {
		wide := g.Add("Cast", []*onnx.Value{half}, 1, onnx.Int("to", int64(onnx.Float))).Output(0)
		wide.Type = onnx.TensorType{DType: onnx.Float, Shape: v.Type.Shape.Clone()}
		c.was[wide] = onnx.Float
		c.casts[key] = wide
		c.report.Casts++
	}
	return c.casts[key]
}

// overflow names a value of n's that the type cannot hold.
func (c *converter) overflow(n *onnx.Node) string {
	for _, v := range slices.Concat(n.Inputs(), n.Outputs()) {
		if v != nil && c.Wide[v.Name] && v.Name != "" {
			return v.Name + " overflows"
		}
	}
	return ""
}

// misfit says which constant that n reads does not survive the rounding.
func (c *converter) misfit(n *onnx.Node) string {
	if n.Is("ConstantOfShape") {
		if t := onnx.AttrOr[*onnx.Tensor](n, "value", nil); t != nil && t.DType == onnx.Float && t.Check() == nil {
			if why := Fits(t, c.To); why != "" {
				return "its value " + why
			}
		}
	}
	for i, v := range n.Inputs() {
		if !c.float(v) || slices.Contains(wideInputs[n.Op], i) {
			continue
		}
		t := v.Const
		if t == nil {
			t = op.ConstantOf(v)
		}
		if t == nil || t.DType != onnx.Float || t.Check() != nil {
			continue
		}
		if why := Fits(t, c.To); why != "" {
			return "constant " + v.Name + " " + why
		}
	}
	return ""
}

// attributes gives what n holds, or says that it makes, the type.
func (c *converter) attributes(n *onnx.Node) {
	switch {
	case n.Is("Cast"):
		if slices.Contains(c.from, onnx.DataType(onnx.AttrOr(n, "to", int64(0)))) {
			n.SetAttr(onnx.Int("to", int64(c.To)))
		}
	case n.Is("ConstantOfShape"):
		t := onnx.AttrOr[*onnx.Tensor](n, "value", nil)
		switch {
		case t == nil:
			n.SetAttr(onnx.TensorAttr("value", onnx.NewTensor(c.To, 1)))
		case slices.Contains(c.from, t.DType):
			n.SetAttr(onnx.TensorAttr("value", Round(t, c.To)))
		}
	}
}

// as gives v in a type: a weight's copy, what v was cast from, or a Cast in g.
func (c *converter) as(g *onnx.Graph, v *onnx.Value, to onnx.DataType) *onnx.Value {
	switch p := v.Producer(); {
	case v.IsInitializer():
		g = c.owner[v]
	case p != nil && p.Is("Constant"):
		g = p.Graph()
	}
	key := castKey{g, v, to}
	if made := c.casts[key]; made != nil {
		return made
	}
	var made *onnx.Value
	t := op.ConstantOf(v)
	switch {
	case v.Producer() != nil && t != nil && slices.Contains(c.from, t.DType):
		made = v.Producer().Graph().Add("Constant", nil, 1, onnx.TensorAttr("value", Round(t, to))).Output(0)
		made.Type = onnx.TensorType{DType: to, Shape: t.Shape()}
		c.made = append(c.made, replacedWeight{v.Producer().Graph(), v, made})
	case v.Const != nil && g != nil:
		made = g.AddInitializer("", Round(v.Const, to))
	case v.Sparse != nil && g != nil:
		s := *v.Sparse
		s.Values = Round(s.Values, to)
		made = g.AddSparseInitializer("", &s)
	default:
		made = g.Add("Cast", []*onnx.Value{v}, 1, onnx.Int("to", int64(to))).Output(0)
		made.Type = onnx.TensorType{DType: to, Shape: v.Type.Shape.Clone()}
		c.report.Casts++
	}
	if v.IsInitializer() {
		made.Doc = v.Doc
		c.made = append(c.made, replacedWeight{g, v, made})
	}
	c.was[made] = c.original(v)
	c.casts[key] = made
	return made
}

// outputs gives the graph's outputs the types that they are to have: inside nodes those that they had.
func (c *converter) outputs(g *onnx.Graph, outermost bool) {
	list := g.Outputs()
	for i, o := range list {
		if !c.float(o) {
			continue
		}
		want := c.original(o)
		if outermost && !c.KeepIO && !c.Wide[o.Name] {
			want = c.To
		}
		if o.Type.DType == want {
			continue
		}
		if i > 0 && slices.Contains(list[:i], o) {
			continue
		}
		node := g.Add("Cast", []*onnx.Value{o}, 1, onnx.Int("to", int64(want)))
		cast := node.Output(0)
		cast.Type = onnx.TensorType{DType: want, Shape: o.Type.Shape.Clone()}
		c.report.Casts++
		if outermost && !g.IsInput(o) {
			cast.Name, o.Name = o.Name, ""
		}
		list[i] = cast
	}
	g.SetOutputs(list...)
}

// dropReplaced gives the copies of weights that nothing reads any more their names.
func (c *converter) dropReplaced() {
	read := map[*onnx.Value]bool{}
	for _, r := range c.made {
		for _, o := range r.graph.Outputs() {
			read[o] = true
		}
	}
	graphs := map[*onnx.Graph]bool{}
	for _, r := range c.made {
		c.report.Weights++
		if r.old.NumUses() == 0 && !read[r.old] {
			r.new.Name, r.old.Name = r.old.Name, ""
		}
		graphs[r.graph] = true
	}
	for g := range graphs {
		g.RemoveUnused()
	}
}
