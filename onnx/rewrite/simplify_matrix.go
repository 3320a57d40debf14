package rewrite

import (
	"slices"

	"graft/onnx"
)

var matrixPatterns = []pattern{
	{"Gemm", []string{"Add"}, 0, matMulAdd},
	{"Gemm", []string{"Add"}, 0, gemmAdd},
	{"Gemm + Transpose", []string{"Gemm"}, 0, gemmTransposed},
	{"Gemm + BatchNormalization", []string{"BatchNormalization"}, 0, gemmNorm},
}

// biasOf reports whether c can be the third operand of a Gemm with result y.
func biasOf(c, y *onnx.Value) bool {
	a, b := c.Type.Shape, y.Type.Shape
	if !a.Ranked() || len(a) > 2 || len(b) != 2 {
		return false
	}
	for i, d := range a {
		if d.Known() && d.Size == 1 {
			continue
		}
		if e := b[i+2-len(a)]; d != e || !d.Known() && d.Symbol == "" {
			return false
		}
	}
	return true
}

// matMulAdd: MatMul(a, b) + c = Gemm(a, b, c) for matrices.
func matMulAdd(s *site, n *onnx.Node) []*onnx.Value {
	x, c := either(n, func(v *onnx.Value) bool { return s.maker(v, "MatMul") != nil })
	if x == nil || !isFloat(x) {
		return nil
	}
	m := x.Producer()
	if rank(m.Input(0)) != 2 || rank(m.Input(1)) != 2 || !biasOf(c, x) {
		return nil
	}
	return s.one("Gemm", []*onnx.Value{m.Input(0), m.Input(1), c})
}

// gemmAdd: Gemm(a, b) + c = Gemm(a, b, c).
func gemmAdd(s *site, n *onnx.Node) []*onnx.Value {
	x, c := either(n, func(v *onnx.Value) bool { return s.maker(v, "Gemm") != nil })
	if x == nil || !isFloat(x) || x.Producer().Input(2) != nil || !biasOf(c, x) {
		return nil
	}
	m := x.Producer()
	return s.one("Gemm", append(m.Inputs()[:2], c), append(attrsBut(m, "beta"), onnx.Float32("beta", 1))...)
}

// gemmTransposed: a Gemm transposes its operands itself.
func gemmTransposed(s *site, n *onnx.Node) []*onnx.Value {
	in, attrs := n.Inputs(), n.Attrs
	found := false
	for i, name := range []string{"transA", "transB"} {
		t := s.maker(in[i], "Transpose")
		if t == nil {
			continue
		}
		if p, ok := permOf(t); !ok || !slices.Equal(p, []int64{1, 0}) {
			continue
		}
		flipped := 1 - onnx.AttrOr(n, name, int64(0))
		in[i], found = t.Input(0), true
		attrs = append(slices.DeleteFunc(slices.Clone(attrs), func(a onnx.Attr) bool { return a.Name == name }), onnx.Int(name, flipped))
	}
	if !found {
		return nil
	}
	return s.one("Gemm", in, attrs...)
}

// gemmNorm: a BatchNormalization of stored statistics scales and shifts the columns of the Gemm before it.
func gemmNorm(s *site, n *onnx.Node) []*onnx.Value {
	m := s.maker(n.Input(0), "Gemm")
	if m == nil || onnx.AttrOr(n, "training_mode", int64(0)) != 0 || len(n.Outputs()) > 1 && slices.ContainsFunc(n.Outputs()[1:], func(o *onnx.Value) bool { return o != nil }) {
		return nil
	}
	w := s.constant(m.Input(1))
	scale, shift, ok := s.normScale(n)
	if !ok || w == nil || len(w.Dims) != 2 || w.DType != onnx.Float || onnx.AttrOr(m, "beta", float32(1)) != 1 {
		return nil
	}
	columns, turned := len(scale), onnx.AttrOr(m, "transB", int64(0)) != 0
	if turned && w.Dims[0] != int64(columns) || !turned && w.Dims[1] != int64(columns) {
		return nil
	}
	if c := m.Input(2); c != nil {
		bias, ok := s.numbers(c)
		if t := s.constant(c); !ok || len(bias) != columns || len(t.Dims) > 2 || t.Dims[len(t.Dims)-1] != int64(columns) {
			return nil
		}
		for k := range shift {
			shift[k] += scale[k] * bias[k]
		}
	}
	values, ok := w.Reals()
	if !ok || !s.affordable(w.DType, w.Dims) {
		return nil
	}
	for i := range values {
		k := i % columns
		if turned {
			k = i / int(w.Dims[1])
		}
		values[i] *= scale[k]
	}
	weights, ok := rounded(w.DType, w.Dims, values)
	bias, ok2 := rounded(w.DType, []int64{int64(columns)}, shift)
	if !ok || !ok2 {
		return nil
	}
	return s.one("Gemm", []*onnx.Value{m.Input(0), s.tensor(weights), s.tensor(bias)}, m.Attrs...)
}
