package loss

import (
	"graft/onnx"
	"graft/onnx/op"
)

// Distillation teaches a classifier what another one says beside what is right (Hinton, Vinyals and Dean, arXiv 1503.02531).
type Distillation struct {
	// Weight is the part a of the teacher in the loss.
	Weight float64
	// Temperature T divides the logits of both before the Softmax.
	Temperature float64
	// IgnoreIndex is the label of positions that do not count.
	IgnoreIndex int64
}

// Build is
//
//	(1-a) hard + a T^2 mean sum_c q_c (log q_c - log p_c),  p = softmax(student/T),  q = softmax(teacher/T),
//
// with the classes c along axis 1 of both, and the mean over samples and positions whose label counts, zero where none does.
// hard is the loss against labels, int64.
func (d Distillation) Build(b *op.Builder, hard, student, teacher, labels *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	cooled := func(x *onnx.Value) *onnx.Value { return b.LogSoftmax(b.Div(x, b.Scalar(x, d.Temperature)), 1) }
	p, q := cooled(student), cooled(teacher)
	apart := b.ReduceSum(b.Mul(b.Exp(q), b.Sub(q, p)), false, 1)
	counts := b.Cast(b.Not(b.Equal(labels, b.Scalar(labels, float64(d.IgnoreIndex)))), onnx.Float)
	some := b.Max(b.ReduceSum(counts, false), b.Scalar(counts, 1))
	mean := b.Div(b.ReduceSum(b.Mul(apart, counts), false), some)
	return b.Add(b.Mul(hard, b.Scalar(hard, 1-d.Weight)), b.Mul(mean, b.Scalar(mean, d.Weight*d.Temperature*d.Temperature)))
}
