package bilevel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"

	"graft/graphs"
	"graft/graphs/analysis"
	"graft/onnx"
	"graft/runtime/runtimetest"
)

// exported is a denoiser as ONNX model, and the same problem for the solver.
type exported struct {
	name      string
	form      Form
	beta      float64
	dims      []int64 // of the input; each of the first axis is solved for by itself
	input     string
	lipschitz float64                              // no less than what the model divides by
	model     func(analysis.Solver) graphs.Network // unrolled, it begins at 0
}

// least is a bound of how far the accelerated projected gradient's x is from the solution after n iterations from 0: ½|x-x*|² is no more than
// the dual objective is above its least value, for x = y - Wᵀz and z a solution's, and that is no more than 2L|z*|²/(n+1)² (Beck, Teboulle 2009).
func (e *exported) least(dual []float64, n int64) float64 {
	return 2 * math.Sqrt(e.lipschitz) * floats.Norm(dual, 2) / float64(n+1)
}

// until is a bound of how far x is where the gap is the part tolerance of the primal objective, which is no more than ½|y|² and the gap: ½|x-x*|²
// is no more than the gap.
func (e *exported) until(y []float64, tolerance, slip float64) float64 {
	size := floats.Norm(y, 2)
	return math.Sqrt(tolerance/(1-tolerance)*size*size + 2*slip)
}

// rounding is what float32 moves x by, and the gap: sums of m terms are off by no more than (m+1) 2^-24 times the sum of magnitudes.
func (e *exported) rounding(o *Operator, y []float64) (x, gap float64) {
	k, n, most := o.rows, o.cols, 0.0
	for _, v := range y {
		most = max(most, math.Abs(v))
	}
	unit := float64(k+n+4) / (1 << 24)
	across, down := 0.0, make([]float64, n)
	for i := range k {
		for j, v := range o.Row(i) {
			down[j] += math.Abs(v)
		}
		across = max(across, floats.Norm(o.Row(i), 1))
	}
	fit := most + e.beta*slices.Max(down)
	return unit * fit * math.Sqrt(float64(n)), 2 * float64(k) * e.beta * unit * across * fit
}

