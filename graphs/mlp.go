package graphs

import (
	"fmt"

	"graft/onnx"
)

// MLP is linear layers with ReLU between. The zero value takes 784 numbers, as a picture of 28x28 has, to 10 classes by way
// of two layers of 256.
type MLP struct {
	In      int64   // 784
	Hidden  []int64 // width of each hidden layer; {256, 256}
	Classes int64   // 10
	Dropout float64 // behind each hidden layer; 0
}

// Defaults fills the usual values in where a field is zero.
func (c MLP) Defaults() MLP {
	if len(c.Hidden) == 0 {
		c.Hidden = []int64{256, 256}
	}
	c.In, c.Classes = orDefault(c.In, 784), orDefault(c.Classes, 10)
	return c
}

// Build makes the model: input x float [N,In], output logits float [N,Classes].
func (c MLP) Build(seed uint64) (*onnx.Model, error) {
	c = c.Defaults()
	if err := checkClassifier(c.In, c.Classes, c.Hidden); err != nil {
		return nil, fmt.Errorf("build mlp: %w", err)
	}
	if err := checkDropout(c.Dropout); err != nil {
		return nil, fmt.Errorf("build mlp: %w", err)
	}
	n := newNet("mlp", seed)
	x, in := n.samples(c.In), c.In
	for i, width := range c.Hidden {
		name := fmt.Sprintf("fc%d", i)
		x = n.dropout(name, n.b.In(name).Relu(n.linear(name, x, in, width)), c.Dropout)
		in = width
	}
	return n.logits(n.linear("out", x, in, c.Classes))
}
