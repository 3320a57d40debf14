package op

import (
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// MACs counts the multiply-accumulates of a node from the types of its values: those of Conv, ConvTranspose, Gemm and
// MatMul, and of their integer and deformable forms. The bias is not counted, and a product with a zero weight is. A dimension without a
// size counts as 1; free gives the symbols of those ("?" for one without a name). ok is false for other operators, and
// where a rank is unknown or the count overflows.
//
// Conv and DeformConv: elements of the output times input channels a group times kernel size. ConvTranspose: elements of the input times
// output channels a group times kernel size. Gemm and MatMul: elements of the output times the inner dimension.
func MACs(n *onnx.Node) (macs int64, free []string, ok bool) {
	if !n.Is(n.Op) {
		return 0, nil, false
	}
	c := macCount{product: 1}
	y := onnx.Shape(nil)
	if o := n.Output(0); o != nil {
		y = o.Type.Shape
	}
	switch n.Op {
	case "Conv", "ConvInteger", "DeformConv":
		c.all(y)
		c.kernel(shapeOf(n, 1))
	case "QLinearConv":
		c.all(y)
		c.kernel(shapeOf(n, 3))
	case "ConvTranspose":
		c.all(shapeOf(n, 0))
		c.kernel(shapeOf(n, 1))
	case "Gemm":
		x := shapeOf(n, 0)
		if len(x) != 2 {
			return 0, nil, false
		}
		if GemmAttrsOf(n).TransA {
			x = onnx.Shape{x[1], x[0]}
		}
		c.all(y)
		c.all(x[1:])
	case "MatMul", "MatMulInteger", "QLinearMatMul":
		x := shapeOf(n, 0)
		if len(x) == 0 || !y.Ranked() {
			return 0, nil, false
		}
		for _, d := range y { // a scalar when both are vectors
			c.dim(d)
		}
		c.dim(x[len(x)-1])
	default:
		return 0, nil, false
	}
	return c.product, c.free, !c.failed
}

type macCount struct {
	product int64
	free    []string
	failed  bool
}

// all multiplies every dimension in; an unknown or empty shape is a failure.
func (c *macCount) all(s onnx.Shape) {
	if len(s) == 0 {
		c.failed = true
	}
	for _, d := range s {
		c.dim(d)
	}
}

// kernel multiplies in what one output element sums over: all of a weight but its first dimension.
func (c *macCount) kernel(w onnx.Shape) {
	if len(w) < 3 {
		c.failed = true
		return
	}
	c.all(w[1:])
}

func (c *macCount) dim(d onnx.Dim) {
	if !d.Known() {
		if name := d.String(); !slices.Contains(c.free, name) {
			c.free = append(c.free, name)
		}
		return
	}
	product, ok := limits.MulInt(c.product, d.Size)
	c.product, c.failed = product, c.failed || !ok
}
