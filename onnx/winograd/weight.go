package winograd

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Weight is the cotangent of the weight of Conv from c channels x [N,C,H,W] to o channels dy [N,O,Height,Width]: [O,C,3,3].
// Linear in the kernel, Conv's adjoint is
//
//	dg = G' [(B' d B) . (A dy A')] G
//
// summed over tiles.
func Weight(b *op.Builder, x, dy *onnx.Value, c, o int64, p Plane) *onnx.Value {
	h, w := p.inputs()
	even := p.even()
	dy = places(b, dy, p.Height, p.Width, [2]int64{}, [2]int64{even.Height - p.Height, even.Width - p.Width})
	x = places(b, x, h, w, p.Begins, even.Ends)
	if b.Err() != nil {
		return nil
	}
	d := x.Type.DType
	var sum *onnx.Value // [16, O, C]
	for _, rows := range p.parts() {
		u := b.MatMul(both(b, d, transposed(output)), tiled(b, dy, step, even.Width, rows))
		g := b.MatMul(b.Transpose(b.Reshape(u, marks, -1, o), 0, 2, 1), tileMarks(b, x, c, p, rows))
		if sum == nil {
			sum = g
			continue
		}
		sum = b.Add(sum, g)
	}
	return b.Reshape(b.Transpose(b.MatMul(both(b, d, transposed(kernel)), b.Reshape(sum, marks, o*c)), 1, 0), o, c, 3, 3)
}
