package graphs

import (
	"fmt"

	"graft/onnx"
)

// DeepDecoder is the under-parameterized generator of Heckel and Hand (arXiv 1810.03982) as the Optimal Eye Surgeon code
// sets it up: Layers times {1x1 Conv without bias, bilinear upsample 2 (not the last), ReLU, norm}, then a 1x1 Conv and a
// sigmoid. The zero value makes 512x512 images and has 100,224 parameters.
type DeepDecoder struct {
	Channels int64 // 128
	Layers   int64 // 6
	Out      int64 // 3
	Height   int64 // 512, divisible by 2^(Layers-1)
	Width    int64 // 512
}

// Defaults fills the published values in where a field is zero.
func (c DeepDecoder) Defaults() DeepDecoder {
	c.Channels, c.Layers, c.Out = orDefault(c.Channels, 128), orDefault(c.Layers, 6), orDefault(c.Out, 3)
	c.Height, c.Width = orDefault(c.Height, 512), orDefault(c.Width, 512)
	return c
}

// Build makes the model: input z float [1,Channels,H/2^(Layers-1),W/2^(Layers-1)], output image float [1,Out,H,W].
func (c DeepDecoder) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if c.Layers < 2 || c.Layers > 10 {
		return nil, fmt.Errorf("build deep decoder: %d layers: wants 2 to 10", c.Layers)
	}
	if err := checkImageNet(c.Channels, c.Out, c.Height, c.Width, int(c.Layers-1), nil); err != nil {
		return nil, fmt.Errorf("build deep decoder: %w", err)
	}
	n := newNet("deepdecoder", seed)
	shrink := int64(1) << (c.Layers - 1)
	x := n.g.AddInput("z", onnx.TypeOf(onnx.Float, 1, c.Channels, c.Height/shrink, c.Width/shrink))
	for i := range c.Layers {
		name := fmt.Sprintf("l%d", i)
		x = n.conv(name+".conv", x, convSpec{in: c.Channels, out: c.Channels, kernel: 1})
		if i+1 < c.Layers {
			x = n.b.In(name).UpsampleLinear(x, 2)
		}
		x = n.batchNorm(name+".bn", n.b.In(name).Relu(x), c.Channels)
	}
	x = n.conv("out.conv", x, convSpec{in: c.Channels, out: c.Out, kernel: 1})
	return n.finish(n.b.In("out").Sigmoid(x))
}
