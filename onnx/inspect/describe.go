package inspect

import (
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// Summary is what there is to know of a model before it runs. The JSON names are those of the command line.
//
// Parameters are the elements of all float initializers (16 bits an element or wider), those of subgraphs and the zeros of
// sparse ones included, and of float Constant and ConstantOfShape nodes that feed an operator's
// weight input. Nonzero are those of them that
// are neither +0 nor -0. MACs are op.MACs summed over the graph; the body of a branch or a loop counts once, and a
// dimension without a size counts as 1 (FreeDims names those that mattered).
type Summary struct {
	IRVersion  int64             `json:"ir_version"`
	Opsets     map[string]int64  `json:"opsets"` // "ai.onnx" is the default domain
	Producer   string            `json:"producer"`
	ProducedBy string            `json:"producer_version,omitempty"`
	Nodes      int               `json:"nodes"`     // of the main graph
	Operators  map[string]int    `json:"operators"` // of the main graph: "Conv", "com.microsoft::Gelu"
	Parameters int64             `json:"parameters"`
	Nonzero    int64             `json:"nonzero"`
	Constants  int64             `json:"constant_parameters,omitempty"` // those of the parameters that nodes hold
	Sparsity   float64           `json:"sparsity"`                      // 1 - Nonzero/Parameters; 0 without parameters
	Bytes      int64             `json:"bytes"`                         // of the file; whoever reads it fills this in
	Weights    int64             `json:"weight_bytes"`
	MACs       int64             `json:"macs"`
	FreeDims   []string          `json:"macs_free_dims,omitempty"`
	Inputs     []Port            `json:"inputs"` // without those that have an initializer
	Outputs    []Port            `json:"outputs"`
	Layers     []Layer           `json:"layers"`
	Functions  []string          `json:"functions,omitempty"` // "domain::Name" of the model's own
	Unknown    []string          `json:"unknown,omitempty"`   // operators without a shape rule
	Metadata   map[string]string `json:"metadata"`
}

// Port is an input or output. Shape holds int64 sizes, symbols, and nil for a dimension of which nothing is known; it is
// nil when the rank is unknown.
type Port struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []any  `json:"shape"`
}

// Layer is a node that has parameters or multiply-accumulates. A weight that several nodes read belongs to the first; one
// that is converted or rearranged first belongs to the node behind.
type Layer struct {
	Name       string   `json:"name"`
	Op         string   `json:"op"`
	Parameters int64    `json:"parameters"`
	Nonzero    int64    `json:"nonzero"`
	MACs       int64    `json:"macs"`
	Weights    []string `json:"weights,omitempty"` // names of its initializers
}

// Describe describes m. The types of its values are inferred in place as far as they can be.
func Describe(m *onnx.Model) *Summary {
	_, missing := op.InferModel(m)
	s := &Summary{
		IRVersion: m.IRVersion, Opsets: map[string]int64{}, Producer: m.ProducerName, ProducedBy: m.ProducerVersion, Operators: map[string]int{}, Inputs: []Port{},
		Outputs: []Port{}, Layers: []Layer{}, Metadata: map[string]string{},
	}
	for _, o := range m.Opsets {
		s.Opsets[orDefault(o.Domain)] = o.Version
	}
	for _, name := range missing {
		if i := strings.LastIndex(name, ":"); i >= 0 {
			name = name[:i] + ":" + name[i:]
		}
		s.Unknown = append(s.Unknown, name)
	}
	for _, kv := range m.Metadata {
		s.Metadata[kv.Key] = kv.Value
	}
	for _, f := range m.Functions() {
		s.Functions = append(s.Functions, f.Domain+"::"+f.Name)
	}
	if m.Graph == nil {
		return s
	}
	nodes := m.Graph.Nodes()
	s.Nodes = len(nodes)
	for _, n := range nodes {
		s.Operators[operator(n)]++
	}
	for _, v := range m.Graph.Inputs() {
		if !v.IsInitializer() {
			s.Inputs = append(s.Inputs, PortOf(v))
		}
	}
	for _, v := range m.Graph.Outputs() {
		s.Outputs = append(s.Outputs, PortOf(v))
	}
	c := count{summary: s, layers: map[*onnx.Node]*Layer{}}
	c.weights(m.Graph, 0)
	c.work(m.Graph, 0)
	if s.Parameters > 0 {
		s.Sparsity = 1 - float64(s.Nonzero)/float64(s.Parameters)
	}
	return s
}

