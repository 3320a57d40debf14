package quantize

import (
	"math"

	"graft/onnx"
)

func roundEven(v float64) float64 { return math.RoundToEven(v) }

// Dynamic makes integer products of MatMul and Gemm by constant weights: what they read is quantized to uint8 as the model runs,
// by its range then, the weight is int8 with a scale for each output channel. Convolutions read int8 weights through
// DequantizeLinear and compute in float32.
func Dynamic(m *onnx.Model, form Weights) (*Report, error) {
	g, report := m.Graph, &Report{Kept: []string{}}
	s := &static{graph: g, names: namesOf(g), form: form, weights: map[weightKey]*stored{}}
	quantized := map[*onnx.Value][]*onnx.Value{}
	for _, n := range g.Nodes() {
		p, ok := productOf(n)
		if !ok {
			continue
		}
		axis := p.channel
		if form.PerTensor {
			axis = -1
		}
		if n.Is("Conv") || !p.plain {
			n.SetInput(1, s.weight(p, axis).value)
			report.Products++
			continue
		}
		t := p.tensor
		if p.channel == 0 {
			t = transposed(t)
		}
		if axis >= 0 {
			axis = 1
		}
		q, scales := symmetric(t, axis, form.most())
		scale := onnx.FromSlice(scales)
		if axis < 0 {
			scale = onnx.Scalar(scales[0])
		}
		x := n.Input(0)
		if quantized[x] == nil {
			d := g.Add("DynamicQuantizeLinear", []*onnx.Value{x}, 3)
			quantized[x] = d.Outputs()
		}
		xq := quantized[x]
		name := n.Output(0).Name
		weight := s.constant(name+"_weight_quantized", q)
		whole := g.Add("MatMulInteger", []*onnx.Value{xq[0], weight, xq[2]}, 1).Output(0)
		real := g.Add("Cast", []*onnx.Value{whole}, 1, onnx.Int("to", int64(onnx.Float))).Output(0)
		unit := g.Add("Mul", []*onnx.Value{xq[1], s.constant(name+"_weight_scale", scale)}, 1).Output(0)
		y := g.Add("Mul", []*onnx.Value{real, unit}, 1).Output(0)
		if p.bias > 0 && n.Input(p.bias) != nil {
			y = g.Add("Add", []*onnx.Value{y, n.Input(p.bias)}, 1).Output(0)
		}
		y.Type = n.Output(0).Type
		if err := replace(g, n, y); err != nil {
			return nil, err
		}
		report.Products++
		report.Weights++
	}
	report.Weights += len(s.weights)
	g.RemoveUnused()
	g.AssignNames()
	return report, nil
}

// replace puts y, under the same name, in the place of n's output, and takes n out.
func replace(g *onnx.Graph, n *onnx.Node, y *onnx.Value) error {
	old := n.Output(0)
	name := old.Name
	if err := g.ReplaceUses(old, y); err != nil {
		return err
	}
	old.Name, y.Name = "", name
	return g.Remove(n)
}

// transposed is a matrix with its axes changed.
func transposed(t *onnx.Tensor) *onnx.Tensor {
	rows, columns := int(t.Dims[0]), int(t.Dims[1])
	out := onnx.NewTensor(onnx.Float, t.Dims[1], t.Dims[0])
	from, to := onnx.Read[float32](t), out.Float32s()
	for i := range rows {
		for j := range columns {
			to[j*rows+i] = from[i*columns+j]
		}
	}
	return out
}
