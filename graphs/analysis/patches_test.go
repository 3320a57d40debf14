package analysis

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
)

// draw is an operator of normal numbers.
func draw(rng *rand.Rand, rows, columns int) Operator {
	o := Operator{Rows: rows, Columns: columns, W: make([]float64, rows*columns), Origin: "drawn"}
	for i := range o.W {
		o.W[i] = rng.NormFloat64() / math.Sqrt(float64(columns))
	}
	return o
}

// picture is of numbers in [0,1] with some structure.
func picture(rng *rand.Rand, dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, dims...)
	for i := range t.Float32s() {
		t.Float32s()[i] = float32(0.5 + 0.3*math.Sin(float64(i)/7) + 0.1*rng.NormFloat64())
	}
	return t
}

// reference solves for one patch by the iteration as it is written.
func (p Patches) reference(y []float64, beta, lipschitz float64) []float64 {
	o := p.Operator
	fit, mean := append([]float64{}, y...), 0.0
	if p.Mean {
		for _, v := range y {
			mean += v / float64(len(y))
		}
	}
	for i := range fit {
		fit[i] -= mean
	}
	z, v, x, t := make([]float64, o.Rows), make([]float64, o.Rows), make([]float64, o.Columns), 1.0
	residual := func(z []float64) {
		copy(x, fit)
		for i, c := range z {
			for j := range x {
				x[j] -= c * o.W[i*o.Columns+j]
			}
		}
	}
	if !p.Cold {
		ridge, err := o.ridge(ridgeWeight * lipschitz)
		if err != nil {
			panic(err)
		}
		for i := range z {
			for j, y := range fit {
				z[i] += ridge.At(i, j) * y
			}
			z[i] = max(-beta, min(beta, z[i]))
			v[i] = z[i]
		}
	}
	for k := range p.Iterations {
		residual(v)
		next := (1 + math.Sqrt(1+4*t*t)) / 2
		momentum := (t - 1) / next
		if t = next; p.Restart > 0 && (k+1)%p.Restart == 0 {
			momentum, t = 0, 1
		}
		for i := range z {
			g := v[i]
			for j := range x {
				g += o.W[i*o.Columns+j] * x[j] / lipschitz
			}
			g = max(-beta, min(beta, g))
			z[i], v[i] = g, g+momentum*(g-z[i])
		}
	}
	residual(z)
	for j := range x {
		x[j] += mean
	}
	return x
}

// denoised is what the model should give.
func (p Patches) denoised(t testing.TB, image *onnx.Tensor, beta float64) []float64 {
	t.Helper()
	p = p.defaults()
	lipschitz, err := p.Operator.lipschitz()
	if err != nil {
		t.Fatal(err)
	}
	s, stride, h, w := int(math.Sqrt(float64(p.Operator.Columns))), int(p.Stride), int(image.Dims[2]), int(image.Dims[3])
	begins := func(size int) (list []int) {
		for i := 0; i < size-s; i += stride {
			list = append(list, i)
		}
		return append(list, size-s)
	}
	pix := image.Float32s()
	out, y := make([]float64, len(pix)), make([]float64, s*s)
	for plane := range len(pix) / (h * w) {
		at, times := plane*h*w, make([]float64, h*w)
		for _, r := range begins(h) {
			for _, c := range begins(w) {
				for k := range y {
					y[k] = float64(pix[at+(r+k/s)*w+c+k%s])
				}
				for k, v := range p.reference(y, beta, lipschitz) {
					out[at+(r+k/s)*w+c+k%s] += v
					times[(r+k/s)*w+c+k%s]++
				}
			}
		}
		for i, n := range times {
			if n == 0 {
				t.Fatalf("pixel %d is in no patch", i)
			}
			out[at+i] /= n
		}
	}
	return out
}

// feeds are the model's inputs.
func (p Patches) feeds(image *onnx.Tensor) map[string]*onnx.Tensor {
	return map[string]*onnx.Tensor{InputImage: image, InputBeta: onnx.Scalar(float32(p.Beta))}
}

// run gives the model's output.
func run(t testing.TB, m *onnx.Model, feeds map[string]*onnx.Tensor) *onnx.Tensor {
	t.Helper()
	s := runtimetest.Open(t, m, runtimetest.Options(t))
	out, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	return out[OutputDenoised]
}

func largest(t testing.TB, got *onnx.Tensor, want []float64) (d float64) {
	t.Helper()
	if len(got.Float32s()) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got.Float32s()), len(want))
	}
	for i, v := range got.Float32s() {
		if e := math.Abs(float64(v) - want[i]); !(e <= d) {
			d = e
		}
	}
	return d
}

