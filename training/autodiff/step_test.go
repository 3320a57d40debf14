package autodiff_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
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

// open gives a session of a training step and its first feeds.
func open(t testing.TB, m *onnx.Model, o runtime.Options) (*runtime.Session, map[string]*onnx.Tensor) {
	t.Helper()
	s := runtimetest.Open(t, m, o)
	rng := rand.New(rand.NewPCG(1, 2))
	feeds := map[string]*onnx.Tensor{}
	for _, v := range m.Graph.Inputs() {
		sizes, _ := v.Type.Shape.Sizes()
		f := onnx.NewTensor(v.Type.DType, sizes...)
		for i := range f.Float32s() {
			switch {
			case v.Name == "learning_rate":
				f.Float32s()[i] = 0.01
			case v.Name == "z" || v.Name == "target":
				f.Float32s()[i] = rng.Float32()
			case strings.HasPrefix(v.Name, "p") && len(sizes) == 4:
				f.Float32s()[i] = 0.2 * (rng.Float32() - 0.5)
			case strings.HasPrefix(v.Name, "p"):
				f.Float32s()[i] = rng.Float32()
			}
		}
		if v.Name == "step" {
			f.Int64s()[0] = 1
		}
		feeds[v.Name] = f
	}
	return s, feeds
}

func TestTrainingStep(t *testing.T) {
	m := trainingStep(t, 32, []int64{4, 8})
	s, feeds := open(t, m, runtimetest.Options(t))
	var first, last float32
	for step := range int64(30) {
		feeds["step"].Int64s()[0] = step + 1
		out, err := s.Run(context.Background(), feeds)
		if err != nil {
			t.Fatal(err)
		}
		if last = out["loss"].Float32s()[0]; step == 0 {
			first = last
		}
		packed, at := out["next"].Float32s(), 0
		for i := 0; feeds[fmt.Sprintf("p%d", i)] != nil; i++ {
			at += copy(feeds[fmt.Sprintf("p%d", i)].Float32s(), packed[at:])
		}
		for _, name := range []string{"momentum0", "momentum1"} {
			feeds[name] = out["next."+name]
		}
	}
	if !(last < 0.9*first) {
		t.Errorf("the loss went from %v to %v in 30 steps of Adam", first, last)
	}
}

func TestDeterministic(t *testing.T) {
	var bytesOf [2][]byte
	for i := range bytesOf {
		data, err := trainingStep(t, 32, []int64{4, 8}).Encode()
		if err != nil {
			t.Fatal(err)
		}
		bytesOf[i] = data
	}
	if !bytes.Equal(bytesOf[0], bytesOf[1]) {
		t.Error("the same network gave two different training graphs")
	}
}

// BenchmarkTrainingStep is forward, backward and Adam of a generator of 514,851 parameters at 128x128, by threads.
func BenchmarkTrainingStep(b *testing.B) {
	m := trainingStep(b, 128, []int64{16, 32, 64, 64})
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads_%d", threads), func(b *testing.B) {
			o := runtimetest.Options(b)
			o.Threads = threads
			s, feeds := open(b, m, o)
			for b.Loop() {
				if _, err := s.Run(context.Background(), feeds); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
