package analysis

import (
	"math"

	"graft/onnx"
)

// until is z when the duality gap of the block is small enough, or after the most iterations, which count in rounds of
// Solver.Check.
//
// With r = W(fit - W^T z), the gap is the sum of beta |r| - r z, no term of which is negative, the primal objective the sum of
// z (W fit - r)/2 + beta |r|, and the dual one that of z (W fit + r)/2. All are taken over L, as ascend gives r.
func (d *denoiser) until(f form, k *block, s Solver) *onnx.Value {
	b := k.b
	rounds := (s.Iterations + s.Check - 1) / s.Check
	table := onnx.NewTensor(onnx.Float, rounds, s.Check)
	long := s
	long.Iterations, long.Restart = rounds*s.Check, 0
	for i, m := range long.momenta() {
		table.Float32s()[i] = float32(m)
	}
	start := k.start
	if start == nil {
		start = filled(b, b.Shape(k.first), onnx.NewTensor(onnx.Float, 1))
	}
	start = b.Clip(start, d.low, d.beta)
	started := []*onnx.Value{start, start, b.Const(onnx.Scalar(int64(0))), b.Const(onnx.Scalar(float32(-math.MaxFloat32)))}
	if b.Err() != nil {
		return nil
	}

	g := onnx.NewGraph("round")
	in := k.in(g)
	c := in.b
	g.AddInput("", onnx.TypeOf(onnx.Int64))
	g.AddInput("", onnx.TypeOf(onnx.Bool))
	z, before := g.AddInput("", k.first.Type), g.AddInput("", k.first.Type)
	since, dual := g.AddInput("", onnx.TypeOf(onnx.Int64)), g.AddInput("", onnx.TypeOf(onnx.Float))
	momenta := c.Split(c.Gather(c.Const(table), since, 0), 0, ones(s.Check)...)
	for _, m := range momenta {
		v := c.Add(z, c.Mul(c.Sub(z, before), m))
		before, z = z, c.Clip(f.ascend(in, v, 1, 1), d.low, d.beta)
	}
	r := c.Sub(f.ascend(in, z, 1, 1), z)
	fits, rest, size := c.Mul(z, k.first), c.Mul(z, r), c.Mul(c.Abs(r), d.beta)
	half := c.Scalar(fits, 0.5)
	gap := c.ReduceSum(c.Sub(size, rest), false)
	primal := c.ReduceSum(c.Add(c.Mul(c.Sub(fits, rest), half), size), false)
	reached := c.Mul(c.ReduceSum(c.Add(fits, rest), false), half)
	onwards := c.Greater(gap, c.Mul(primal, c.Scalar(primal, s.Tolerance)))
	next := c.Where(c.GreaterOrEqual(reached, dual), c.Add(since, c.Const(onnx.Scalar(int64(1)))), c.Const(onnx.Scalar(int64(0))))
	if b.Err() != nil {
		return nil
	}
	for _, v := range []*onnx.Value{onwards, z, before, next, reached} {
		g.AddOutput(v, "")
	}
	return b.Loop(b.Const(onnx.Scalar(rounds)), b.Const(onnx.Scalar(true)), started, g)[0]
}

func ones(n int64) []int64 {
	list := make([]int64, n)
	for i := range list {
		list[i] = 1
	}
	return list
}
