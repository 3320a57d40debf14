package training

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// norms brings every BatchNormalization with statistics of its own into training mode, if batch says so; the others keep to
// the running ones, or to those of the batch, as the file says. It gives what running statistics become, by name.
func (f *form) norms(buffers map[string]*onnx.Value, batch bool) (map[string]*onnx.Value, error) {
	moved := map[string]*onnx.Value{}
	for _, n := range f.g.Nodes() {
		if !n.Is("BatchNormalization") {
			continue
		}
		training := onnx.AttrOr(n, "training_mode", int64(0)) != 0
		mean, variance := n.Input(3), n.Input(4)
		own := mean != nil && variance != nil && buffers[mean.Name] == mean && buffers[variance.Name] == variance
		after := []*onnx.Value{nil, mean, variance}
		epsilon := onnx.AttrOr(n, "epsilon", float32(1e-5))
		switch {
		case batch && own:
			if len(n.Input(0).Type.Shape) < 2 {
				return nil, fmt.Errorf("%v: input is %v, want [N C ...]", n, n.Input(0).Type)
			}
			after = f.b.Node("BatchNormalization", n.Inputs(), 3, onnx.Float32("epsilon", epsilon),
				onnx.Float32("momentum", onnx.AttrOr(n, "momentum", float32(0.9))), onnx.Int("training_mode", 1))
			if f.b.Err() == nil {
				after[0].Producer().Name = n.Name
				moved[mean.Name], moved[variance.Name] = after[1], after[2]
			}
		case training:
			after[0] = f.b.In(n.Name+"/batch").BatchNormalization(n.Input(0), n.Input(1), n.Input(2), mean, variance, epsilon)
		default:
			continue
		}
		if err := f.b.Err(); err != nil {
			return nil, err
		}
		if err := f.inPlaceOf(n, after); err != nil {
			return nil, err
		}
	}
	return moved, nil
}

// writeNorms writes every BatchNormalization in training mode out in other operators: the kernel writes the running
// statistics over the memory of the old ones, and not every provider has one. It comes behind the gradients, which know the
// closed form; the statistics are written as they are there, so that a runtime takes them once.
func (f *form) writeNorms() error {
	for _, n := range f.g.Nodes() {
		if !n.Is("BatchNormalization") || onnx.AttrOr(n, "training_mode", int64(0)) == 0 {
			continue
		}
		after := batchNorm(f.b.In(n.Name+"/batch"), n)
		if err := f.b.Err(); err != nil {
			return err
		}
		if err := f.inPlaceOf(n, after); err != nil {
			return err
		}
	}
	return nil
}

// inPlaceOf puts values in the place of a node's outputs.
func (f *form) inPlaceOf(n *onnx.Node, values []*onnx.Value) error {
	for i, v := range values {
		if o := n.Output(i); o != nil {
			if err := f.g.ReplaceUses(o, v); err != nil {
				return err
			}
		}
	}
	return f.g.Remove(n)
}

// batchNorm is n in training mode, in other operators: with the mean m and the biased variance v of each channel of the
// batch,
//
//	y = scale (x-m)/sqrt(v+epsilon) + bias,  mean' = momentum mean + (1-momentum) m,  variance' likewise.
func batchNorm(b *op.Builder, n *onnx.Node) []*onnx.Value {
	x, epsilon := n.Input(0), onnx.AttrOr(n, "epsilon", float32(1e-5))
	s := autodiff.ChannelMoments(b, x, float64(epsilon))
	if b.Err() != nil {
		return nil
	}
	var y *onnx.Value
	if d := x.Type.Shape; len(d) > 2 && d[0].Known() && d[0].Size == 1 {
		// Of one sample it is InstanceNormalization, whose kernel makes fewer passes.
		y = b.InstanceNormalization(x, n.Input(1), n.Input(2), epsilon)
	} else {
		column := []int64{1, -1}
		for range len(d) - 2 {
			column = append(column, 1)
		}
		y = b.Add(b.Mul(s.Centred, b.Mul(b.Reshape(n.Input(1), column...), s.Scale)), b.Reshape(n.Input(2), column...))
	}
	out := []*onnx.Value{y}
	momentum := float64(onnx.AttrOr(n, "momentum", float32(0.9)))
	for i, seen := range []*onnx.Value{s.Mean, s.Variance} {
		v := n.Input(3 + i)
		if b.Err() != nil {
			return nil
		}
		out = append(out, b.Add(b.Mul(v, b.Scalar(v, momentum)), b.Mul(b.Reshape(seen, -1), b.Scalar(v, 1-momentum))))
	}
	return out
}
