package rewrite

import (
	"slices"

	"graft/onnx"
)

var attentionPatterns = []pattern{
	{"Attention", []string{"MatMul"}, 23, attend},
}

// attend, of heads [batch, heads, length, size]:
//
//	Softmax(c Q Transpose(K) (+ mask)) V
func attend(s *site, n *onnx.Node) []*onnx.Value {
	soft := s.maker(n.Input(0), "Softmax")
	v := n.Input(1)
	if soft == nil || rank(v) != 4 || v.Type.DType != onnx.Float || fromEnd(onnx.AttrOr(soft, "axis", int64(-1)), 4) != 3 {
		return nil
	}
	scores, mask, scale := soft.Input(0), (*onnx.Value)(nil), 1.0
	if sum := s.maker(scores, "Add"); sum != nil {
		if scores, mask = either(sum, func(v *onnx.Value) bool { return s.maker(v, "MatMul", "Mul", "Div") != nil }); scores == nil {
			return nil
		}
	}
	if by := s.maker(scores, "Mul", "Div"); by != nil {
		c, of := either(by, func(v *onnx.Value) bool { _, ok := s.number(v); return ok })
		if c == nil || by.Is("Div") && c != by.Input(1) {
			return nil
		}
		if scale, _ = s.number(c); by.Is("Div") {
			scale = 1 / scale
		}
		scores = of
	}
	product := s.maker(scores, "MatMul")
	if product == nil || rank(scores) != 4 || mask != nil && !maskOf(mask, scores) {
		return nil
	}
	q, turned := product.Input(0), s.maker(product.Input(1), "Transpose")
	if turned == nil || rank(q) != 4 || scale <= 0 {
		return nil
	}
	p, ok := permOf(turned)
	if !ok || len(p) != 4 {
		return nil
	}
	k := turned.Input(0)
	if p = []int64{p[0], p[1], p[3], p[2]}; !inOrder(p) {
		if slices.Contains(p, -1) {
			return nil
		}
		if k = s.Node("Transpose", []*onnx.Value{k}, 1, onnx.Ints("perm", p...))[0]; k == nil {
			return nil
		}
	}
	for i := range 2 { // one number of heads and one batch: nothing is repeated
		if d := q.Type.Shape[i]; d != k.Type.Shape[i] || d != v.Type.Shape[i] || !d.Known() && d.Symbol == "" {
			return nil
		}
	}
	return s.one("Attention", []*onnx.Value{q, k, v, mask}, onnx.Float32("scale", float32(scale)))
}

// maskOf reports whether a mask that is added to scores can be Attention's: of their type, over all keys.
func maskOf(mask, scores *onnx.Value) bool {
	r := rank(mask)
	if r < 2 || r > 4 || mask.Type.DType != scores.Type.DType {
		return false
	}
	last := mask.Type.Shape[r-1]
	return last == scores.Type.Shape[3] && (last.Known() || last.Symbol != "")
}
