package graphs

import (
	"fmt"

	"graft/onnx"
)

// Residual is the residual generator of the Deep Image Prior code at full size: a 3x3 Conv and LeakyReLU, Blocks times
// x + {3x3 Conv, norm, LeakyReLU, 3x3 Conv, norm}, {3x3 Conv, norm} and a 3x3 Conv to the image with a sigmoid, all with
// reflecting padding. How its parts are put together is from memory of that code.
type Residual struct {
	Channels int64 // 32
	Blocks   int64 // 8
	In       int64 // channels of z; 32
	Out      int64 // channels of the image; 3
	Height   int64 // 512
	Width    int64 // 512
}

// Defaults fills values in where a field is zero.
func (c Residual) Defaults() Residual {
	c.Channels, c.Blocks = orDefault(c.Channels, 32), orDefault(c.Blocks, 8)
	c.In, c.Out = orDefault(c.In, 32), orDefault(c.Out, 3)
	c.Height, c.Width = orDefault(c.Height, 512), orDefault(c.Width, 512)
	return c
}

// Build makes the model: input z float [1,In,H,W], output image float [1,Out,H,W].
func (c Residual) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if err := checkFullSize(c.In, c.Out, c.Height, c.Width, []int64{c.Channels}); err != nil {
		return nil, fmt.Errorf("build residual: %w", err)
	}
	if min(c.Height, c.Width) < 2 {
		return nil, fmt.Errorf("build residual: %dx%d is too small to reflect a pixel", c.Height, c.Width)
	}
	if c.Blocks < 1 || c.Blocks > 256 {
		return nil, fmt.Errorf("build residual: %d blocks: wants 1 to 256", c.Blocks)
	}
	n := newNet("residual", seed)
	conv := func(name string, x *onnx.Value, in, out int64) *onnx.Value {
		return n.conv(name+".conv", x, convSpec{in: in, out: out, kernel: 3, bias: true, padding: "reflect"})
	}
	normed := func(name string, x *onnx.Value) *onnx.Value {
		return n.batchNorm(name+".bn", conv(name, x, c.Channels, c.Channels), c.Channels)
	}
	z := n.g.AddInput("z", onnx.TypeOf(onnx.Float, 1, c.In, c.Height, c.Width))
	x := n.b.In("stem").LeakyRelu(conv("stem", z, c.In, c.Channels), slope)
	for i := range c.Blocks {
		name := fmt.Sprintf("block%d", i)
		y := n.b.In(name).LeakyRelu(normed(name+".0", x), slope)
		x = n.b.In(name).Add(x, normed(name+".1", y))
	}
	return n.finish(n.b.In("out").Sigmoid(conv("out", normed("tail", x), c.Channels, c.Out)))
}