// TestPatches holds models against the iteration in float64, patch by patch.
func TestPatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		p    Patches
		dims []int64
	}{
		{"fewer rows than pixels", Patches{Operator: draw(rng, 11, 16), Beta: 0.1}, []int64{1, 1, 13, 17}},
		{"more rows", Patches{Operator: draw(rng, 25, 16), Beta: 0.05, Solver: Solver{Iterations: 35}}, []int64{1, 1, 9, 12}},
		{"far more rows", Patches{Operator: draw(rng, 40, 16), Beta: 0.05, Solver: Solver{Iterations: 35}}, []int64{1, 1, 9, 12}},
		{"planes", Patches{Operator: draw(rng, 9, 9), Beta: 0.2}, []int64{2, 3, 7, 6}},
		{"one patch", Patches{Operator: draw(rng, 9, 9), Beta: 0.2}, []int64{1, 1, 3, 3}},
		{"one row of patches", Patches{Operator: draw(rng, 9, 9), Beta: 0.2}, []int64{1, 1, 3, 8}},
		{"chunks", Patches{Operator: draw(rng, 9, 9), Beta: 0.2, Chunk: 4}, []int64{1, 1, 8, 21}},
		{"stride", Patches{Operator: draw(rng, 16, 16), Beta: 0.1, Stride: 3}, []int64{1, 2, 15, 21}},
		{"stride that fits", Patches{Operator: draw(rng, 16, 16), Beta: 0.1, Stride: 4}, []int64{1, 1, 12, 16}},
		{"stride, one patch", Patches{Operator: draw(rng, 16, 16), Beta: 0.1, Stride: 4}, []int64{1, 1, 4, 5}},
		{"mean", Patches{Operator: draw(rng, 12, 16), Beta: 0.1, Mean: true}, []int64{1, 1, 10, 11}},
		{"mean, far more rows", Patches{Operator: draw(rng, 40, 16), Beta: 0.1, Mean: true}, []int64{1, 1, 10, 11}},
		{"restart", Patches{Operator: draw(rng, 16, 16), Beta: 0.1, Solver: Solver{Iterations: 17, Restart: 5}}, []int64{1, 1, 10, 11}},
		{"many iterations", Patches{Operator: Differences(4), Beta: 0.1, Solver: Solver{Iterations: 150}}, []int64{1, 1, 10, 11}},
		{"one iteration", Patches{Operator: draw(rng, 16, 16), Beta: 0.1, Solver: Solver{Iterations: 1}}, []int64{1, 1, 10, 11}},
		{"cold", Patches{Operator: draw(rng, 11, 16), Beta: 0.1, Cold: true}, []int64{1, 1, 10, 11}},
		{"cold, one iteration", Patches{Operator: draw(rng, 11, 16), Beta: 0.1, Cold: true, Solver: Solver{Iterations: 1}}, []int64{1, 1, 10, 11}},
		{"cold, far more rows", Patches{Operator: draw(rng, 40, 16), Beta: 0.1, Cold: true, Mean: true}, []int64{1, 1, 10, 11}},
		{"two iterations", Patches{Operator: draw(rng, 16, 16), Beta: 0.1, Solver: Solver{Iterations: 2}}, []int64{1, 1, 10, 11}},
		{"side 1", Patches{Operator: draw(rng, 1, 1), Beta: 0.1}, []int64{1, 1, 5, 4}},
		{"dct", Patches{Operator: DCT(4), Beta: 0.1}, []int64{1, 1, 10, 11}},
		{"beta with a default", Patches{Operator: DCT(4), Beta: 0.1, Optional: true}, []int64{1, 1, 10, 11}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := c.p.Build(0)
			if err != nil {
				t.Fatal(err)
			}
			if v := m.Opset(""); v > op.Opset {
				t.Errorf("opset %d", v)
			}
			image := picture(rng, c.dims...)
			feeds := c.p.feeds(image)
			if c.p.Optional {
				delete(feeds, InputBeta)
			}
			if d := largest(t, run(t, m, feeds), c.p.denoised(t, image, c.p.Beta)); d > 1e-5 {
				t.Errorf("off by %g", d)
			}
		})
	}
}

// TestUntil: a Loop with a stopping rule ends where the iteration without one ends when it is let go on.
func TestUntil(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, p := range []Patches{
		{Operator: draw(rng, 11, 16), Beta: 0.1},
		{Operator: draw(rng, 40, 16), Beta: 0.05, Mean: true},
		{Operator: Differences(4), Beta: 0.1, Chunk: 3},
		{Operator: Differences(4), Beta: 0.1, Cold: true, Solver: Solver{Check: 1}},
	} {
		p.Tolerance = 1e-6
		image := picture(rng, 1, 2, 9, 11)
		m, err := p.Build(0)
		if err != nil {
			t.Fatal(err)
		}
		exact := p
		exact.Tolerance, exact.Iterations = 0, 1000
		if d := largest(t, run(t, m, p.feeds(image)), exact.denoised(t, image, p.Beta)); d > 3e-4 {
			t.Errorf("%v: off by %g", p.Operator, d)
		}
		p = p.defaults()
		p.Tolerance, p.Iterations = 1e-30, p.Check // one round, however far the gap
		if m, err = p.Build(0); err != nil {
			t.Fatal(err)
		}
		exact.Iterations = p.Check
		if d := largest(t, run(t, m, p.feeds(image)), exact.denoised(t, image, p.Beta)); d > 1e-5 {
			t.Errorf("%v, one round: off by %g", p.Operator, d)
		}
	}
}

