package graphs

import (
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
)

// epsilon and slope are what every network of this package takes for its norms and its LeakyReLU.
const (
	epsilon = 1e-5
	slope   = 0.2
)

// net builds one model: layers add their parameters to the graph in the order they are called, which is the module order
// that flat masks and parameter counts refer to.
type net struct {
	b     *op.Builder
	g     *onnx.Graph
	seed  uint64
	blank bool // weights stay zero: for who only counts them
}

func newNet(name string, seed uint64) *net {
	g := onnx.NewGraph(name)
	return &net{b: op.NewBuilder(g), g: g, seed: seed}
}

// param adds an initializer filled from U(-bound, bound), each from a sequence of its own.
func (n *net) param(name string, bound float64, dims ...int64) *onnx.Value {
	t := onnx.NewTensor(onnx.Float, dims...)
	if !n.blank {
		data := t.Float32s()
		noise.Uniform(data, noise.NewKey(n.seed, "init/"+name, 0))
		for i, u := range data {
			data[i] = float32((2*float64(u) - 1) * bound)
		}
	}
	return n.g.AddInitializer(name, t)
}

// normal adds an initializer filled from N(0, deviation^2), each from a sequence of its own.
func (n *net) normal(name string, deviation float64, dims ...int64) *onnx.Value {
	t := onnx.NewTensor(onnx.Float, dims...)
	if !n.blank {
		data := t.Float32s()
		noise.Normal(data, noise.NewKey(n.seed, "init/"+name, 0))
		for i, v := range data {
			data[i] = float32(float64(v) * deviation)
		}
	}
	return n.g.AddInitializer(name, t)
}

// constant adds an initializer filled with v.
func (n *net) constant(name string, v float32, dims ...int64) *onnx.Value {
	t := onnx.NewTensor(onnx.Float, dims...)
	for i := range t.Float32s() {
		t.Float32s()[i] = v
	}
	return n.g.AddInitializer(name, t)
}

// convSpec describes a convolution that keeps the size (or halves it with Stride 2).
type convSpec struct {
	in, out, kernel, stride int64
	bias                    bool
	deviation               float64 // of normal weights; 0: uniform ones, PyTorch's default
	padding                 string  // reflect, constant (zeros), or valid (none)
}

// conv is padding and a convolution, with weight and bias from U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default, or a
// weight from N(0, deviation^2).
func (n *net) conv(name string, x *onnx.Value, c convSpec) *onnx.Value {
	b := n.b.In(name)
	bound := 1 / math.Sqrt(float64(c.in*c.kernel*c.kernel))
	dims := []int64{c.out, c.in, c.kernel, c.kernel}
	var w *onnx.Value
	if c.deviation > 0 {
		w = n.normal(name+".weight", c.deviation, dims...)
	} else {
		w = n.param(name+".weight", bound, dims...)
	}
	var bias *onnx.Value
	if c.bias {
		bias = n.param(name+".bias", bound, c.out)
	}
	attrs := op.ConvAttrs{Kernel: []int64{c.kernel, c.kernel}}
	if c.stride > 1 {
		attrs.Strides = []int64{c.stride, c.stride}
	}
	if p := c.kernel / 2; p > 0 && c.padding != "valid" {
		if c.padding == "reflect" {
			x = b.Pad(x, "reflect", 0, 0, p, p, 0, 0, p, p)
		} else {
			attrs.Pads = []int64{p, p, p, p}
		}
	}
	return b.Conv(x, w, bias, attrs)
}

// batchNorm normalizes with the statistics of the batch. The batch is one image, so instance statistics are the same thing.
func (n *net) batchNorm(name string, x *onnx.Value, channels int64) *onnx.Value {
	scale := n.constant(name+".weight", 1, channels)
	bias := n.constant(name+".bias", 0, channels)
	return n.b.In(name).InstanceNormalization(x, scale, bias, epsilon)
}

// finish makes y the output and wraps the graph up.
func (n *net) finish(y *onnx.Value) (*onnx.Model, error) {
	if err := n.b.Err(); err != nil {
		return nil, fmt.Errorf("build %w", err)
	}
	n.g.AddOutput(y, "image")
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: op.Opset}}, ProducerName: "graft", Graph: n.g}, nil
}

// orDefault is v, or def when v is zero.
func orDefault(v, def int64) int64 {
	if v == 0 {
		return def
	}
	return v
}
