package language

import (
	"graft/onnx"
	"graft/onnx/op"
)

// first cuts a vector to its first element.
var first = op.SliceSpec{Axis: 0, Start: 0, End: 1}

// farBelow is added to the scores of tokens that must not be seen.
const farBelow = -1e4

func (n *net) input(name, length string) *onnx.Value {
	return n.g.AddInput(name, onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{{Symbol: batchDim}, {Symbol: length}}})
}

// inputs declares the token numbers and the mask (1 for what counts, 0 for what fills up), and finds sizes.
func (n *net) inputs() {
	length := sequenceDim
	if n.Cache {
		length = totalDim
	}
	n.ids, n.mask = n.input("input_ids", sequenceDim), n.input("attention_mask", length)
	b := n.b.In("shape")
	n.dims = b.Shape(n.ids)
	n.length = b.Squeeze(b.ShapeSlice(n.ids, 1, 2), 0)
	n.total = n.length
	if n.Cache {
		n.total = b.Squeeze(b.ShapeSlice(n.mask, 1, 2), 0)
	}
}

// count is from, from+1, ... below to, int64.
func (n *net) count(b *op.Builder, from, to *onnx.Value) *onnx.Value {
	return b.Range(from, to, b.Const(onnx.Scalar(int64(1))))
}

func zero(b *op.Builder) *onnx.Value { return b.Const(onnx.Scalar(int64(0))) }

// hidePadding hides tokens that fill up: [N,1,1,S].
func (n *net) hidePadding() {
	b := n.b.In("mask")
	m := b.Cast(b.Unsqueeze(n.mask, 1, 2), onnx.Float)
	n.hidden = b.Mul(b.Sub(b.Scalar(m, 1), m), b.Scalar(m, farBelow))
}

// hideLater hides tokens that fill up and those behind each token: [N,1,S,T].
func (n *net) hideLater() {
	b := n.b.In("mask")
	past := b.Sub(n.total, n.length)
	sees := b.LessOrEqual(n.count(b, zero(b), n.total), b.Unsqueeze(n.count(b, past, n.total), 1))
	counts := b.Cast(b.Unsqueeze(n.mask, 1, 2), onnx.Bool)
	x := b.Const(onnx.Scalar(float32(0)))
	n.hidden = b.Where(b.And(sees, counts), x, b.Const(onnx.Scalar(float32(farBelow))))
}

// places are the positions of a decoder's tokens [N,S]: an input, or counted from the mask.
func (n *net) places() *onnx.Value {
	if !n.OwnPositions {
		return n.input("position_ids", sequenceDim)
	}
	b := n.b.In("positions")
	all := b.Max(b.Sub(b.CumSum(n.mask, 1, false, false), b.Scalar(n.mask, 1)), b.Scalar(n.mask, 0))
	if !n.Cache {
		return all
	}
	return b.Gather(all, n.count(b, b.Sub(n.total, n.length), n.total), 1)
}
