package graphs

import (
	"fmt"

	"graft/onnx"
)

// CNN is the plain network of the Optimal Eye Surgeon code: {3x3 Conv with zero padding, norm, LeakyReLU} at full size, the widths
// in turn as often as Repeats says, then a 1x1 Conv to the image, without a sigmoid. The code leaves the number of layers to its
// caller.
type CNN struct {
	Channels []int64 // widths of the layers; {16, 32, 64, 128}
	Repeats  int64   // of the widths; 2
	In       int64   // channels of z; 32
	Out      int64   // channels of the image; 3
	Height   int64   // 512
	Width    int64   // 512
}

// Defaults fills values in where a field is zero.
func (c CNN) Defaults() CNN {
	if len(c.Channels) == 0 {
		c.Channels = []int64{16, 32, 64, 128}
	}
	c.Repeats, c.In, c.Out = orDefault(c.Repeats, 2), orDefault(c.In, 32), orDefault(c.Out, 3)
	c.Height, c.Width = orDefault(c.Height, 512), orDefault(c.Width, 512)
	return c
}

// Build makes the model: input z float [1,In,H,W], output image float [1,Out,H,W].
func (c CNN) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if err := checkFullSize(c.In, c.Out, c.Height, c.Width, c.Channels); err != nil {
		return nil, fmt.Errorf("build cnn: %w", err)
	}
	if c.Repeats < 1 || c.Repeats > 64 {
		return nil, fmt.Errorf("build cnn: %d repeats: wants 1 to 64", c.Repeats)
	}
	n := newNet("cnn", seed)
	x := n.g.AddInput("z", onnx.TypeOf(onnx.Float, 1, c.In, c.Height, c.Width))
	in := c.In
	for i := range int(c.Repeats) * len(c.Channels) {
		name, width := fmt.Sprintf("l%d", i), c.Channels[i%len(c.Channels)]
		x = n.conv(name+".conv", x, convSpec{in: in, out: width, kernel: 3, bias: true})
		x = n.b.In(name).LeakyRelu(n.batchNorm(name+".bn", x, width), slope)
		in = width
	}
	return n.finish(n.conv("out.conv", x, convSpec{in: in, out: c.Out, kernel: 1, bias: true}))
}
