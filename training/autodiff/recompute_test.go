package autodiff_test

import (
	"fmt"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// deep is a perceptron of so many layers with skips, and its loss; x[0] is data, the others weights.
func deep(b *op.Builder, x []*onnx.Value) *onnx.Value {
	h := x[0]
	var skip *onnx.Value
	for i, w := range x[1:] {
		h = b.Tanh(b.MatMul(b.Sub(h, b.ReduceMean(h, true, -1)), w))
		if i%3 == 0 {
			skip = h
		} else if i%3 == 2 {
			h = b.Add(h, b.Mul(skip, h))
		}
	}
	return b.ReduceSum(b.Mul(h, h), false)
}

func deepArgs(layers int) tensors {
	args := tensors{random(1, 5, 4)}
	for i := range layers {
		args = append(args, random(uint64(i+2), 4, 4))
	}
	return args
}

// Gradients that compute segments anew are those that keep everything, bit for bit.
func TestSegments(t *testing.T) {
	args := deepArgs(9)
	nodes := map[int]int{}
	var want []*onnx.Tensor
	for _, segments := range []int{1, 2, 3, 5, 40} {
		t.Run(fmt.Sprint(segments), func(t *testing.T) {
			p := compile(t, onnx.Double, args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
				y := deep(b, x)
				if b.Err() != nil {
					return nil, b.Err()
				}
				ds, err := autodiff.Options{Segments: segments}.Gradients(b.Graph(), y, x[1:])
				for _, n := range b.Graph().Nodes() {
					if n.Is("MatMul") {
						nodes[segments]++
					}
				}
				return append([]*onnx.Value{y}, ds...), err
			})
			got := p.run(t, args)
			if want == nil {
				want = got
			}
			for i := range want {
				if d := distance(got[i], want[i]); d != 0 {
					t.Errorf("result %d: %g from what keeping everything gives", i, d)
				}
			}
		})
	}
	if nodes[3] <= nodes[1] {
		t.Errorf("products in the graph, by segments: %v: nothing is computed anew", nodes)
	}
}

// The gradient of a gradient that computes anew is right too.
func TestSegmentsSecondOrder(t *testing.T) {
	args := deepArgs(4)
	slope := func(segments int) function {
		return func(b *op.Builder, v values) *onnx.Value {
			ds, err := autodiff.Options{Segments: segments}.Gradients(b.Graph(), deep(b, v), v[1:])
			if err != nil {
				b.Fail("%w", err)
				return nil
			}
			return projected(b, ds[0], 50)
		}
	}
	example{args: args, f: slope(3), reference: slope(1), firstOnly: true, tolerance: 1e-5}.run(t)
}
