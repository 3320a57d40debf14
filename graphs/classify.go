package graphs

import (
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// batchDim is the first dimension of what a classifier takes and gives: any number of samples.
const batchDim = "N"

// checkClassifier refuses sizes that no classifier of this package can have.
func checkClassifier(in, classes int64, widths []int64) error {
	if len(widths) > 64 {
		return fmt.Errorf("%d widths: wants at most 64", len(widths))
	}
	for _, c := range append([]int64{in, classes}, widths...) {
		if c < 1 || c > 1<<16 {
			return fmt.Errorf("width %d: wants 1 to 65536", c)
		}
	}
	return nil
}

// samples adds the input x: float [N, dims...].
func (n *net) samples(dims ...int64) *onnx.Value {
	shape := onnx.Shape{{Symbol: batchDim}}
	return n.g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: append(shape, onnx.NewShape(dims...)...)})
}

// linear is x times a weight [out, in], plus a bias: both from U(-1/sqrt(in), 1/sqrt(in)), PyTorch's default.
func (n *net) linear(name string, x *onnx.Value, in, out int64) *onnx.Value {
	bound := 1 / math.Sqrt(float64(in))
	w := n.param(name+".weight", bound, out, in)
	return n.b.In(name).Gemm(x, w, n.param(name+".bias", bound, out), op.GemmAttrs{TransB: true})
}

// dropout leaves the part ratio of x out where a form of training asks for that, and is nothing otherwise.
func (n *net) dropout(name string, x *onnx.Value, ratio float64) *onnx.Value {
	if ratio == 0 {
		return x
	}
	b := n.b.In(name)
	return b.Node("Dropout", []*onnx.Value{x, b.Const(onnx.Scalar(float32(ratio)))}, 1)[0]
}

// checkDropout refuses parts that leave nothing.
func checkDropout(ratio float64) error {
	if !(ratio >= 0 && ratio < 1) {
		return fmt.Errorf("dropout %g: wants 0 to 1, below 1", ratio)
	}
	return nil
}

// checkPictures refuses sides that become less than a pixel when they are halved so often, and those above 4096.
func checkPictures(height, width int64, halvings int) error {
	for _, side := range []int64{height, width} {
		if least := int64(1) << halvings; side < least || side > 4096 {
			return fmt.Errorf("side %d: wants %d to 4096", side, least)
		}
	}
	return nil
}

// normedConv is a convolution without bias and its norm, or a convolution with a bias.
func (n *net) normedConv(name string, x *onnx.Value, s convSpec, norm bool) *onnx.Value {
	if !norm {
		s.bias = true
		return n.conv(name+".conv", x, s)
	}
	return n.runningNorm(name+".bn", n.conv(name+".conv", x, s), s.out)
}

// active is a norm, where there are any, and a ReLU.
func (n *net) active(name string, x *onnx.Value, width int64, norm bool) *onnx.Value {
	if norm {
		x = n.runningNorm(name+".bn", x, width)
	}
	return n.b.In(name).Relu(x)
}

// head is the mean over all pixels and a linear layer.
func (n *net) head(x *onnx.Value, in, classes int64, dropout float64) (*onnx.Model, error) {
	x = n.dropout("head", n.b.In("head").Flatten(n.b.In("head").GlobalAveragePool(x), 1), dropout)
	return n.logits(n.linear("head.fc", x, in, classes))
}

// runningNorm is BatchNormalization with running statistics.
func (n *net) runningNorm(name string, x *onnx.Value, channels int64) *onnx.Value {
	scale, bias := n.constant(name+".weight", 1, channels), n.constant(name+".bias", 0, channels)
	mean, variance := n.constant(name+".running_mean", 0, channels), n.constant(name+".running_var", 1, channels)
	return n.b.In(name).BatchNormalization(x, scale, bias, mean, variance, epsilon)
}

// logits ends a classifier: the output is float [N, classes].
func (n *net) logits(y *onnx.Value) (*onnx.Model, error) {
	m, err := n.finish(y)
	if err == nil {
		y.Name = "logits"
	}
	return m, err
}
