package language

import (
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// linear is x times a weight [out, in], plus a bias where there is one.
func (n *net) linear(name string, x *onnx.Value) *onnx.Value {
	return n.b.In(name).Gemm(x, n.w(name+".weight"), n.params[name+".bias"], op.GemmAttrs{TransB: true})
}

// conv1d is x times a weight [in, out], plus a bias.
func (n *net) conv1d(name string, x *onnx.Value) *onnx.Value {
	return n.b.In(name).Gemm(x, n.w(name+".weight"), n.w(name+".bias"), op.GemmAttrs{})
}

// layerNorm is LayerNormalization over the width.
func (n *net) layerNorm(name string, x *onnx.Value) *onnx.Value {
	in := []*onnx.Value{x, n.w(name + ".weight"), n.w(name + ".bias")}
	return n.b.In(name).Node("LayerNormalization", in, 1, onnx.Int("axis", -1), onnx.Float32("epsilon", float32(n.NormEps)))[0]
}

// rmsNorm is x / sqrt(mean(x²) + epsilon) times a weight, in the form that ONNX Runtime makes one node of.
func (n *net) rmsNorm(name string, x *onnx.Value) *onnx.Value {
	b := n.b.In(name)
	mean := b.ReduceMean(b.Pow(x, b.Scalar(x, 2)), true, -1)
	return b.Mul(n.w(name+".weight"), b.Div(x, b.Sqrt(b.Add(mean, b.Scalar(mean, n.NormEps)))))
}

// dropout leaves the part ratio of x out where a form of training asks for that, and is nothing otherwise.
func (n *net) dropout(name string, x *onnx.Value, ratio float64) *onnx.Value {
	if ratio == 0 {
		return x
	}
	b := n.b.In(name)
	return b.Node("Dropout", []*onnx.Value{x, b.Const(onnx.Scalar(float32(ratio)))}, 1)[0]
}

// activations are those of hidden_act.
var activations = map[string]func(*op.Builder, *onnx.Value) *onnx.Value{
	"gelu": erfGelu, "gelu_new": tanhGelu, "gelu_pytorch_tanh": tanhGelu, "gelu_fast": tanhGelu,
	"relu": (*op.Builder).Relu, "silu": silu, "swish": silu, "tanh": (*op.Builder).Tanh,
}

// Activations lists the values that hidden_act may have.
func Activations() []string {
	var names []string
	for name := range activations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (n *net) act(name string, x *onnx.Value) *onnx.Value {
	return activations[n.HiddenAct](n.b.In(name), x)
}

// erfGelu is x times the normal distribution function of x, in the form that ONNX Runtime makes one node of at any opset.
func erfGelu(b *op.Builder, x *onnx.Value) *onnx.Value {
	cdf := b.Add(b.Erf(b.Div(x, b.Scalar(x, math.Sqrt2))), b.Scalar(x, 1))
	return b.Mul(b.Mul(x, cdf), b.Scalar(x, 0.5))
}

// tanhGelu is the same by a formula with tanh. ONNX Runtime makes one node of no other form of it on the CPU.
func tanhGelu(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Gelu(x, true) }

// silu is x times its sigmoid.
func silu(b *op.Builder, x *onnx.Value) *onnx.Value { return b.Mul(x, b.Sigmoid(x)) }