// TestExportedDenoiser holds the models of graphs/analysis, in float32, against the exact solutions, with the tolerance that theory gives: the
// error after so many iterations, or of the gap that ends the Loop, and what rounding adds.
func TestExportedDenoiser(t *testing.T) {
	const count = 24
	r := rand.New(rand.NewPCG(21, 21))
	patches := func(name string, f Form, w []float64, beta float64) exported {
		k, n := f.Size()
		side := int64(math.Sqrt(float64(n)))
		bound := operator(t, k, n, w).SpectralBound()
		return exported{name, f, beta, []int64{count, 1, side, side}, analysis.InputImage, bound * bound, func(s analysis.Solver) graphs.Network {
			return analysis.Patches{Operator: analysis.Operator{Rows: k, Columns: n, W: w}, Beta: beta, Cold: s.Tolerance == 0, Solver: s}
		}}
	}
	polarOf := func(f Form) []float64 {
		w, err := f.Begin(Random, 1, 3)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	matrices := map[string][]float64{}
	random := func(k, n int) []float64 {
		w := normals(r, k*n)
		floats.Scale(1/math.Sqrt(float64(n)), w)
		return w
	}
	twice := random(16, 16) // rows of zeros, and rows that are there twice
	clear(twice[:32])
	copy(twice[32:64], twice[64:96])
	var cases []exported
	for _, c := range []struct {
		name string
		form Form
		w    []float64
		beta float64
	}{
		{"free, fewer rows", Free{11, 16}, random(11, 16), 0.2}, {"free, square", Free{16, 16}, random(16, 16), 0.2},
		{"free, more rows", Free{24, 16}, random(24, 16), 0.1}, {"free, far more rows", Free{40, 16}, random(40, 16), 0.05},
		{"rows of zeros, rows twice", Free{16, 16}, twice, 0.2},
		{"orthonormal", Orthonormal{15, 16}, polarOf(Orthonormal{15, 16}), 0.3}, {"tight frame", TightFrame{20, 16}, polarOf(TightFrame{20, 16}), 0.2},
	} {
		matrices[c.name] = c.w
		cases = append(cases, patches(c.name, c.form, c.w, c.beta))
	}
	line := random(20, 13)
	matrices["signals"] = line
	bound := operator(t, 20, 13, line).SpectralBound()
	cases = append(cases, exported{"signals", Free{20, 13}, 0.1, []int64{count, 13}, analysis.InputSignals, bound * bound, func(s analysis.Solver) graphs.Network {
		return analysis.Signals{Operator: analysis.Operator{Rows: 20, Columns: 13, W: line}, Beta: 0.1, Cold: s.Tolerance == 0, Solver: s}
	}})
	convolution := Convolution{Filters: 2, Width: 3, Signal: []int{6, 7}}
	filters := random(2, 9)
	matrices["filters"] = convolution.Operator(filters)
	gains := 0.0
	for i := range 2 {
		gain := floats.Norm(filters[i*9:(i+1)*9], 1)
		gains += 1.1 * gain * gain // no frequency has more
	}
	cases = append(cases, exported{"filters", convolution, 0.1, []int64{1, 1, 6, 7}, analysis.InputImage, gains, func(s analysis.Solver) graphs.Network {
		return analysis.Filters{Operator: analysis.Operator{Rows: 2, Columns: 9, W: filters}, Beta: 0.1, Solver: s}
	}})
	for _, c := range cases {
		k, n := c.form.Size()
		o := operator(t, k, n, matrices[c.name])
		y := onnx.NewTensor(onnx.Float, c.dims...)
		wide := make([]float64, len(y.Float32s()))
		for i := range wide {
			y.Float32s()[i] = float32(r.NormFloat64())
			wide[i] = float64(y.Float32s()[i])
		}
		exact := solve(t, o, float64(float32(c.beta)), wide, Config{})
		for _, s := range []analysis.Solver{{Iterations: 150}, {Iterations: 50_000, Tolerance: 1e-6}} {
			if s.Tolerance > 0 && c.name == "signals" {
				c.dims, wide = []int64{1, 13}, wide[:13] // what ends the Loop is of all signals together
				y = onnx.FromSlice(y.Float32s()[:13], 1, 13)
			}
			m, err := c.model(s).Build(0)
			if err != nil {
				t.Fatal(err)
			}
			session := runtimetest.Open(t, m, runtimetest.Options(t))
			out, err := session.Run(t.Context(), map[string]*onnx.Tensor{c.input: y, analysis.InputBeta: onnx.Scalar(float32(c.beta))})
			if err != nil {
				t.Fatal(err)
			}
			got, far, share := out[analysis.OutputDenoised].Float32s(), 0.0, 0.0
			for i := range len(wide) / n {
				from, distance := wide[i*n:(i+1)*n], 0.0
				for j, v := range got[i*n : (i+1)*n] {
					d := float64(v) - exact.X[i*n+j]
					distance += d * d
				}
				distance = math.Sqrt(distance)
				x, slip := c.rounding(o, from)
				allowed := x + c.least(exact.Dual[i*k:(i+1)*k], s.Iterations)
				if s.Tolerance > 0 {
					allowed = x + c.until(from, s.Tolerance, slip)
				}
				far, share = max(far, distance), max(share, distance/allowed)
				if s.Tolerance == 0 && !(distance <= x) { // these problems are at rest by then
					t.Errorf("%s, %d iterations: sample %d is off by %g, rounding alone by %g", c.name, s.Iterations, i, distance, x)
				}
				if !(distance <= allowed) || allowed > 0.1*floats.Norm(from, 2) {
					t.Errorf("%s, %d iterations, tolerance %g: sample %d is off by %g, %g is allowed", c.name, s.Iterations, s.Tolerance, i, distance, allowed)
				}
			}
			t.Logf("%s, %d iterations, tolerance %g: off by %.2g at most, %.2g of what is allowed", c.name, s.Iterations, s.Tolerance, far, share)
		}
	}
}
