package bilevel

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training/autodiff"
)

// unrolled is rounds times so many FISTA steps as a graph of MatMul and Clip, the upper loss behind them, and its gradient by automatic
// differentiation: from y, truth and w to x and dw. One round is a flat graph, more are a Scan over rounds, which opens in a moment but
// computes each round anew for the gradient.
func unrolled(t testing.TB, d onnx.DataType, k, n, samples, rounds, steps int, step, beta float64, o runtime.Options) *runtime.Session {
	t.Helper()
	g := onnx.NewGraph("unrolled")
	y := g.AddInput("y", onnx.TypeOf(d, int64(samples), int64(n)))
	truth := g.AddInput("truth", onnx.TypeOf(d, int64(samples), int64(n)))
	w := g.AddInput("w", onnx.TypeOf(d, int64(k), int64(n)))
	b := op.NewBuilder(g)
	number := func(b *op.Builder, v ...float64) *onnx.Value {
		c := onnx.FromSlice(v, int64(len(v)))
		if d == onnx.Float {
			c = onnx.FromSlice(convert[float32](v), int64(len(v)))
		}
		if len(v) == 1 {
			c.Dims = nil
		}
		return b.Const(c)
	}
	down, up := number(b, -beta), number(b, beta)
	wt := b.Transpose(w, 1, 0)
	gram, wy := b.Mul(b.MatMul(w, wt), number(b, step)), b.Mul(b.MatMul(y, wt), number(b, step))
	next := func(b *op.Builder, u, v, momentum *onnx.Value) (*onnx.Value, *onnx.Value) {
		to := b.Clip(b.Add(b.Sub(v, b.MatMul(v, gram)), wy), down, up)
		return to, b.Add(to, b.Mul(b.Sub(to, u), momentum))
	}
	u := b.Clip(wy, down, up) // the first step, from 0
	v := u
	if rounds == 1 {
		for _, m := range momenta(steps) {
			u, v = next(b, u, v, number(b, m))
		}
	} else {
		body := onnx.NewGraph("round")
		state := onnx.TypeOf(d, int64(samples), int64(k))
		bu, bv, bm := body.AddInput("u", state), body.AddInput("v", state), body.AddInput("m", onnx.TypeOf(d, int64(steps)))
		c := b.Inside(body)
		for i := range steps {
			bu, bv = next(c, bu, bv, c.Gather(bm, c.Const(onnx.Scalar(int64(i))), 0))
		}
		for _, out := range []*onnx.Value{bu, bv} {
			body.AddOutput(c.Identity(out), "")
		}
		m := b.Reshape(number(b, momenta(rounds*steps)...), int64(rounds), int64(steps))
		u = b.Scan(body, []*onnx.Value{u, v}, []*onnx.Value{m}, op.ScanAttrs{})[0]
	}
	x := b.Sub(y, b.MatMul(u, w))
	miss := b.Sub(x, truth)
	loss := b.Mul(b.ReduceSum(b.Mul(miss, miss), false), number(b, 0.5))
	dw, err := autodiff.Gradients(g, loss, []*onnx.Value{w})
	if err == nil {
		err = b.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	g.AddOutput(x, "x")
	g.AddOutput(dw[0], "dw")
	g.RemoveUnused()
	return runtimetest.Open(t, &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}, o)
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

func TestGradientAgainstUnrolled(t *testing.T) {
	const samples, beta = 6, 0.2
	for _, size := range [][2]int{{5, 8}, {8, 8}, {11, 8}} {
		k, n := size[0], size[1]
		r := rand.New(rand.NewPCG(8, uint64(k)))
		w, y, truth := normals(r, k*n), normals(r, samples*n), normals(r, samples*n)
		o := operator(t, k, n, w)
		s := solve(t, o, beta, y, Config{})
		_, g, err := s.HalfSquare(truth)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Gradient(g)
		if err != nil {
			t.Fatal(err)
		}
		session := unrolled(t, onnx.Double, k, n, samples, 150, 20, 1/o.lipschitz(), beta, runtimetest.OneThread(t))
		out, err := session.Run(t.Context(), map[string]*onnx.Tensor{
			"y": onnx.FromSlice(y, samples, int64(n)), "truth": onnx.FromSlice(truth, samples, int64(n)), "w": onnx.FromSlice(w, int64(k), int64(n)),
		})
		if err != nil {
			t.Fatal(err)
		}
		dx, dw := floats.Distance(onnx.Read[float64](out["x"]), s.X, math.Inf(1)), floats.Distance(onnx.Read[float64](out["dw"]), d.W, math.Inf(1))
		if dx > 1e-10 || dw > 1e-8 {
			t.Errorf("%d by %d: solution differs by %g, gradient by %g", k, n, dx, dw)
		}
		t.Logf("%d by %d: solution differs by %g, gradient by %g, %d ties", k, n, dx, dw, len(s.Ties))
	}
}

// TestGradientAgainstKKT differentiates the conditions x - y + βW±ᵀs + W0ᵀu0 = 0, W0x = 0 as one linear system in x and u0, solved whole.
func TestGradientAgainstKKT(t *testing.T) {
	const beta = 0.3
	for _, size := range [][2]int{{5, 8}, {8, 8}, {12, 8}} {
		k, n := size[0], size[1]
		r := rand.New(rand.NewPCG(9, uint64(k)))
		w := mat.NewDense(k, n, normals(r, k*n))
		for range 20 {
			y, g := normals(r, n), normals(r, n)
			s := solve(t, operator(t, k, n, w.RawMatrix().Data), beta, y, Config{})
			var zero, signed []int
			for i, p := range s.Pattern {
				if p == 0 {
					zero = append(zero, i)
				} else {
					signed = append(signed, i)
				}
			}
			if len(zero) > n {
				continue // dependent: the system has no inverse
			}
			m := n + len(zero)
			kkt, state, back := mat.NewDense(m, m, nil), mat.NewVecDense(m, nil), mat.NewVecDense(m, nil)
			for i := range n {
				kkt.Set(i, i, 1)
				back.SetVec(i, g[i])
				state.SetVec(i, y[i])
				for _, j := range signed {
					state.SetVec(i, state.AtVec(i)-beta*float64(s.Pattern[j])*w.At(j, i))
				}
				for c, j := range zero {
					kkt.Set(i, n+c, w.At(j, i))
					kkt.Set(n+c, i, w.At(j, i))
				}
			}
			if err := state.SolveVec(kkt, state); err != nil {
				t.Fatal(err)
			}
			if err := back.SolveVec(kkt, back); err != nil {
				t.Fatal(err)
			}
			want, wantBeta := mat.NewDense(k, n, nil), 0.0
			for i := range n {
				for _, j := range signed {
					want.Set(j, i, -beta*float64(s.Pattern[j])*back.AtVec(i))
					wantBeta -= float64(s.Pattern[j]) * w.At(j, i) * back.AtVec(i)
				}
				for c, j := range zero {
					want.Set(j, i, -state.AtVec(n+c)*back.AtVec(i)-back.AtVec(n+c)*state.AtVec(i))
				}
			}
			d, err := s.Gradient(g)
			if err != nil {
				t.Fatal(err)
			}
			scale := 1 + mat.Max(want)
			if e := floats.Distance(d.W, want.RawMatrix().Data, math.Inf(1)); e > 1e-10*scale {
				t.Errorf("%d by %d: dW differs by %g", k, n, e)
			}
			if e := math.Abs(d.Beta - wantBeta); e > 1e-10*scale {
				t.Errorf("%d by %d: dbeta is %g, by the conditions %g", k, n, d.Beta, wantBeta)
			}
			if e := floats.Distance(d.Y, back.RawVector().Data[:n], math.Inf(1)); e > 1e-10*scale {
				t.Errorf("%d by %d: dy differs by %g", k, n, e)
			}
		}
	}
}
