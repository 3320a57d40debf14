package rewrite_test

import (
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

func TestWinograd(t *testing.T) {
	x, w := []int64{16, 128, 8, 9}, []int64{130, 128, 3, 3}
	// weight makes sums of 1,152 products as large as their terms, for what they are compared by.
	weight := func(b *op.Builder, dims []int64) *onnx.Value {
		v := in(b, "w", dims...)
		return b.Mul(v, b.Scalar(v, 1./32))
	}
	bias := func(b *op.Builder, wanted bool, channels int64) *onnx.Value {
		if !wanted {
			return nil
		}
		return in(b, "c", channels)
	}
	conv := func(x, w []int64, c bool, a op.ConvAttrs) func(b *op.Builder) *onnx.Value {
		return func(b *op.Builder) *onnx.Value {
			return b.Conv(in(b, "x", x...), weight(b, w), bias(b, c, w[0]), a)
		}
	}
	same := op.ConvAttrs{Pads: []int64{1, 1, 1, 1}}
	runOdd(t, rewrite.Winograd[0], []odd{
		{"padded", true, conv(x, w, false, same)},
		{"with bias", true, conv(x, w, true, op.ConvAttrs{})},
		{"valid", true, conv(x, w, false, op.ConvAttrs{AutoPad: "VALID"})},
		{"uneven padding", true, conv(x, w, true, op.ConvAttrs{Pads: []int64{0, 2, 1, 0}})},
		{"few channels", false, conv([]int64{16, 64, 8, 9}, []int64{130, 64, 3, 3}, false, same)},
		{"large pictures", false, conv([]int64{1, 128, 20, 20}, []int64{128, 128, 3, 3}, false, same)},
		{"one small picture", false, conv([]int64{1, 128, 8, 8}, w, false, same)},
		{"5x5", false, conv(x, []int64{130, 128, 5, 5}, false, op.ConvAttrs{})},
		{"stride", false, conv(x, w, false, op.ConvAttrs{Strides: []int64{2, 1}})},
		{"dilated", false, conv(x, w, false, op.ConvAttrs{Dilations: []int64{2, 2}})},
		{"groups", false, conv([]int64{8, 256, 8, 8}, []int64{256, 128, 3, 3}, false, op.ConvAttrs{Group: 2, Pads: []int64{1, 1, 1, 1}})},
		{"much padding", false, conv(x, w, false, op.ConvAttrs{Pads: []int64{3, 1, 1, 1}})},
		{"same", false, conv(x, w, false, op.ConvAttrs{AutoPad: "SAME_UPPER"})},
		{"1-D", false, conv([]int64{40, 128, 8}, []int64{130, 128, 3}, false, op.ConvAttrs{})},
		{"constant weight", false, func(b *op.Builder) *onnx.Value {
			return b.Conv(in(b, "x", x...), b.Const(onnx.NewTensor(onnx.Float, w...)), nil, same)
		}},
	})
	back := func(x, w []int64, c bool, a op.ConvAttrs) func(b *op.Builder) *onnx.Value {
		return func(b *op.Builder) *onnx.Value {
			return b.ConvTranspose(in(b, "x", x...), weight(b, w), bias(b, c, w[1]), a)
		}
	}
	w = []int64{128, 130, 3, 3}
	runOdd(t, rewrite.Winograd[1], []odd{
		{"padded", true, back(x, w, false, same)},
		{"with bias", true, back(x, w, true, op.ConvAttrs{})},
		{"uneven padding", true, back(x, w, false, op.ConvAttrs{Pads: []int64{0, 2, 1, 2}})},
		{"few channels", false, back([]int64{16, 64, 8, 9}, []int64{64, 130, 3, 3}, false, same)},
		{"stride", false, back(x, w, false, op.ConvAttrs{Strides: []int64{2, 2}})},
		{"output shape", false, func(b *op.Builder) *onnx.Value {
			return b.Node("ConvTranspose", []*onnx.Value{in(b, "x", x...), in(b, "w", w...)}, 1, onnx.Ints("output_shape", 8, 9))[0]
		}},
	})
}
