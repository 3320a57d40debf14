package loss

import (
	"fmt"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// Func adds the mean loss of output against target to b's graph and gives it, a scalar of output's element type.
type Func func(b *op.Builder, output, target *onnx.Value) *onnx.Value

// Loss is one row of the table.
type Loss struct {
	Name   string
	Target string // what the target is
	Build  Func
}

// Catalog lists the losses.
var Catalog = []Loss{
	{"mse", "shape and type of the output", MSE},
	{"l1", "shape and type of the output", L1},
	{"bce-with-logits", "probabilities, shape and type of the output", BCEWithLogits},
	{"cross-entropy", "int64 classes, the output's shape without axis 1; or probabilities, shape and type of the output", CrossEntropy},
}

// Lookup finds a loss by name.
func Lookup(name string) (Loss, error) {
	names := make([]string, len(Catalog))
	for i, l := range Catalog {
		if l.Name == name {
			return l, nil
		}
		names[i] = l.Name
	}
	return Loss{}, fmt.Errorf("loss %q: no such loss, there are %s", name, strings.Join(names, ", "))
}

// MSE is the mean of (output-target)^2.
func MSE(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	d := b.Sub(output, target)
	return b.ReduceMean(b.Mul(d, d), false)
}

// L1 is the mean of |output-target|.
func L1(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	return b.ReduceMean(b.Abs(b.Sub(output, target)), false)
}

// BCEWithLogits is the mean binary cross-entropy of target probabilities t under sigmoid(x), the output being x:
// softplus(x) - t x.
func BCEWithLogits(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	return b.ReduceMean(b.Sub(b.Softplus(output), b.Mul(output, target)), false)
}

// CrossEntropy is the mean, over samples and positions, of -sum_c t_c log softmax(x)_c with the classes c along axis 1 of
// the output x [N,C,...]. An integer target names the class with t_c = 1.
func CrossEntropy(b *op.Builder, output, target *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	s := output.Type.Shape
	if len(s) < 2 || !s[1].Known() || s[1].Size < 1 {
		b.Fail("cross-entropy: output is %v, want [N C ...] with a known number of classes", output.Type)
		return nil
	}
	classes := s[1].Size
	if !target.Type.DType.IsFloat() {
		column := make([]int64, len(s))
		names := onnx.NewTensor(onnx.Int64, classes)
		for i := range column {
			column[i] = 1
		}
		for i := range classes {
			names.Int64s()[i] = i
		}
		column[1] = classes
		names.Dims = column
		target = b.Cast(target, onnx.Int64)
		target = b.Cast(b.Equal(b.Unsqueeze(target, 1), b.Const(names)), output.Type.DType)
	}
	mean := b.ReduceMean(b.Mul(b.LogSoftmax(output, 1), target), false) // over the classes too
	return b.Mul(mean, b.Scalar(output, -float64(classes)))
}
