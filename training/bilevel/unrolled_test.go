package bilevel

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// unrolled opens the unrolled solver.
func unrolled(t testing.TB, c Unrolled, o runtime.Options) *runtime.Session {
	t.Helper()
	m, err := c.Build()
	if err != nil {
		t.Fatal(err)
	}
	return runtimetest.Open(t, m, o)
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
		session := unrolled(t, Unrolled{Rows: k, Cols: n, Samples: samples, Type: onnx.Double, Steps: 20, Rounds: 75, Step: 1 / o.lipschitz(), Beta: beta}, runtimetest.OneThread(t))
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
