package graphs

import (
	"fmt"

	"graft/onnx"
)

// Hourglass is the generator of Optimal Eye Surgeon (arXiv 2406.05288): an encoder and a decoder without skip
// connections. Scale i is
//
//	down1: reflect pad, Conv(c[i]), average pool 2, norm, LeakyReLU
//	down2: reflect pad, Conv(c[i]), norm, LeakyReLU
//	       scale i+1
//	up:    nearest upsample 2, norm, reflect pad, Conv(c[i]), norm, LeakyReLU
//
// and after scale 0 a 1x1 Conv to the image and a sigmoid. The zero value is the published network at 512x512, of
// 3,008,867 parameters.
type Hourglass struct {
	Channels   []int64 // width of each scale; {16, 32, 64, 128, 128, 128}
	DownKernel int64   // 5
	UpKernel   int64   // 3
	In         int64   // channels of z; 32
	Out        int64   // channels of the image; 3
	Height     int64   // 512
	Width      int64   // 512
}

// Defaults fills the published values in where a field is zero.
func (c Hourglass) Defaults() Hourglass {
	if len(c.Channels) == 0 {
		c.Channels = []int64{16, 32, 64, 128, 128, 128}
	}
	c.DownKernel, c.UpKernel = orDefault(c.DownKernel, 5), orDefault(c.UpKernel, 3)
	c.In, c.Out = orDefault(c.In, 32), orDefault(c.Out, 3)
	c.Height, c.Width = orDefault(c.Height, 512), orDefault(c.Width, 512)
	return c
}

// Multiple is what height and width must be divisible by.
func (c Hourglass) Multiple() int64 { return 1 << len(c.Defaults().Channels) }

// Build makes the model: input z float [1,In,H,W], output image float [1,Out,H,W].
func (c Hourglass) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build hourglass: %w", err)
	}
	n := newNet("hourglass", seed)
	z := n.g.AddInput("z", onnx.TypeOf(onnx.Float, 1, c.In, c.Height, c.Width))
	y := c.scale(n, 0, z, c.In)
	y = n.conv("out.conv", y, convSpec{in: c.Channels[0], out: c.Out, kernel: 1, bias: true})
	return n.finish(n.b.In("out").Sigmoid(y))
}

func (c Hourglass) check() error {
	if err := checkImageNet(c.In, c.Out, c.Height, c.Width, len(c.Channels), c.Channels); err != nil {
		return err
	}
	for _, k := range []int64{c.DownKernel, c.UpKernel} {
		if k < 1 || k > 15 || k%2 == 0 {
			return fmt.Errorf("kernel %d: wants an odd size from 1 to 15", k)
		}
	}
	// The last convolution of the encoder reflects at the smallest size: side > padding.
	least := min(c.Height, c.Width) >> len(c.Channels)
	if pad := c.DownKernel / 2; least <= pad {
		return fmt.Errorf("%dx%d is %d at the bottleneck, too small to reflect %d pixels: use fewer scales, a smaller kernel or a larger image",
			c.Height, c.Width, least, pad)
	}
	return nil
}

func (c Hourglass) scale(n *net, i int, x *onnx.Value, in int64) *onnx.Value {
	name, width := fmt.Sprintf("s%d", i), c.Channels[i]
	down1, down2, up := name+".down1", name+".down2", name+".up"
	x = n.conv(down1+".conv", x, convSpec{in: in, out: width, kernel: c.DownKernel, bias: true, padding: "reflect"})
	x = n.b.In(down1).AveragePool(x, halve)
	x = n.b.In(down1).LeakyRelu(n.batchNorm(down1+".bn", x, width), slope)
	x = n.conv(down2+".conv", x, convSpec{in: width, out: width, kernel: c.DownKernel, bias: true, padding: "reflect"})
	x = n.b.In(down2).LeakyRelu(n.batchNorm(down2+".bn", x, width), slope)
	inner := width
	if i+1 < len(c.Channels) {
		inner = c.Channels[i+1]
		x = c.scale(n, i+1, x, width)
	}
	x = n.b.In(up).UpsampleNearest(x, 2)
	x = n.batchNorm(name+".merge.bn", x, inner)
	x = n.conv(up+".conv", x, convSpec{in: inner, out: width, kernel: c.UpKernel, bias: true, padding: "reflect"})
	return n.b.In(up).LeakyRelu(n.batchNorm(up+".bn", x, width), slope)
}
