package quantize

import (
	"slices"

	"graft/onnx"
)

// Report is what a quantization did.
type Report struct {
	Products int      `json:"products"` // nodes that read integers
	Weights  int      `json:"weights"`  // stored as integers
	Kept     []string `json:"kept"`     // products by a weight that stay in float32, and why
}

// LeastOpset is the first opset with scales for each channel.
const LeastOpset = 13

// Activations names the values that Static needs ranges of: what products read and what they give, and what lies between them
// and runs on integers.
func Activations(m *onnx.Model) []string {
	var names []string
	seen := map[*onnx.Value]bool{}
	note := func(v *onnx.Value) {
		if v != nil && !seen[v] {
			seen[v] = true
			names = append(names, v.Name)
		}
	}
	wanted := demanded(m.Graph)
	for _, n := range m.Graph.Nodes() {
		if _, ok := productOf(n); ok {
			note(n.Input(0))
			note(storedOf(n))
		} else if joins(n) && wanted[storedOf(n)] {
			note(storedOf(n))
		}
	}
	return names
}

// Static puts QuantizeLinear and DequantizeLinear around what products by weights read and give, by the ranges of these
// values, and stores the weights as int8, and biases as int32.
// Runtimes that know the pattern compute in integers. Outputs of the graph stay as they are computed.
func Static(m *onnx.Model, ranges map[string]Range, form Weights) *Report {
	g, report := m.Graph, &Report{Kept: []string{}}
	s := &static{graph: g, names: namesOf(g), form: form, ranges: ranges, stored: map[*onnx.Value]*stored{}, weights: map[weightKey]*stored{}}
	wanted := demanded(g)
	for _, n := range g.Nodes() {
		p, ok := productOf(n)
		if !ok {
			s.link(n, wanted)
			continue
		}
		out := storedOf(n)
		in := s.activation(n.Input(0))
		if in == nil {
			report.Kept = append(report.Kept, n.String()+": what it reads has no range")
			continue
		}
		axis := p.channel
		if form.PerTensor {
			axis = -1
		}
		w := s.weight(p, axis)
		n.SetInput(0, in.value)
		n.SetInput(1, w.value)
		s.bias(p, in, w)
		if !g.IsOutput(out) {
			s.activation(out)
		}
		report.Products++
	}
	report.Weights = len(s.weights)
	g.RemoveUnused()
	return report
}

// stored is a value as integers, and the float32 value that is read of them.
type stored struct {
	value  *onnx.Value
	scales []float32
	unit   [2]*onnx.Value // scale and zero point of an activation
}

type weightKey struct {
	value *onnx.Value
	axis  int
}

type static struct {
	graph   *onnx.Graph
	names   map[string]bool
	form    Weights
	ranges  map[string]Range
	stored  map[*onnx.Value]*stored // activations, by what they were and by what stands in their place
	weights map[weightKey]*stored
}

// namesOf are the names in g and the graphs inside its nodes.
func namesOf(g *onnx.Graph) map[string]bool {
	t := map[string]bool{}
	var visit func(g *onnx.Graph, depth int)
	visit = func(g *onnx.Graph, depth int) {
		for _, v := range slices.Concat(g.Inputs(), g.Initializers()) {
			t[v.Name] = true
		}
		for _, n := range g.Nodes() {
			for _, o := range n.Outputs() {
				if o != nil {
					t[o.Name] = true
				}
			}
			for _, sub := range n.Subgraphs() {
				if depth < 32 {
					visit(sub, depth+1)
				}
			}
		}
	}
	visit(g, 0)
	return t
}

// fresh is a name that nothing has yet.
func (s *static) fresh(name string) string {
	for s.names[name] {
		name += "_"
	}
	s.names[name] = true
	return name
}

// constant adds a weight under a new name.
func (s *static) constant(name string, t *onnx.Tensor) *onnx.Value {
	return s.graph.AddInitializer(s.fresh(name), t)
}

