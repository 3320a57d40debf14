package autodiff_test

import (
	"fmt"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
	"graft/training/loss"
	"graft/training/optim"
)

// hourglass is a small encoder and decoder of the kind that is trained on one image, with its parameters as graph inputs.
type hourglass struct {
	b      *op.Builder
	params []*onnx.Value
}

func (h *hourglass) param(dims ...int64) *onnx.Value {
	p := h.b.Graph().AddInput(fmt.Sprintf("p%d", len(h.params)), onnx.TypeOf(onnx.Float, dims...))
	h.params = append(h.params, p)
	return p
}

func (h *hourglass) conv(x *onnx.Value, in, out, k int64) *onnx.Value {
	if p := k / 2; p > 0 {
		x = h.b.Pad(x, "reflect", 0, 0, p, p, 0, 0, p, p)
	}
	return h.b.Conv(x, h.param(out, in, k, k), h.param(out), op.ConvAttrs{Kernel: []int64{k, k}})
}

func (h *hourglass) norm(x *onnx.Value, c int64) *onnx.Value {
	return h.b.InstanceNormalization(x, h.param(c), h.param(c), 1e-5)
}

func (h *hourglass) scale(x *onnx.Value, in int64, c []int64) *onnx.Value {
	x = h.b.AveragePool(h.conv(x, in, c[0], 5), op.PoolAttrs{Kernel: []int64{2, 2}, Strides: []int64{2, 2}})
	x = h.b.LeakyRelu(h.norm(x, c[0]), 0.2)
	x = h.b.LeakyRelu(h.norm(h.conv(x, c[0], c[0], 5), c[0]), 0.2)
	k := c[0]
	if len(c) > 1 {
		k = c[1]
		x = h.scale(x, c[0], c[1:])
	}
	x = h.norm(h.b.UpsampleNearest(x, 2), k)
	return h.b.LeakyRelu(h.norm(h.conv(x, k, c[0], 3), c[0]), 0.2)
}

// trainingStep is one graph of forward, backward and Adam over all parameters.
func trainingStep(t testing.TB, size int64, channels []int64) *onnx.Model {
	t.Helper()
	g := onnx.NewGraph("step")
	b := op.NewBuilder(g)
	h := &hourglass{b: b}
	z := g.AddInput("z", onnx.TypeOf(onnx.Float, 1, 32, size, size))
	target := g.AddInput("target", onnx.TypeOf(onnx.Float, 1, 3, size, size))
	y := b.Sigmoid(h.conv(h.scale(z, 32, channels), channels[0], 3, 1))
	l := loss.MSE(b, y, target)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	grads, err := autodiff.Gradients(g, l, h.params)
	if err != nil {
		t.Fatal(err)
	}
	g.AddOutput(l, "loss")
	b = op.NewBuilder(g)
	lr, step := g.AddInput("learning_rate", onnx.TypeOf(onnx.Float, 1)), g.AddInput("step", onnx.TypeOf(onnx.Int64, 1))
	adam := optim.Adam(optim.AdamConfig{})
	flat := func(vs []*onnx.Value) *onnx.Value {
		parts := make([]*onnx.Value, len(vs))
		for i, v := range vs {
			parts[i] = b.Reshape(v, -1)
		}
		return b.Concat(0, parts...)
	}
	all := flat(h.params)
	slots := make([]*onnx.Value, len(adam.Slots))
	for i, name := range adam.Slots {
		slots[i] = g.AddInput(name, all.Type)
	}
	next, nextSlots := adam.Update(b, all, flat(grads), slots, lr, step)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.AddOutput(next, "next")
	for i, s := range nextSlots {
		g.AddOutput(s, fmt.Sprintf("next.%s", adam.Slots[i]))
	}
	return &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}
}
