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
	Memory     Memory            `json:"memory"`
	DTypes     map[string]int64  `json:"weight_dtypes"` // bytes of the initializers by element type
	Symbols    []Symbol          `json:"symbols"`
	External   []External        `json:"external_files"` // whoever reads the file fills this in
	Inputs     []Port            `json:"inputs"`         // without those that have an initializer
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
	Sparsity   float64  `json:"sparsity"`        // 1 - Nonzero/Parameters; 0 without parameters
	DType      string   `json:"dtype,omitempty"` // of its largest weight
	MACs       int64    `json:"macs"`
	Output     []any    `json:"output"`            // shape of its first output, as a Port's
	Weights    []string `json:"weights,omitempty"` // names of its initializers

	largest int64
}

// Symbol is a dimension without a size, and the inputs and outputs that have it.
type Symbol struct {
	Name  string   `json:"name"`
	Ports []string `json:"ports"` // "x[0]"
}

// External is a file that the model keeps weights in. Bytes are those of the parts that tensors lie in.
type External struct {
	Location string `json:"location"` // as the model names it
	Tensors  int    `json:"tensors"`
	Bytes    int64  `json:"bytes"`
}

// Describe describes m. The types of its values are inferred in place as far as they can be.
func Describe(m *onnx.Model) *Summary {
	_, missing := op.InferModel(m)
	s := &Summary{
		IRVersion: m.IRVersion, Opsets: map[string]int64{}, Producer: m.ProducerName, ProducedBy: m.ProducerVersion, Operators: map[string]int{}, Inputs: []Port{},
		Outputs: []Port{}, Layers: []Layer{}, Metadata: map[string]string{}, DTypes: map[string]int64{}, Symbols: []Symbol{},
		External: []External{},
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
	s.Memory = memoryOf(m.Graph, s.Weights)
	s.Symbols = symbolsOf(s)
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
			c.quantized(v)
			continue
		}
		n, _ := op.Consumer(v)
		if l := c.add(n, total, nonzero, v.Type.DType); l != nil {
			l.Weights = append(l.Weights, v.Name)
		}
	}
	for _, n := range g.Nodes() {
		if total, nonzero, reader := constantWeight(n); reader != nil && c.add(reader, total, nonzero, n.Output(0).Type.DType) != nil {
			c.summary.Constants += total
		}
		for _, sub := range n.Subgraphs() {
			c.weights(sub, depth+1)
		}
	}
}

func (c *count) add(n *onnx.Node, total, nonzero int64, dtype onnx.DataType) *Layer {
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
	if total >= l.largest {
		l.largest, l.DType = total, dtypeName(dtype)
	}
	return l
}

// quantized notes the element type of a weight of 8 bits or less at its layer. Its elements are no parameters.
func (c *count) quantized(v *onnx.Value) {
	if v.Const == nil || v.Const.DType == onnx.Bool || v.Const.DType.Bits() == 0 || v.Const.DType.Bits() > 8 || v.Const.Len() < 2 {
		return
	}
	n, _ := op.Consumer(v)
	if n == nil || n.Is("QuantizeLinear") || n.Is("DequantizeLinear") {
		return
	}
	l := c.layers[n]
	if l == nil {
		l = &Layer{}
		c.layers[n] = l
	}
	if total := v.Const.Len(); total >= l.largest {
		l.largest, l.DType = total, dtypeName(v.Const.DType)
	}
	l.Weights = append(l.Weights, v.Name)
}

// work counts the multiply-accumulates and lists the layers in the order of the graph.
func (c *count) work(g *onnx.Graph, depth int) {
	if depth > maxDepth {
		return
	}
	s := c.summary
	for _, v := range g.Initializers() {
		n := int64(0)
		switch {
		case v.Const != nil:
			n = int64(len(v.Const.Data))
			s.DTypes[dtypeName(v.Const.DType)] += n
		case v.Sparse != nil:
			n = int64(len(v.Sparse.Values.Data) + len(v.Sparse.Indices.Data))
			s.DTypes[dtypeName(v.Sparse.Values.DType)] += n
		}
		s.Weights += n
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
			if y := n.Output(0); y != nil {
				l.Output = PortOf(y).Shape
			}
			if l.Parameters > 0 {
				l.Sparsity = 1 - float64(l.Nonzero)/float64(l.Parameters)
			}
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