// activation puts a pair of QuantizeLinear and DequantizeLinear behind v, which all that read v read then.
func (s *static) activation(v *onnx.Value) *stored {
	if done := s.stored[v]; done != nil {
		return done
	}
	r, ok := s.ranges[v.Name]
	if !ok {
		return nil
	}
	scale, zero := r.unsigned()
	return s.pair(v, s.constant(v.Name+"_scale", onnx.Scalar(scale)), s.constant(v.Name+"_zero_point", onnx.Scalar(zero)), []float32{scale})
}

// pair puts QuantizeLinear and DequantizeLinear behind v.
func (s *static) pair(v, sv, zv *onnx.Value, scales []float32) *stored {
	uses := v.Uses()
	name := v.Name
	q := s.graph.Add("QuantizeLinear", []*onnx.Value{v, sv, zv}, 1).Output(0)
	q.Type = onnx.TensorType{DType: onnx.Uint8, Shape: v.Type.Shape.Clone()}
	q.Name = s.fresh(name + "_quantized")
	d := s.graph.Add("DequantizeLinear", []*onnx.Value{q, sv, zv}, 1).Output(0)
	d.Type = v.Type
	d.Name = s.fresh(name + "_dequantized")
	for _, u := range uses {
		u.Node.SetInput(u.Index, d)
	}
	done := &stored{d, scales, [2]*onnx.Value{sv, zv}}
	s.stored[v], s.stored[d] = done, done
	return done
}

// weight stores a product's weight as int8.
func (s *static) weight(p product, axis int) *stored {
	key := weightKey{p.weight, axis}
	if done := s.weights[key]; done != nil {
		return done
	}
	q, scales := symmetric(p.tensor, axis, s.form.most())
	done := &stored{value: s.dequantized(p.weight.Name, q, scales, axis), scales: scales}
	s.weights[key] = done
	return done
}

// dequantized is a DequantizeLinear of constant integers whose zero is 0.
func (s *static) dequantized(name string, q *onnx.Tensor, scales []float32, axis int) *onnx.Value {
	scale := onnx.FromSlice(scales)
	var attrs []onnx.Attr
	if axis >= 0 {
		attrs = append(attrs, onnx.Int("axis", int64(axis)))
	} else {
		scale = onnx.Scalar(scales[0])
	}
	zero := onnx.NewTensor(q.DType, scale.Dims...)
	in := []*onnx.Value{s.constant(name+"_quantized", q), s.constant(name+"_scale", scale), s.constant(name+"_zero_point", zero)}
	v := s.graph.Add("DequantizeLinear", in, 1, attrs...).Output(0)
	v.Type = onnx.TypeOf(onnx.Float, q.Dims...)
	v.Name = s.fresh(name + "_dequantized")
	return v
}

// bias stores a constant bias as int32 in units of the product of both scales, in which integer kernels add it.
func (s *static) bias(p product, in, w *stored) {
	if p.bias < 0 || p.node.Input(p.bias) == nil {
		return
	}
	v := p.node.Input(p.bias)
	t := v.Const
	channels := int(p.tensor.Dims[p.channel])
	if t == nil || t.DType != onnx.Float || t.Check() != nil || len(t.Dims) == 0 || t.Len() != int64(channels) || int(t.Dims[len(t.Dims)-1]) != channels || s.graph.IsInput(v) || !p.plain && p.node.Is("Gemm") {
		return
	}
	scales := make([]float32, channels)
	q := onnx.NewTensor(onnx.Int32, int64(channels)) // [1 C] of a Gemm says the same as [C]
	for i, b := range onnx.Read[float32](t) {
		scales[i] = in.scales[0] * w.scales[min(i, len(w.scales)-1)]
		n := float64(b) / float64(scales[i])
		if n > 1<<31-1 || n < -(1<<31) {
			return // stays in float32
		}
		onnx.View[int32](q)[i] = int32(roundEven(n))
	}
	axis := 0
	if len(w.scales) == 1 {
		axis, scales = -1, scales[:1]
	}
	p.node.SetInput(p.bias, s.dequantized(p.node.Output(0).Name+"_bias", q, scales, axis))
}
