package loss

import (
	"graft/onnx"
	"graft/onnx/op"
	"graft/training/setting"
)

// MSE is the mean of (output-target)^2.
func MSE(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	d := b.Sub(output, target)
	return b.ReduceMean(b.Mul(d, d), false)
}

// L1 is the mean of |output-target|.
func L1(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	return b.ReduceMean(b.Abs(b.Sub(output, target)), false)
}

var huberSettings = []setting.Setting{{Name: "delta", Usage: "distance up to which the Huber loss is quadratic", Default: 1, Low: 1e-9, High: 1e9}}

// huberOf is the mean of Huber's loss (1964) of d = output-target: d^2/2 for |d| <= delta, else delta (|d| - delta/2). With
// c = min(|d|, delta) both are c (|d| - c/2).
func huberOf(s setting.Values) Func {
	return func(b *op.Builder, output, target *onnx.Value) *onnx.Value {
		d := b.Abs(b.Sub(output, target))
		c := b.Min(d, b.Scalar(d, s["delta"]))
		return b.ReduceMean(b.Mul(c, b.Sub(d, b.Mul(c, b.Scalar(c, 0.5)))), false)
	}
}

var smoothL1Settings = []setting.Setting{{Name: "beta", Usage: "distance up to which the smooth L1 loss is quadratic", Default: 1, High: 1e9}}

// smoothL1Of is PyTorch's smooth L1 loss: Huber's with delta = beta, divided by beta; L1 for beta = 0.
func smoothL1Of(s setting.Values) Func {
	beta := s["beta"]
	if beta == 0 {
		return L1
	}
	huber := huberOf(setting.Values{"delta": beta})
	return func(b *op.Builder, output, target *onnx.Value) *onnx.Value {
		return b.Mul(huber(b, output, target), b.Scalar(output, 1/beta))
	}
}
