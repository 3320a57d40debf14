package training

import (
	"context"
	"fmt"
	"math"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
	"graft/runtime"
)

// inputNorm says how the norms of a product's inputs belong to its weight.
type inputNorm struct {
	output, input int   // axes of the weight
	groups        int64 // of a convolution
}

func normName(name string) string { return name + ".squares" }

// openNorms opens the sums of squares of what every product's weight is multiplied with, one for each input feature.
func (s *Saliency) openNorms() error {
	m := s.plan.base.Clone()
	g, b := m.Graph, op.NewBuilder(m.Graph)
	s.normOf = map[string]inputNorm{}
	g.SetOutputs()
	for _, v := range masking.Parameters(g) {
		output, input := op.WeightAxes(v)
		if output < 0 {
			continue
		}
		for _, u := range v.Uses() {
			x, axis, ok := multiplied(u)
			if !ok {
				continue
			}
			rank := len(x.Type.Shape)
			if !x.Type.Shape.Ranked() {
				return fmt.Errorf("norms of what %s is multiplied with: %v has no rank", limits.Name(v.Name), u.Node)
			}
			var others []int64
			for i := range rank {
				if i != (axis+rank)%rank {
					others = append(others, int64(i))
				}
			}
			squares := b.Mul(x, x)
			if len(others) > 0 {
				squares = b.ReduceSum(squares, false, others...)
			}
			if err := b.Err(); err != nil {
				return err
			}
			g.AddOutput(b.Identity(squares), normName(v.Name))
			s.normOf[v.Name] = inputNorm{output, input, onnx.AttrOr(u.Node, "group", int64(1))}
			break
		}
	}
	if len(g.Outputs()) == 0 {
		return fmt.Errorf("no weight of a convolution or product to take norms for")
	}
	g.RemoveUnused()
	data, err := m.Encode()
	if err != nil {
		return err
	}
	s.norms, err = runtime.Open(data, s.config.Session)
	return err
}

// multiplied is what a weight is multiplied with where it is used so, and the axis of that along which sums run; negative
// axes count from the end.
func multiplied(u onnx.Use) (x *onnx.Value, axis int, ok bool) {
	n := u.Node
	flag := func(name string) bool { return onnx.AttrOr(n, name, int64(0)) != 0 }
	switch {
	case (n.Is("Conv") || n.Is("ConvTranspose")) && u.Index == 1:
		return n.Input(0), 1, true
	case n.Is("MatMul") && u.Index == 1, n.Is("Gemm") && u.Index == 1 && !flag("transA"):
		return n.Input(0), -1, true
	case n.Is("Gemm") && u.Index == 1:
		return n.Input(0), 0, true
	case n.Is("MatMul") && u.Index == 0:
		return n.Input(1), max(-2, -len(n.Input(1).Type.Shape)), true
	case n.Is("Gemm") && u.Index == 0 && !flag("transB"):
		return n.Input(1), 0, true
	case n.Is("Gemm") && u.Index == 0:
		return n.Input(1), 1, true
	}
	return nil, 0, false
}

// inputNorms runs all batches. What is not multiplied with a feature, a bias, is multiplied with one in every sample.
func (s *Saliency) inputNorms(ctx context.Context, list []masking.Evidence) error {
	sums, samples := map[string][]float64{}, int64(0)
	for _, batch := range s.config.Batches {
		out, err := s.norms.Run(ctx, feedsOf(s.norms, batch))
		if err != nil {
			return fmt.Errorf("norms: %w", err)
		}
		for name := range s.normOf {
			t := out[normName(name)].Float32s()
			if sums[name] == nil {
				sums[name] = make([]float64, len(t))
			}
			for i, x := range t {
				sums[name][i] += float64(x)
			}
		}
		for _, p := range s.norms.Inputs() {
			if t := batch[p.Name]; t != nil && len(t.Dims) > 0 {
				samples += t.Dims[0]
				break
			}
		}
	}
	for i := range list {
		e := &list[i]
		e.InputNorm = make([]float32, len(e.Weight))
		of, ok := s.normOf[e.Name]
		if !ok {
			for j := range e.InputNorm {
				e.InputNorm[j] = float32(math.Sqrt(float64(samples)))
			}
			continue
		}
		if err := of.spread(e, sums[e.Name]); err != nil {
			return err
		}
	}
	return nil
}

// spread gives each element of a weight the norm of its input feature.
func (n inputNorm) spread(e *masking.Evidence, squares []float64) error {
	inner := func(axis int) int64 {
		size := int64(1)
		for _, d := range e.Dims[axis+1:] {
			size *= d
		}
		return size
	}
	outputs, inputs := e.Dims[n.output], e.Dims[n.input]
	if n.groups < 1 || int64(len(squares)) != inputs*n.groups && int64(len(squares)) != inputs {
		return fmt.Errorf("norms of what %s is multiplied with: %d features for %v in %d groups", limits.Name(e.Name), len(squares), e.Dims, n.groups)
	}
	for j := range e.InputNorm {
		input := int64(j) / inner(n.input) % inputs
		if int64(len(squares)) > inputs { // of a group, whose outputs lie together
			output := int64(j) / inner(n.output) % outputs
			input += output / max(1, outputs/n.groups) * inputs
		}
		e.InputNorm[j] = float32(math.Sqrt(squares[input]))
	}
	return nil
}
