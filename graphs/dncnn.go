package graphs

import (
	"fmt"

	"graft/onnx"
)

// DnCNN is the denoiser of Zhang et al. (arXiv 1608.03981) without norms, as KAIR trains it: Layers of 3x3 Conv with bias, ReLU
// between, whose result is the noise that is taken off. It is trained for one level of noise; parameters bear KAIR's names,
// model.0.weight, model.0.bias, model.2.weight and so on. The zero value is for grey pictures, 555,137 parameters.
type DnCNN struct {
	Channels int64 // 64
	Layers   int64 // 17
	In       int64 // 1
}

// Defaults fills the published values in where a field is zero.
func (c DnCNN) Defaults() DnCNN {
	c.Channels, c.Layers, c.In = orDefault(c.Channels, 64), orDefault(c.Layers, 17), orDefault(c.In, 1)
	return c
}

// Build makes the model: input x float [N,In,H,W] of any size, output image of the same.
func (c DnCNN) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if c.Layers < 2 || c.Layers > 100 || c.Channels < 1 || c.Channels > 4096 || c.In < 1 || c.In > 4096 {
		return nil, fmt.Errorf("build dncnn: %d layers of %d channels for %d: wants 2 to 100 layers and 1 to 4096 channels", c.Layers, c.Channels, c.In)
	}
	n := newNet("dncnn", seed)
	shape := onnx.Shape{{Symbol: batchDim}, {Size: c.In}, {Symbol: "H"}, {Symbol: "W"}}
	x := n.g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: shape})
	y, in := x, c.In
	for i := range c.Layers {
		out := c.Channels
		if i == c.Layers-1 {
			out = c.In
		}
		y = n.conv(fmt.Sprintf("model.%d", 2*i), y, convSpec{in: in, out: out, kernel: 3, bias: true})
		if i < c.Layers-1 {
			y = n.b.Relu(y)
		}
		in = out
	}
	return n.finish(n.b.Sub(x, y))
}
