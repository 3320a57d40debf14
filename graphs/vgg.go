package graphs

import (
	"fmt"

	"graft/onnx"
)

// VGG is Simonyan and Zisserman's network (arXiv 1409.1556) as it is used on CIFAR-10: stages of 3x3 Convs, each with
// BatchNormalization and ReLU, a 2x2 maximum behind each stage, and one linear layer. The zero value is VGG-16 for 32x32.
type VGG struct {
	Widths  []int64 // channels of each stage; {64, 128, 256, 512, 512}
	Depths  []int64 // Convs of each stage; {2, 2, 3, 3, 3}
	NoNorm  bool    // without BatchNormalization
	In      int64   // 3
	Classes int64   // 10
	Height  int64   // 32
	Width   int64   // 32
	Dropout float64 // in front of the linear layer; 0
}

// VGG13, VGG19 and QuickVGG are the other depths, and a small one for pictures of 28x28 in grey.
var (
	VGG13    = VGG{Depths: []int64{2, 2, 2, 2, 2}}.Defaults()
	VGG19    = VGG{Depths: []int64{2, 2, 4, 4, 4}}.Defaults()
	QuickVGG = VGG{Widths: []int64{8, 16, 32}, Depths: []int64{1, 1, 1}, In: 1, Height: 28, Width: 28}.Defaults()
)

// Defaults fills the usual values in where a field is zero.
func (c VGG) Defaults() VGG {
	if len(c.Widths) == 0 {
		c.Widths = []int64{64, 128, 256, 512, 512}
	}
	if len(c.Depths) == 0 {
		c.Depths = []int64{2, 2, 3, 3, 3}
	}
	c.In, c.Classes = orDefault(c.In, 3), orDefault(c.Classes, 10)
	c.Height, c.Width = orDefault(c.Height, 32), orDefault(c.Width, 32)
	return c
}

// Build makes the model: input x float [N,In,H,W], output logits float [N,Classes].
func (c VGG) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("vgg", seed)) }

func (c VGG) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build vgg: %w", err)
	}
	x, in := n.samples(c.In, c.Height, c.Width), c.In
	for s, width := range c.Widths {
		for i := range c.Depths[s] {
			name := fmt.Sprintf("stage%d.%d", s, i)
			x = n.conv(name+".conv", x, convSpec{in: in, out: width, kernel: 3, bias: true})
			if !c.NoNorm {
				x = n.runningNorm(name+".bn", x, width)
			}
			x, in = n.b.In(name).Relu(x), width
		}
		x = n.b.In(fmt.Sprintf("stage%d", s)).MaxPool(x, halve)
	}
	return n.head(n.dropout("head", x, c.Dropout), in, c.Classes, 0)
}

func (c VGG) check() error {
	if err := checkClassifier(c.In, c.Classes, c.Widths); err != nil {
		return err
	}
	if len(c.Depths) != len(c.Widths) {
		return fmt.Errorf("%d depths for %d widths", len(c.Depths), len(c.Widths))
	}
	for _, d := range c.Depths {
		if d < 1 || d > 64 {
			return fmt.Errorf("%d layers of a stage: wants 1 to 64", d)
		}
	}
	if err := checkPictures(c.Height, c.Width, len(c.Widths)); err != nil {
		return err
	}
	return checkDropout(c.Dropout)
}
