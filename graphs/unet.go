package graphs

import (
	"fmt"

	"graft/onnx"
)

// UNet is the U-Net of the Deep Image Prior code: a double {3x3 Conv, norm, ReLU} at every scale, max pooling down,
// bilinear upsampling with a 3x3 Conv up, and concatenation across. That the pooling takes the maximum, and how an up
// block is put together, is from memory of that code.
type UNet struct {
	Channels []int64 // width of each scale; {16, 32, 64, 128, 256}
	In       int64   // 32
	Out      int64   // 3
	Height   int64   // 512, divisible by 2^(scales-1)
	Width    int64   // 512
}

// Defaults fills the published values in where a field is zero.
func (c UNet) Defaults() UNet {
	if len(c.Channels) == 0 {
		c.Channels = []int64{16, 32, 64, 128, 256}
	}
	c.In, c.Out = orDefault(c.In, 32), orDefault(c.Out, 3)
	c.Height, c.Width = orDefault(c.Height, 512), orDefault(c.Width, 512)
	return c
}

// Build makes the model: input z float [1,In,H,W], output image float [1,Out,H,W].
func (c UNet) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if err := checkImageNet(c.In, c.Out, c.Height, c.Width, max(len(c.Channels)-1, 1), c.Channels); err != nil {
		return nil, fmt.Errorf("build unet: %w", err)
	}
	n := newNet("unet", seed)
	x := n.g.AddInput("z", onnx.TypeOf(onnx.Float, 1, c.In, c.Height, c.Width))
	var across []*onnx.Value
	in := c.In
	for i, width := range c.Channels {
		name := fmt.Sprintf("down%d", i)
		if i > 0 {
			x = n.b.In(name).MaxPool(x, halve)
		}
		x = n.double(name, x, in, width)
		across, in = append(across, x), width
	}
	for i := len(c.Channels) - 2; i >= 0; i-- {
		name, width := fmt.Sprintf("up%d", i), c.Channels[i]
		x = n.b.In(name).UpsampleLinear(x, 2)
		x = n.conv(name+".conv", x, convSpec{in: in, out: width, kernel: 3, bias: true})
		x = n.double(name, n.b.In(name).Concat(1, x, across[i]), 2*width, width)
		in = width
	}
	x = n.conv("out.conv", x, convSpec{in: in, out: c.Out, kernel: 1, bias: true})
	return n.finish(n.b.In("out").Sigmoid(x))
}

// double is two times {3x3 Conv with zero padding, norm, ReLU}.
func (n *net) double(name string, x *onnx.Value, in, out int64) *onnx.Value {
	for i, from := range []int64{in, out} {
		part := fmt.Sprintf("%s.%d", name, i)
		x = n.conv(part+".conv", x, convSpec{in: from, out: out, kernel: 3, bias: true})
		x = n.b.In(part).Relu(n.batchNorm(part+".bn", x, out))
	}
	return x
}
