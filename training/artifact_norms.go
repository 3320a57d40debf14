package training

import (
	"graft/onnx"
	"graft/onnx/op"
)

// norms brings every BatchNormalization into the form that trains, with the statistics of the batch, or into the one that
// uses the running ones. It gives what running statistics become, by name.
func (f *form) norms(buffers map[string]*onnx.Value, batch bool) (map[string]*onnx.Value, error) {
	moved := map[string]*onnx.Value{}
	for _, n := range f.g.Nodes() {
		if !n.Is("BatchNormalization") {
			continue
		}
		training := onnx.AttrOr(n, "training_mode", int64(0)) != 0
		mean, variance := n.Input(3), n.Input(4)
		own := mean != nil && variance != nil && buffers[mean.Name] == mean && buffers[variance.Name] == variance
		var y *onnx.Value
		after := []*onnx.Value{mean, variance}
		b := f.b.In(n.Name + "/batch")
		switch {
		case batch && own:
			y, after = batchNorm(b, n)
			moved[mean.Name], moved[variance.Name] = after[0], after[1]
		case training:
			y = b.BatchNormalization(n.Input(0), n.Input(1), n.Input(2), mean, variance, onnx.AttrOr(n, "epsilon", float32(1e-5)))
		default:
			continue
		}
		if err := f.b.Err(); err != nil {
			return nil, err
		}
		if err := f.g.ReplaceUses(n.Output(0), y); err != nil {
			return nil, err
		}
		for i, v := range after {
			if o := n.Output(1 + i); o != nil {
				if err := f.g.ReplaceUses(o, v); err != nil {
					return nil, err
				}
			}
		}
		if err := f.g.Remove(n); err != nil {
			return nil, err
		}
	}
	return moved, nil
}

// batchNorm is n in training mode, in operators that can be differentiated: with the mean m and the biased variance v of
// each channel of the batch,
//
//	y = scale (x-m)/sqrt(v+epsilon) + bias,  mean' = momentum mean + (1-momentum) m,  variance' likewise.
func batchNorm(b *op.Builder, n *onnx.Node) (y *onnx.Value, after []*onnx.Value) {
	x := n.Input(0)
	axes, column := []int64{0}, []int64{1, -1}
	for i := 2; i < len(x.Type.Shape); i++ {
		axes, column = append(axes, int64(i)), append(column, 1)
	}
	if len(x.Type.Shape) < 2 {
		b.Fail("input is %v, want [N C ...]", x.Type)
		return nil, nil
	}
	per := b.Reciprocal(perChannel(b, x, axes))
	mean := b.Mul(b.ReduceSum(x, true, axes...), per)
	centred := b.Sub(x, mean)
	variance := b.Mul(b.ReduceSum(b.Mul(centred, centred), true, axes...), per)
	epsilon := onnx.AttrOr(n, "epsilon", float32(1e-5))
	if s := x.Type.Shape; len(s) > 2 && s[0].Known() && s[0].Size == 1 {
		// Of one sample it is InstanceNormalization, whose kernel and gradient make fewer passes.
		y = b.InstanceNormalization(x, n.Input(1), n.Input(2), epsilon)
	} else {
		scale := b.Mul(b.Reshape(n.Input(1), column...), b.Reciprocal(b.Sqrt(b.Add(variance, b.Scalar(x, float64(epsilon))))))
		y = b.Add(b.Mul(centred, scale), b.Reshape(n.Input(2), column...))
	}
	momentum := float64(onnx.AttrOr(n, "momentum", float32(0.9)))
	for i, seen := range []*onnx.Value{mean, variance} {
		v := n.Input(3 + i)
		if b.Err() != nil {
			return nil, nil
		}
		after = append(after, b.Add(b.Mul(v, b.Scalar(v, momentum)), b.Mul(b.Reshape(seen, -1), b.Scalar(v, 1-momentum))))
	}
	return y, after
}

// perChannel counts the elements of x that the axes run over, as a float.
func perChannel(b *op.Builder, x *onnx.Value, axes []int64) *onnx.Value {
	count := int64(1)
	for _, a := range axes {
		d := x.Type.Shape[a]
		if !d.Known() {
			picked := b.Gather(b.Shape(x), b.Ints(axes...), 0)
			return b.Cast(b.Node("ReduceProd", []*onnx.Value{picked}, 1, onnx.Int("keepdims", 0))[0], x.Type.DType)
		}
		count *= d.Size
	}
	return b.Scalar(x, float64(count))
}
