package bilevel

import (
	"fmt"
	"math"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// Names of an unrolled solver's ports.
const (
	UnrolledSignals  = "y"
	UnrolledTruth    = "truth"
	UnrolledOperator = "w"
	UnrolledSolution = "x"
	UnrolledGradient = "dw"
)

// Unrolled is the solver as a graph of MatMul and Clip, so many iterations of FISTA from 0 written out, the upper loss Σ ½|x - truth|² behind
// them, and its gradient with respect to W by automatic differentiation: what the closed form is compared with.
type Unrolled struct {
	Rows, Cols, Samples int
	Type                onnx.DataType // onnx.Double or onnx.Float
	Steps               int           // of a round
	Rounds              int           // 1; more are a Scan over rounds, which opens in a moment but computes each round anew for the gradient
	Step                float64       // of the gradient: 1/|W|² at most
	Beta                float64
}

// Build makes the model: inputs y and truth [samples, cols] and w [rows, cols], outputs x and dw.
func (c Unrolled) Build() (*onnx.Model, error) {
	c.Rounds = max(1, c.Rounds)
	switch {
	case c.Rows < 1 || c.Cols < 1 || c.Samples < 1 || c.Steps < 1:
		return nil, fmt.Errorf("unroll: %d rows, %d columns, %d samples, %d steps: wants 1 at least of each", c.Rows, c.Cols, c.Samples, c.Steps)
	case c.Type != onnx.Double && c.Type != onnx.Float:
		return nil, fmt.Errorf("unroll: %v: wants double or float", c.Type)
	}
	g := onnx.NewGraph("unrolled")
	signals := onnx.TypeOf(c.Type, int64(c.Samples), int64(c.Cols))
	y, truth := g.AddInput(UnrolledSignals, signals), g.AddInput(UnrolledTruth, signals)
	w := g.AddInput(UnrolledOperator, onnx.TypeOf(c.Type, int64(c.Rows), int64(c.Cols)))
	b := op.NewBuilder(g)
	x := b.Sub(y, b.MatMul(c.dual(b, y, w), w))
	miss := b.Sub(x, truth)
	loss := b.Mul(b.ReduceSum(b.Mul(miss, miss), false), c.number(b, 0.5))
	dw, err := autodiff.Gradients(g, loss, []*onnx.Value{w})
	if err == nil {
		err = b.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("unroll: %w", err)
	}
	g.AddOutput(x, UnrolledSolution)
	g.AddOutput(dw[0], UnrolledGradient)
	g.RemoveUnused()
	return &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}, nil
}

// dual is u after all iterations of u' = clip(v - (vWWᵀ - yWᵀ)/L, β), v' = u' + m(u' - u).
func (c Unrolled) dual(b *op.Builder, y, w *onnx.Value) *onnx.Value {
	down, up := c.number(b, -c.Beta), c.number(b, c.Beta)
	wt := b.Transpose(w, 1, 0)
	gram, wy := b.Mul(b.MatMul(w, wt), c.number(b, c.Step)), b.Mul(b.MatMul(y, wt), c.number(b, c.Step))
	next := func(b *op.Builder, u, v, momentum *onnx.Value) (*onnx.Value, *onnx.Value) {
		to := b.Clip(b.Add(b.Sub(v, b.MatMul(v, gram)), wy), down, up)
		return to, b.Add(to, b.Mul(b.Sub(to, u), momentum))
	}
	u := b.Clip(wy, down, up) // the first step, from 0
	v := u
	if c.Rounds == 1 {
		for _, m := range momenta(c.Steps) {
			u, v = next(b, u, v, c.number(b, m))
		}
		return u
	}
	body := onnx.NewGraph("round")
	state := onnx.TypeOf(c.Type, int64(c.Samples), int64(c.Rows))
	bu, bv, bm := body.AddInput("u", state), body.AddInput("v", state), body.AddInput("m", onnx.TypeOf(c.Type, int64(c.Steps)))
	inside := b.Inside(body)
	for i := range c.Steps {
		bu, bv = next(inside, bu, bv, inside.Gather(bm, inside.Const(onnx.Scalar(int64(i))), 0))
	}
	for _, out := range []*onnx.Value{bu, bv} {
		body.AddOutput(inside.Identity(out), "")
	}
	m := b.Reshape(c.number(b, momenta(c.Rounds*c.Steps)...), int64(c.Rounds), int64(c.Steps))
	return b.Scan(body, []*onnx.Value{u, v}, []*onnx.Value{m}, op.ScanAttrs{})[0]
}

// number is a constant: a scalar, or a vector.
func (c Unrolled) number(b *op.Builder, v ...float64) *onnx.Value {
	t := onnx.FromSlice(v, int64(len(v)))
	if c.Type == onnx.Float {
		t = onnx.FromSlice(convert[float32](v), int64(len(v)))
	}
	if len(v) == 1 {
		t.Dims = nil
	}
	return b.Const(t)
}

// momenta are FISTA's, from its second step on.
func momenta(n int) []float64 {
	m, at := make([]float64, n), (1+math.Sqrt(5))/2
	for i := range m {
		after := (1 + math.Sqrt(1+4*at*at)) / 2
		m[i], at = (at-1)/after, after
	}
	return m
}
