package quantize

import (
	"fmt"
	"math"

	"graft/onnx"
)

// BlockOpset is the first opset whose DequantizeLinear knows blocks and integers of 4 bits.
const BlockOpset = 21

// Blocks stores the weights of MatMul and Gemm as int4, with a scale for each block of so many elements that a product sums
// over: read through DequantizeLinear, or, with nbits, by ONNX Runtime's own MatMulNBits. Products stay in float32.
func Blocks(m *onnx.Model, size int, nbits bool) (*Report, error) {
	if size < 16 || size&(size-1) != 0 {
		return nil, fmt.Errorf("quantize: blocks of %d: wants a power of two from 16", size)
	}
	g, report := m.Graph, &Report{Kept: []string{}}
	s := &static{graph: g, names: namesOf(g)}
	done := map[weightKey]*onnx.Value{}
	for _, n := range g.Nodes() {
		p, ok := productOf(n)
		if !ok {
			continue
		}
		switch {
		case p.inner < 0:
			report.Kept = append(report.Kept, n.String()+": convolutions stay")
			continue
		case int(p.tensor.Dims[p.inner]) < size:
			report.Kept = append(report.Kept, fmt.Sprintf("%v: sums over %d elements, less than a block", n, p.tensor.Dims[p.inner]))
			continue
		case nbits && !p.plain:
			report.Kept = append(report.Kept, n.String()+": a Gemm with factors or a transposed A")
			continue
		}
		report.Products++
		if nbits {
			if err := s.matMulNBits(p, size); err != nil {
				return nil, err
			}
			report.Weights++
			continue
		}
		key := weightKey{p.weight, p.inner}
		if done[key] == nil {
			done[key] = s.blocked(p, size)
			report.Weights++
		}
		n.SetInput(1, done[key])
	}
	if nbits && report.Products > 0 {
		m.SetOpset("com.microsoft", 1)
	}
	g.RemoveUnused()
	g.AssignNames()
	return report, nil
}

// fourBits gives v in units of scale, in [-8, 7].
func fourBits(v, scale float32) int {
	return int(min(7, max(-8, math.RoundToEven(float64(v/scale)))))
}

// blockScale is the unit of a block whose element of the largest magnitude is v: that becomes -8.
func blockScale(v float32) float32 {
	if v == 0 {
		return 1
	}
	return v / -8
}

// blocked is a DequantizeLinear of a weight in blocks along the axis that products sum over.
func (s *static) blocked(p product, size int) *onnx.Value {
	t := p.tensor
	rows, columns := int(t.Dims[0]), int(t.Dims[1])
	values := onnx.Read[float32](t)
	inner := int(t.Dims[p.inner])
	count := (inner + size - 1) / size
	dims := []int64{t.Dims[0], t.Dims[1]}
	dims[p.inner] = int64(count)
	scales := onnx.NewTensor(onnx.Float, dims...)
	place := func(i, j int) int { // of an element's scale
		if p.inner == 0 {
			return i/size*columns + j
		}
		return i*count + j/size
	}
	unit := scales.Float32s()
	for i := range rows {
		for j := range columns {
			if v := values[i*columns+j]; math.Abs(float64(v)) > math.Abs(float64(unit[place(i, j)])) {
				unit[place(i, j)] = v
			}
		}
	}
	for i, v := range unit {
		unit[i] = blockScale(v)
	}
	q := onnx.NewTensor(onnx.Int4, t.Dims...)
	for i := range rows {
		for j := range columns {
			at := i*columns + j
			q.Data[at/2] |= byte(fourBits(values[at], unit[place(i, j)])&15) << (at % 2 * 4)
		}
	}
	name := p.weight.Name
	in := []*onnx.Value{s.constant(name+"_quantized", q), s.constant(name+"_scale", scales)}
	v := s.graph.Add("DequantizeLinear", in, 1, onnx.Int("axis", int64(p.inner)), onnx.Int("block_size", int64(size))).Output(0)
	v.Type = onnx.TypeOf(onnx.Float, t.Dims...)
	v.Name = s.fresh(name + "_dequantized")
	return v
}

// matMulNBits puts ONNX Runtime's product by 4-bit blocks in the place of p's node: B [N, blocks, size/2] holds two elements a
// byte, 8 more than they are, the first in the lower half; scales are [N*blocks].
func (s *static) matMulNBits(p product, size int) error {
	g := s.graph
	t := p.tensor
	if p.channel == 1 {
		t = transposed(t)
	}
	n, k := int(t.Dims[0]), int(t.Dims[1])
	count := (k + size - 1) / size
	values := onnx.Read[float32](t)
	packed := onnx.NewTensor(onnx.Uint8, int64(n), int64(count), int64(size/2))
	scales := onnx.NewTensor(onnx.Float, int64(n*count))
	for i := range n {
		for b := range count {
			block := values[i*k+b*size : i*k+min(k, (b+1)*size)]
			largest := float32(0)
			for _, v := range block {
				if math.Abs(float64(v)) > math.Abs(float64(largest)) {
					largest = v
				}
			}
			scale := blockScale(largest)
			scales.Float32s()[i*count+b] = scale
			out := packed.Data[(i*count+b)*size/2:]
			for j := range size {
				q := 8
				if j < len(block) {
					q += fourBits(block[j], scale)
				}
				out[j/2] |= byte(q) << (j % 2 * 4)
			}
		}
	}
	node, name := p.node, p.node.Output(0).Name
	in := []*onnx.Value{node.Input(0), s.constant(name+"_weight_quantized", packed), s.constant(name+"_weight_scale", scales)}
	product := g.Add("MatMulNBits", in, 1, onnx.Int("K", int64(k)), onnx.Int("N", int64(n)), onnx.Int("bits", 4), onnx.Int("block_size", int64(size)), onnx.Int("accuracy_level", 1))
	product.Domain = "com.microsoft"
	y := product.Output(0)
	if p.bias > 0 && node.Input(p.bias) != nil {
		y.Type = onnx.TensorType{DType: onnx.Float, Shape: node.Output(0).Type.Shape}
		y = g.Add("Add", []*onnx.Value{y, node.Input(p.bias)}, 1).Output(0)
	}
	y.Type = node.Output(0).Type
	return replace(g, node, y)
}