// TestBeta: the input changes what the file was made with; 0 leaves the picture, much projects every patch on what the operator
// does not see.
func TestBeta(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	image := picture(rng, 1, 1, 10, 12)
	pix := image.Float32s()
	for _, p := range []Patches{{Operator: Differences(4), Beta: 0.07}, {Operator: Differences(4), Beta: 0.07, Solver: Solver{Tolerance: 1e-7, Iterations: 5000}},
		{Operator: draw(rng, 40, 16), Beta: 0.07}} {
		m, err := p.Build(0)
		if err != nil {
			t.Fatal(err)
		}
		s := runtimetest.Open(t, m, runtimetest.Options(t))
		with := func(beta float32) *onnx.Tensor {
			out, err := s.Run(context.Background(), map[string]*onnx.Tensor{InputImage: image, InputBeta: onnx.Scalar(beta)})
			if err != nil {
				t.Fatal(err)
			}
			return out[OutputDenoised]
		}
		if p.Tolerance == 0 {
			if d := largest(t, with(0.02), p.denoised(t, image, 0.02)); d > 1e-5 {
				t.Errorf("%v, beta 0.02: off by %g", p.Operator, d)
			}
		}
		for i, v := range append(with(0).Float32s(), with(-1).Float32s()...) {
			i %= len(pix)
			if v != pix[i] && math.Abs(float64(v-pix[i])) > 1e-6 {
				t.Fatalf("beta 0: pixel %d is %g, was %g", i, v, pix[i])
			}
		}
		if p.Tolerance == 0 {
			continue
		}
		means := Patches{Operator: DCT(4), Cold: true, Solver: Solver{Iterations: 1}}.denoised(t, image, 1e6) // blind to a patch's mean alone, as differences are
		if d := largest(t, with(1e6), means); d > 1e-3 {
			t.Errorf("beta 1e6: off by %g", d)
		}
	}
}

// TestRefused: what cannot be built says why; what cannot be run is not answered.
func TestRefused(t *testing.T) {
	small := Differences(4)
	for _, c := range []struct {
		p    Patches
		want string
	}{
		{Patches{}, "no operator"},
		{Patches{Operator: Operator{Rows: 1, Columns: 12, W: make([]float64, 12)}}, "square patch"},
		{Patches{Operator: Operator{Rows: 2, Columns: 4, W: make([]float64, 7)}}, "7 numbers"},
		{Patches{Operator: Operator{Rows: 1, Columns: 1, W: []float64{math.NaN()}}}, "row 0, column 0"},
		{Patches{Operator: Operator{Rows: 1, Columns: 1, W: []float64{1e13}}}, "norm 1e+13"},
		{Patches{Operator: Operator{Rows: 1, Columns: 1, W: []float64{1e-13}}}, "norm 1e-13"},
		{Patches{Operator: small, Beta: -1}, "beta"},
		{Patches{Operator: small, Beta: math.NaN()}, "beta"},
		{Patches{Operator: small, Stride: 5}, "stride"},
		{Patches{Operator: small, Chunk: -1}, "at a time"},
		{Patches{Operator: small, Solver: Solver{Iterations: 1001}}, "iterations"},
		{Patches{Operator: small, Solver: Solver{Tolerance: 1}}, "tolerance"},
		{Patches{Operator: small, Solver: Solver{Tolerance: 0.1, Check: 101}}, "look at the gap"},
		{Patches{Operator: small, Solver: Solver{Restart: -1}}, "restart"},
	} {
		if _, err := c.p.Build(0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %q", c.p, err, c.want)
		}
	}
	for _, stride := range []int64{1, 4} {
		m, err := Patches{Operator: small, Stride: stride}.Build(0)
		if err != nil {
			t.Fatal(err)
		}
		s := runtimetest.Open(t, m, runtimetest.Options(t))
		for _, dims := range [][]int64{{1, 1, 3, 8}, {1, 1, 8, 3}, {1, 1, 1, 1}} {
			if out, err := s.Run(context.Background(), Patches{Beta: 1}.feeds(onnx.NewTensor(onnx.Float, dims...))); err == nil {
				t.Errorf("stride %d, a picture of %v: %v", stride, dims, out[OutputDenoised].Float32s())
			}
		}
	}
	// an operator of zeros sees nothing, and takes nothing away
	p := Patches{Operator: Operator{Rows: 2, Columns: 4, W: make([]float64, 8)}, Beta: 1}
	m, err := p.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	image := picture(rand.New(rand.NewPCG(1, 1)), 1, 1, 5, 6)
	for i, v := range run(t, m, p.feeds(image)).Float32s() {
		if math.Abs(float64(v-image.Float32s()[i])) > 1e-6 {
			t.Fatalf("an operator of zeros: pixel %d is %g", i, v)
		}
	}
}