// PortOf describes a value as Summary does.
func PortOf(v *onnx.Value) Port {
	p := Port{Name: v.Name, DType: "unknown"}
	if v.Type.DType != onnx.Undefined {
		p.DType = dtypeName(v.Type.DType)
	}
	if !v.Type.Shape.Ranked() {
		return p
	}
	p.Shape = make([]any, len(v.Type.Shape))
	for i, d := range v.Type.Shape {
		switch {
		case d.Known():
			p.Shape[i] = d.Size
		case d.Symbol != "":
			p.Shape[i] = d.Symbol
		}
	}
	return p
}

// dtypeName writes the floating-point types as NumPy does: "float32" and "float64".
func dtypeName(d onnx.DataType) string {
	switch d {
	case onnx.Float:
		return "float32"
	case onnx.Double:
		return "float64"
	}
	return d.String()
}

func orDefault(domain string) string {
	if domain == "" {
		return "ai.onnx"
	}
	return domain
}

// operator is "Conv" or "com.microsoft::Gelu".
func operator(n *onnx.Node) string {
	if n.Is(n.Op) {
		return n.Op
	}
	return n.Domain + "::" + n.Op
}

type count struct {
	summary *Summary
	layers  map[*onnx.Node]*Layer
}

// maxDepth is how deep subgraphs are followed; the reader refuses deeper ones.
const maxDepth = 64

// weights counts the parameters, each into the layer that it belongs to.
func (c *count) weights(g *onnx.Graph, depth int) {
	if depth > maxDepth {
		return
	}
	for _, v := range g.Initializers() {
		total, nonzero, ok := elements(v)
		if !ok {
			continue
		}
		n, _ := op.Consumer(v)
		if l := c.add(n, total, nonzero); l != nil {
			l.Weights = append(l.Weights, v.Name)
		}
	}
	for _, n := range g.Nodes() {
		if total, nonzero, reader := constantWeight(n); reader != nil && c.add(reader, total, nonzero) != nil {
			c.summary.Constants += total
		}
		for _, sub := range n.Subgraphs() {
			c.weights(sub, depth+1)
		}
	}
}

func (c *count) add(n *onnx.Node, total, nonzero int64) *Layer {
	sum, ok := limits.AddInt(c.summary.Parameters, total)
	if !ok {
		return nil
	}
	c.summary.Parameters = sum
	c.summary.Nonzero += nonzero
	if n == nil {
		return nil
	}
	l := c.layers[n]
	if l == nil {
		l = &Layer{}
		c.layers[n] = l
	}
	l.Parameters += total
	l.Nonzero += nonzero
	return l
}

// work counts the multiply-accumulates and lists the layers in the order of the graph.
func (c *count) work(g *onnx.Graph, depth int) {
	if depth > maxDepth {
		return
	}
	s := c.summary
	for _, v := range g.Initializers() {
		if v.Const != nil {
			s.Weights += int64(len(v.Const.Data))
		}
		if v.Sparse != nil {
			s.Weights += int64(len(v.Sparse.Values.Data) + len(v.Sparse.Indices.Data))
		}
	}
	for _, n := range g.Nodes() {
		macs, free, ok := op.MACs(n)
		if ok {
			if sum, fits := limits.AddInt(s.MACs, macs); fits {
				s.MACs = sum
			}
			for _, d := range free {
				if !slices.Contains(s.FreeDims, d) {
					s.FreeDims = append(s.FreeDims, d)
				}
			}
		}
		if l := c.layers[n]; l != nil || ok {
			if l == nil {
				l = &Layer{}
			}
			l.Name, l.Op = layerName(n), operator(n)
			if ok {
				l.MACs = macs
			}
			s.Layers = append(s.Layers, *l)
		}
		for _, sub := range n.Subgraphs() {
			c.work(sub, depth+1)
		}
	}
}

// layerName is the node's name, or that of its first output.
func layerName(n *onnx.Node) string {
	if n.Name != "" {
		return n.Name
	}
	for _, v := range n.Outputs() {
		if v != nil && v.Name != "" {
			return v.Name
		}
	}
	return ""
}
