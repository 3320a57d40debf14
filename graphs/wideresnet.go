package graphs

import (
	"fmt"
	"math"

	"graft/onnx"
)

// WideResNet is the wide residual network of Zagoruyko and Komodakis (arXiv 1605.07146): a 3x3 Conv to 16 channels, three
// stages of (Depth-4)/6 blocks of 16, 32 and 64 times Widen channels, the second and third at half the side, each block a norm,
// ReLU, 3x3 Conv, norm, ReLU, dropout and 3x3 Conv, and a norm and ReLU in front of the mean over all pixels. Where a block
// changes the width its shortcut is a 1x1 Conv of what its first ReLU gives. Convs begin as N(0, 2/fan out), as published. The
// zero value is WRN-16-8 for CIFAR-10.
type WideResNet struct {
	Depth   int64   // 4 more than a multiple of 6; 16
	Widen   int64   // 8
	NoNorm  bool    // Convs with a bias, without BatchNormalization
	In      int64   // 3
	Classes int64   // 10
	Height  int64   // 32
	Width   int64   // 32
	Dropout float64 // between the two Convs of a block; 0
}

// QuickWideResNet is a small one for pictures of 28x28 in grey.
var QuickWideResNet = WideResNet{Depth: 10, Widen: 1, In: 1, Height: 28, Width: 28}.Defaults()

// Defaults fills the published values in where a field is zero.
func (c WideResNet) Defaults() WideResNet {
	c.Depth, c.Widen, c.In, c.Classes = orDefault(c.Depth, 16), orDefault(c.Widen, 8), orDefault(c.In, 3), orDefault(c.Classes, 10)
	c.Height, c.Width = orDefault(c.Height, 32), orDefault(c.Width, 32)
	return c
}

// Build makes the model: input x float [N,In,H,W], output logits float [N,Classes].
func (c WideResNet) Build(seed uint64) (*onnx.Model, error) {
	return c.build(newNet("wideresnet", seed))
}

func (c WideResNet) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build wideresnet: %w", err)
	}
	x, in := c.conv(n, "stem", n.samples(c.In, c.Height, c.Width), convSpec{in: c.In, out: 16, kernel: 3}), int64(16)
	for s := range 3 {
		width := 16 * c.Widen << s
		for i := range (c.Depth - 4) / 6 {
			stride := int64(1)
			if s > 0 && i == 0 {
				stride = 2
			}
			x = c.block(n, fmt.Sprintf("stage%d.block%d", s, i), x, in, width, stride)
			in = width
		}
	}
	return n.head(n.active("head", x, in, !c.NoNorm), in, c.Classes, 0)
}

func (c WideResNet) block(n *net, name string, x *onnx.Value, in, out, stride int64) *onnx.Value {
	y := n.active(name+".0", x, in, !c.NoNorm)
	if in != out || stride != 1 {
		x = c.conv(n, name+".shortcut", y, convSpec{in: in, out: out, kernel: 1, stride: stride})
	}
	y = n.active(name+".1", c.conv(n, name+".0", y, convSpec{in: in, out: out, kernel: 3, stride: stride}), out, !c.NoNorm)
	y = c.conv(n, name+".1", n.dropout(name, y, c.Dropout), convSpec{in: out, out: out, kernel: 3})
	return n.b.In(name).Add(x, y)
}

// conv is a convolution that begins as He et al. (arXiv 1502.01852) have it for what flows back.
func (c WideResNet) conv(n *net, name string, x *onnx.Value, s convSpec) *onnx.Value {
	s.bias, s.deviation = c.NoNorm, math.Sqrt(2/float64(s.out*s.kernel*s.kernel))
	return n.conv(name+".conv", x, s)
}

func (c WideResNet) check() error {
	if c.Depth < 10 || c.Depth > 1000 || (c.Depth-4)%6 != 0 {
		return fmt.Errorf("depth %d: wants 10, 16, 22 and so on, up to 1000", c.Depth)
	}
	if c.Widen < 1 || c.Widen > 64 {
		return fmt.Errorf("widen %d: wants 1 to 64", c.Widen)
	}
	if err := checkClassifier(c.In, c.Classes, nil); err != nil {
		return err
	}
	if err := checkPictures(c.Height, c.Width, 2); err != nil {
		return err
	}
	return checkDropout(c.Dropout)
}
