package quantize

import (
	"fmt"
	"math"

	"graft/onnx"
)

// BlockOpset is the first opset whose DequantizeLinear knows blocks, and integers of 4 bits.
const BlockOpset = 21

// BlockForm says how weights are stored in blocks.
type BlockForm struct {
	Bits  int  // of an element: 4 or 8
	Size  int  // elements, of those that a product sums over, that share a scale: a power of two from 16
	NBits bool // ONNX Runtime's MatMulNBits, not DequantizeLinear before the product
}

// Blocks stores the weights of MatMul and Gemm as integers with a scale for each block. What a product reads is float32.
func Blocks(m *onnx.Model, f BlockForm) (*Report, error) {
	if f.Size < 16 || f.Size&(f.Size-1) != 0 {
		return nil, fmt.Errorf("quantize: blocks of %d: wants a power of two from 16", f.Size)
	}
	if f.Bits != 4 && f.Bits != 8 {
		return nil, fmt.Errorf("quantize: blocks of %d bits: wants 4 or 8", f.Bits)
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
		case int(p.tensor.Dims[p.inner]) < f.Size:
			report.Kept = append(report.Kept, fmt.Sprintf("%v: sums over %d elements, less than a block", n, p.tensor.Dims[p.inner]))
			continue
		case f.NBits && !p.plain:
			report.Kept = append(report.Kept, n.String()+": a Gemm with factors or a transposed A")
			continue
		}
		report.Products++
		if f.NBits {
			if err := s.matMulNBits(p, f); err != nil {
				return nil, err
			}
			report.Weights++
			continue
		}
		key := weightKey{p.weight, p.inner}
		if done[key] == nil {
			done[key] = s.blocked(p, f)
			report.Weights++
		}
		n.SetInput(1, done[key])
	}
	if f.NBits && report.Products > 0 {
		m.SetOpset("com.microsoft", 1)
	}
	g.RemoveUnused()
	g.AssignNames()
	return report, nil
}

// accuracyLevel says how MatMulNBits computes: 1 in float32, which gives nearly the same in every runtime, 4 with what it reads rounded to 8
// bits, in blocks too, and sums of integers. At level 1 ONNX Runtime has no kernel for blocks of 8 bits, and multiplies them out anew in every
// run.
func (f BlockForm) accuracyLevel() int64 {
	if f.Bits == 8 {
		return 4
	}
	return 1
}

// most is the magnitude of the least integer: 8 or 128.
func (f BlockForm) most() int { return 1 << (f.Bits - 1) }

// code gives v in units of scale, in [-most, most).
func (f BlockForm) code(v, scale float32) int {
	most := float64(f.most())
	return int(min(most-1, max(-most, math.RoundToEven(float64(v/scale)))))
}

// scale is the unit of a block whose element of the largest magnitude is v: that becomes the least integer.
func (f BlockForm) scale(v float32) float32 {
	if v == 0 {
		return 1
	}
	return v / float32(-f.most())
}

// put makes q, of which the lowest bits count, the element at of packed data.
func (f BlockForm) put(data []byte, at, q int) {
	if f.Bits == 8 {
		data[at] = byte(q)
		return
	}
	data[at/2] |= byte(q&15) << (at % 2 * 4)
}

// blocked is a DequantizeLinear of a weight in blocks along the axis that products sum over.
func (s *static) blocked(p product, f BlockForm) *onnx.Value {
	size := f.Size
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
		unit[i] = f.scale(v)
	}
	q := onnx.NewTensor(map[int]onnx.DataType{4: onnx.Int4, 8: onnx.Int8}[f.Bits], t.Dims...)
	for i := range rows {
		for j := range columns {
			at := i*columns + j
			f.put(q.Data, at, f.code(values[at], unit[place(i, j)]))
		}
	}
	name := p.weight.Name
	in := []*onnx.Value{s.constant(name+"_quantized", q), s.constant(name+"_scale", scales)}
	v := s.graph.Add("DequantizeLinear", in, 1, onnx.Int("axis", int64(p.inner)), onnx.Int("block_size", int64(size))).Output(0)
	v.Type = onnx.TypeOf(onnx.Float, t.Dims...)
	v.Name = s.fresh(name + "_dequantized")
	return v
}

// matMulNBits puts ONNX Runtime's product by blocks in the place of p's node: B [N, blocks, size*bits/8] holds elements as 8 or 128
// more than they are, of 4 bits two a byte, the first in the lower half; scales are [N*blocks].
func (s *static) matMulNBits(p product, f BlockForm) error {
	size := f.Size
	g := s.graph
	t := p.tensor
	if p.channel == 1 {
		t = transposed(t)
	}
	n, k := int(t.Dims[0]), int(t.Dims[1])
	count := (k + size - 1) / size
	values := onnx.Read[float32](t)
	packed := onnx.NewTensor(onnx.Uint8, int64(n), int64(count), int64(size*f.Bits/8))
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
			scale := f.scale(largest)
			scales.Float32s()[i*count+b] = scale
			out := packed.Data[(i*count+b)*size*f.Bits/8:]
			for j := range size {
				q := f.most()
				if j < len(block) {
					q += f.code(block[j], scale)
				}
				f.put(out, j, q)
			}
		}
	}
	node, name := p.node, p.node.Output(0).Name
	in := []*onnx.Value{node.Input(0), s.constant(name+"_weight_quantized", packed), s.constant(name+"_weight_scale", scales)}
	product := g.Add("MatMulNBits", in, 1, onnx.Int("K", int64(k)), onnx.Int("N", int64(n)), onnx.Int("bits", int64(f.Bits)), onnx.Int("block_size", int64(size)), onnx.Int("accuracy_level", f.accuracyLevel()))
	product.Domain = "com.microsoft"
	y := product.Output(0)
	if p.bias > 0 && node.Input(p.bias) != nil {
		y.Type = onnx.TensorType{DType: onnx.Float, Shape: node.Output(0).Type.Shape}
		y = g.Add("Add", []*onnx.Value{y, node.Input(p.bias)}, 1).Output(0)
	}
	y.Type = node.Output(0).Type
	return replace(g, node, y)
}
