package graphs

import (
	"fmt"

	"graft/onnx"
)

// ResNet is the residual network for small pictures of He et al. (arXiv 1512.03385, section 4.2): a 3x3 Conv, stages of
// blocks of two 3x3 Convs with BatchNormalization, each stage but the first at half the side, the mean over all pixels, and a
// linear layer. Where a block changes the width a 1x1 Conv is its shortcut. The zero value is ResNet-20 for CIFAR-10.
type ResNet struct {
	Widths  []int64 // channels of each stage; {16, 32, 64}
	Blocks  int64   // of a stage; 3, which makes 20 layers
	In      int64   // 3
	Classes int64   // 10
	Height  int64   // 32
	Width   int64   // 32
}

// QuickResNet is a ResNet-8 for pictures of 28x28 in grey, as of Fashion-MNIST: two cores train an epoch in a minute or two.
var QuickResNet = ResNet{Widths: []int64{8, 16, 32}, Blocks: 1, In: 1, Height: 28, Width: 28}.Defaults()

// Defaults fills the published values in where a field is zero.
func (c ResNet) Defaults() ResNet {
	if len(c.Widths) == 0 {
		c.Widths = []int64{16, 32, 64}
	}
	c.Blocks, c.In, c.Classes = orDefault(c.Blocks, 3), orDefault(c.In, 3), orDefault(c.Classes, 10)
	c.Height, c.Width = orDefault(c.Height, 32), orDefault(c.Width, 32)
	return c
}

// Build makes the model: input x float [N,In,H,W], output logits float [N,Classes].
func (c ResNet) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build resnet: %w", err)
	}
	n := newNet("resnet", seed)
	x := n.samples(c.In, c.Height, c.Width)
	in := c.Widths[0]
	x = n.normedConv("stem", x, convSpec{in: c.In, out: in, kernel: 3})
	x = n.b.In("stem").Relu(x)
	for s, width := range c.Widths {
		for i := range c.Blocks {
			stride := int64(1)
			if s > 0 && i == 0 {
				stride = 2
			}
			x = n.residual(fmt.Sprintf("stage%d.block%d", s, i), x, in, width, stride)
			in = width
		}
	}
	x = n.b.In("head").Flatten(n.b.In("head").GlobalAveragePool(x), 1)
	return n.logits(n.linear("head.fc", x, in, c.Classes))
}

func (c ResNet) check() error {
	if err := checkClassifier(c.In, c.Classes, c.Widths); err != nil {
		return err
	}
	if c.Blocks < 1 || c.Blocks > 256 {
		return fmt.Errorf("%d blocks: wants 1 to 256", c.Blocks)
	}
	for _, side := range []int64{c.Height, c.Width} {
		if least := int64(1) << (len(c.Widths) - 1); side < least || side > 4096 {
			return fmt.Errorf("side %d: wants %d to 4096 for %d stages", side, least, len(c.Widths))
		}
	}
	return nil
}

// normedConv is a convolution without bias and its norm.
func (n *net) normedConv(name string, x *onnx.Value, s convSpec) *onnx.Value {
	return n.runningNorm(name+".bn", n.conv(name+".conv", x, s), s.out)
}

// residual is relu(x + f(x)) with two convolutions in f.
func (n *net) residual(name string, x *onnx.Value, in, out, stride int64) *onnx.Value {
	b := n.b.In(name)
	y := b.Relu(n.normedConv(name+".0", x, convSpec{in: in, out: out, kernel: 3, stride: stride}))
	y = n.normedConv(name+".1", y, convSpec{in: out, out: out, kernel: 3})
	if in != out || stride != 1 {
		x = n.normedConv(name+".shortcut", x, convSpec{in: in, out: out, kernel: 1, stride: stride})
	}
	return b.Relu(b.Add(x, y))
}
