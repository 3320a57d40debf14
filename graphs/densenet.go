package graphs

import (
	"fmt"

	"graft/onnx"
)

// DenseNet is the densely connected network of Huang et al. (arXiv 1608.06993, DenseNet-BC) with the stem for small pictures:
// a 3x3 Conv to twice the growth, blocks whose layers each put Growth channels beside what they read, by a norm, ReLU and 1x1
// Conv to four times the growth and a norm, ReLU and 3x3 Conv, and between blocks a norm, ReLU, 1x1 Conv to half the channels
// and a 2x2 mean. The zero value is DenseNet-121 for CIFAR-10.
type DenseNet struct {
	Depths  []int64 // layers of each block; {6, 12, 24, 16}
	Growth  int64   // 32
	NoNorm  bool    // Convs with a bias, without BatchNormalization
	In      int64   // 3
	Classes int64   // 10
	Height  int64   // 32
	Width   int64   // 32
	Dropout float64 // behind each layer's 3x3 Conv; 0
}

// QuickDenseNet is a small one for pictures of 28x28 in grey.
var QuickDenseNet = DenseNet{Depths: []int64{2, 2, 2}, Growth: 8, In: 1, Height: 28, Width: 28}.Defaults()

// Defaults fills the published values in where a field is zero.
func (c DenseNet) Defaults() DenseNet {
	if len(c.Depths) == 0 {
		c.Depths = []int64{6, 12, 24, 16}
	}
	c.Growth, c.In, c.Classes = orDefault(c.Growth, 32), orDefault(c.In, 3), orDefault(c.Classes, 10)
	c.Height, c.Width = orDefault(c.Height, 32), orDefault(c.Width, 32)
	return c
}

// Build makes the model: input x float [N,In,H,W], output logits float [N,Classes].
func (c DenseNet) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("densenet", seed)) }

func (c DenseNet) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build densenet: %w", err)
	}
	width := 2 * c.Growth
	x := n.conv("stem.conv", n.samples(c.In, c.Height, c.Width), convSpec{in: c.In, out: width, kernel: 3, bias: c.NoNorm})
	for s, depth := range c.Depths {
		for i := range depth {
			name := fmt.Sprintf("block%d.layer%d", s, i)
			y := c.layer(n, name+".0", x, width, 4*c.Growth, 1)
			y = n.dropout(name, c.layer(n, name+".1", y, 4*c.Growth, c.Growth, 3), c.Dropout)
			x = n.b.In(name).Concat(1, y, x)
			width += c.Growth
		}
		if s+1 < len(c.Depths) {
			name := fmt.Sprintf("shrink%d", s)
			x = n.b.In(name).AveragePool(c.layer(n, name, x, width, width/2, 1), halve)
			width /= 2
		}
	}
	return n.head(n.active("head", x, width, !c.NoNorm), width, c.Classes, 0)
}

// layer is a norm, a ReLU and a convolution.
func (c DenseNet) layer(n *net, name string, x *onnx.Value, in, out, kernel int64) *onnx.Value {
	return n.conv(name+".conv", n.active(name, x, in, !c.NoNorm), convSpec{in: in, out: out, kernel: kernel, bias: c.NoNorm})
}

func (c DenseNet) check() error {
	if err := checkClassifier(c.In, c.Classes, c.Depths); err != nil {
		return err
	}
	if c.Growth < 1 || c.Growth > 512 {
		return fmt.Errorf("growth %d: wants 1 to 512", c.Growth)
	}
	for _, d := range c.Depths {
		if d > 256 {
			return fmt.Errorf("%d layers of a block: wants 1 to 256", d)
		}
	}
	if err := checkPictures(c.Height, c.Width, len(c.Depths)-1); err != nil {
		return err
	}
	return checkDropout(c.Dropout)
}
