package graphs

import (
	"fmt"

	"graft/onnx"
)

// ResNet is the residual network for small pictures of He et al. (arXiv 1512.03385, section 4.2): a 3x3 Conv, stages of
// blocks of two 3x3 Convs with BatchNormalization, each stage but the first at half the side, the mean over all pixels, and a
// linear layer. Where a block changes the width a 1x1 Conv is its shortcut. The zero value is ResNet-20 for CIFAR-10.
type ResNet struct {
	Widths     []int64 // channels of each stage; {16, 32, 64}
	Blocks     int64   // of a stage; 3, which makes 20 layers
	Depths     []int64 // blocks of each stage, where they differ; none
	Bottleneck bool    // blocks are 1x1, 3x3 and 1x1 Convs, and what comes out is four times as wide
	NoNorm     bool    // Convs with a bias in the place of BatchNormalization
	In         int64   // 3
	Classes    int64   // 10
	Height     int64   // 32
	Width      int64   // 32
	Dropout    float64 // in front of the linear layer; 0
}

// QuickResNet is a ResNet-8 for pictures of 28x28 in grey, as of Fashion-MNIST: two cores train an epoch in a minute or two.
var QuickResNet = ResNet{Widths: []int64{8, 16, 32}, Blocks: 1, In: 1, Height: 28, Width: 28}.Defaults()

// SmallResNet is a ResNet-10 for CIFAR-10 of 4 million multiplications a picture.
var SmallResNet = ResNet{Widths: []int64{8, 16, 32, 64}, Blocks: 1}.Defaults()

// wideStages are the widths of the networks for ImageNet, of which those for CIFAR-10 have the stages behind a 3x3 Conv.
var wideStages = []int64{64, 128, 256, 512}

// ResNet18, ResNet34 and ResNet50 are the networks for ImageNet with the stem of those for CIFAR-10: a 3x3 Conv at full size.
var (
	ResNet18 = ResNet{Widths: wideStages, Blocks: 2}.Defaults()
	ResNet34 = ResNet{Widths: wideStages, Depths: []int64{3, 4, 6, 3}}.Defaults()
	ResNet50 = ResNet{Widths: wideStages, Depths: []int64{3, 4, 6, 3}, Bottleneck: true}.Defaults()
)

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
func (c ResNet) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("resnet", seed)) }

func (c ResNet) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build resnet: %w", err)
	}
	x := n.samples(c.In, c.Height, c.Width)
	in := c.Widths[0]
	x = n.b.In("stem").Relu(n.normedConv("stem", x, convSpec{in: c.In, out: in, kernel: 3}, !c.NoNorm))
	for s, width := range c.Widths {
		for i := range c.depth(s) {
			stride := int64(1)
			if s > 0 && i == 0 {
				stride = 2
			}
			x, in = c.residual(n, fmt.Sprintf("stage%d.block%d", s, i), x, in, width, stride)
		}
	}
	return n.head(x, in, c.Classes, c.Dropout)
}

// depth is the number of blocks of a stage.
func (c ResNet) depth(stage int) int64 {
	if len(c.Depths) > 0 {
		return c.Depths[stage]
	}
	return c.Blocks
}

func (c ResNet) check() error {
	if err := checkClassifier(c.In, c.Classes, c.Widths); err != nil {
		return err
	}
	if len(c.Depths) > 0 && len(c.Depths) != len(c.Widths) {
		return fmt.Errorf("%d depths for %d widths", len(c.Depths), len(c.Widths))
	}
	for s := range c.Widths {
		if d := c.depth(s); d < 1 || d > 256 {
			return fmt.Errorf("%d blocks: wants 1 to 256", d)
		}
	}
	for _, side := range []int64{c.Height, c.Width} {
		if least := int64(1) << (len(c.Widths) - 1); side < least || side > 4096 {
			return fmt.Errorf("side %d: wants %d to 4096 for %d stages", side, least, len(c.Widths))
		}
	}
	return checkDropout(c.Dropout)
}

// residual is relu(x + f(x)) with two convolutions in f, or the three of a bottleneck; it gives the width that comes out.
func (c ResNet) residual(n *net, name string, x *onnx.Value, in, width, stride int64) (*onnx.Value, int64) {
	convs := []convSpec{{in: in, out: width, kernel: 3, stride: stride}, {in: width, out: width, kernel: 3}}
	out := width
	if c.Bottleneck {
		out = 4 * width
		convs = []convSpec{{in: in, out: width, kernel: 1}, {in: width, out: width, kernel: 3, stride: stride}, {in: width, out: out, kernel: 1}}
	}
	b, y := n.b.In(name), x
	for i, s := range convs {
		if i > 0 {
			y = b.Relu(y)
		}
		y = n.normedConv(fmt.Sprintf("%s.%d", name, i), y, s, !c.NoNorm)
	}
	if in != out || stride != 1 {
		x = n.normedConv(name+".shortcut", x, convSpec{in: in, out: out, kernel: 1, stride: stride}, !c.NoNorm)
	}
	return b.Relu(b.Add(x, y)), out
}
