package graphs

import (
	"fmt"

	"graft/onnx"
)

// LeNet is LeCun et al.'s LeNet-5 (1998) as it is used today: 5x5 Convs to 6 and 16 channels with ReLU and 2x2 pools, and
// linear layers of 120, 84 and Classes. Pictures of less than 32 a side are padded by 2 all round, so that 28x28 and 32x32
// have the same 61,706 parameters; those of 8 to 11, which would not reach the end, to 16. The zero value is for MNIST.
type LeNet struct {
	In      int64   // 1
	Classes int64   // 10
	Height  int64   // 28
	Width   int64   // 28
	Average bool    // pools take the mean, as in 1998, and not the maximum
	Dropout float64 // behind the two hidden linear layers; 0
}

// lenetLeast is the side that both pools leave something of.
const lenetLeast = 12

// LeNet32 is the network for pictures of 32x32 in colour.
var LeNet32 = LeNet{In: 3, Height: 32, Width: 32}.Defaults()

// Defaults fills the usual values in where a field is zero.
func (c LeNet) Defaults() LeNet {
	c.In, c.Classes = orDefault(c.In, 1), orDefault(c.Classes, 10)
	c.Height, c.Width = orDefault(c.Height, 28), orDefault(c.Width, 28)
	return c
}

// Build makes the model: input x float [N,In,H,W], output logits float [N,Classes].
func (c LeNet) Build(seed uint64) (*onnx.Model, error) { return c.build(newNet("lenet", seed)) }

func (c LeNet) build(n *net) (*onnx.Model, error) {
	c = c.Defaults()
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("build lenet: %w", err)
	}
	first, padded := "valid", int64(0)
	if min(c.Height, c.Width) < 32 {
		first, padded = "constant", 4
	}
	pool := func(name string, x *onnx.Value) *onnx.Value {
		if c.Average {
			return n.b.In(name).AveragePool(x, halve)
		}
		return n.b.In(name).MaxPool(x, halve)
	}
	x := n.samples(c.In, c.Height, c.Width)
	height, width := c.Height, c.Width
	if short := max(0, lenetLeast-min(height, width)); short > 0 { // to 16, with the padding of the first Conv
		p := (short + 1) / 2
		x = n.b.In("pad").Pad(x, "constant", 0, 0, p, p, 0, 0, p, p)
		height, width = height+2*p, width+2*p
	}
	x = n.conv("conv0", x, convSpec{in: c.In, out: 6, kernel: 5, bias: true, padding: first})
	x = pool("conv0", n.b.In("conv0").Relu(x))
	x = n.conv("conv1", x, convSpec{in: 6, out: 16, kernel: 5, bias: true, padding: "valid"})
	x = pool("conv1", n.b.In("conv1").Relu(x))
	left := func(side int64) int64 { return ((side+padded-4)/2 - 4) / 2 }
	in := 16 * left(height) * left(width)
	x = n.b.In("fc0").Flatten(x, 1)
	for i, units := range []int64{120, 84} {
		name := fmt.Sprintf("fc%d", i)
		x = n.dropout(name, n.b.In(name).Relu(n.linear(name, x, in, units)), c.Dropout)
		in = units
	}
	return n.logits(n.linear("out", x, in, c.Classes))
}

func (c LeNet) check() error {
	if err := checkClassifier(c.In, c.Classes, nil); err != nil {
		return err
	}
	for _, side := range []int64{c.Height, c.Width} {
		if side < 8 || side > 1024 {
			return fmt.Errorf("side %d: wants 8 to 1024", side)
		}
	}
	return checkDropout(c.Dropout)
}
