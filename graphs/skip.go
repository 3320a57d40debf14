package graphs

import (
	"fmt"

	"graft/onnx"
)

// Skip is the encoder-decoder with skip connections of Deep Image Prior (Ulyanov et al., arXiv 1711.10925) in its
// denoising form: strided convolutions down, bilinear upsampling, a 1x1 convolution after each decoder stage, and at every
// scale a few channels that bypass the deeper ones. The zero value is the published network at 512x512, of 2,217,831
// parameters.
type Skip struct {
	Channels []int64 // width of each scale, down and up; {128, 128, 128, 128, 128}
	Bypass   []int64 // channels of each scale's skip connection, 0 for none; {4, 4, 4, 4, 4}
	Kernel   int64   // 3
	In       int64   // 32
	Out      int64   // 3
	Height   int64   // 512
	Width    int64   // 512
}

// Defaults fills the published values in where a field is zero.
func (c Skip) Defaults() Skip {
	if len(c.Channels) == 0 {
		c.Channels = []int64{128, 128, 128, 128, 128}
	}
	if len(c.Bypass) == 0 {
		for range c.Channels {
			c.Bypass = append(c.Bypass, 4)
		}
	}
	c.Kernel, c.In, c.Out = orDefault(c.Kernel, 3), orDefault(c.In, 32), orDefault(c.Out, 3)
	c.Height, c.Width = orDefault(c.Height, 512), orDefault(c.Width, 512)
	return c
}

// Build makes the model: input z float [1,In,H,W], output image float [1,Out,H,W].
func (c Skip) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build skip network: %w", err)
	}
	n := newNet("skip", seed)
	z := n.g.AddInput("z", onnx.TypeOf(onnx.Float, 1, c.In, c.Height, c.Width))
	y := c.scale(n, 0, z, c.In)
	y = n.conv("out.conv", y, convSpec{in: c.Channels[0], out: c.Out, kernel: 1, bias: true})
	return n.finish(n.b.In("out").Sigmoid(y))
}

func (c Skip) check() error {
	if err := checkImageNet(c.In, c.Out, c.Height, c.Width, len(c.Channels), c.Channels); err != nil {
		return err
	}
	if len(c.Bypass) != len(c.Channels) {
		return fmt.Errorf("%d skip widths for %d scales", len(c.Bypass), len(c.Channels))
	}
	for _, k := range c.Bypass {
		if k < 0 || k > 4096 {
			return fmt.Errorf("%d skip channels: wants 0 to 4096", k)
		}
	}
	if c.Kernel < 1 || c.Kernel > 15 || c.Kernel%2 == 0 {
		return fmt.Errorf("kernel %d: wants an odd size from 1 to 15", c.Kernel)
	}
	if least := min(c.Height, c.Width) >> len(c.Channels); least <= c.Kernel/2 {
		return fmt.Errorf("%dx%d is %d at the bottleneck, too small to reflect %d pixels: use fewer scales or a larger image", c.Height, c.Width, least, c.Kernel/2)
	}
	return nil
}

func (c Skip) scale(n *net, i int, x *onnx.Value, in int64) *onnx.Value {
	name, width, bypass := fmt.Sprintf("s%d", i), c.Channels[i], c.Bypass[i]
	block := func(part string, x *onnx.Value, in, out, kernel, stride int64) *onnx.Value {
		x = n.conv(name+"."+part+".conv", x, convSpec{in: in, out: out, kernel: kernel, stride: stride, bias: true, padding: "reflect"})
		return n.b.In(name+"."+part).LeakyRelu(n.batchNorm(name+"."+part+".bn", x, out), slope)
	}
	var around *onnx.Value
	if bypass > 0 {
		around = block("skip", x, in, bypass, 1, 1)
	}
	x = block("down1", x, in, width, c.Kernel, 2)
	x = block("down2", x, width, width, c.Kernel, 1)
	inner := width
	if i+1 < len(c.Channels) {
		inner = c.Channels[i+1]
		x = c.scale(n, i+1, x, width)
	}
	x = n.b.In(name+".up").UpsampleLinear(x, 2)
	if around != nil {
		x = n.b.In(name).Concat(1, around, x)
	}
	x = n.batchNorm(name+".merge.bn", x, bypass+inner)
	x = block("up", x, bypass+inner, width, c.Kernel, 1)
	return block("up1x1", x, width, width, 1, 1)
}
