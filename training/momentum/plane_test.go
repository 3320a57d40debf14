package momentum

import (
	"errors"
	"math"
	"testing"

	"graft/onnx"
	"graft/runtime/runtimetest"
	"graft/training"
)

// closed are loss, gradient and H∇E of a plane, written down by hand.
func closed(p Plane, w [2]float64) Slopes {
	f, d := w[0]*w[1]*p.X, [2]float64{w[1] * p.X, w[0] * p.X}
	h := [2][2]float64{{0, p.X}, {p.X, 0}} // second derivatives of f
	if p.Name == "2d-sigmoid" {
		s := 1 / (1 + math.Exp(-w[1]*p.X))
		t := s * (1 - s)
		f, d = w[0]*s, [2]float64{s, w[0] * t * p.X}
		h = [2][2]float64{{0, t * p.X}, {t * p.X, w[0] * t * (1 - 2*s) * p.X * p.X}}
	}
	r := f - p.Y
	out := Slopes{Loss: r * r / 2}
	for i := range 2 {
		out.Gradient[i] = r * d[i]
	}
	for i := range 2 {
		for j := range 2 {
			out.Curving[i] += (d[i]*d[j] + r*h[i][j]) * out.Gradient[j]
		}
	}
	return out
}

// The graph's derivatives, first and second, are those on paper.
func TestSlopes(t *testing.T) {
	for _, p := range Planes {
		f, err := NewField(p, runtimetest.Options(t))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := range 50 {
			w := [2]float64{4 * math.Sin(float64(i)), 4 * math.Cos(1.7*float64(i))}
			got, err := f.At(t.Context(), w)
			if err != nil {
				t.Fatal(err)
			}
			want := closed(p, w)
			pairs := [][2]float64{{got.Loss, want.Loss}, {got.Gradient[0], want.Gradient[0]}, {got.Gradient[1], want.Gradient[1]}, {got.Curving[0], want.Curving[0]}, {got.Curving[1], want.Curving[1]}}
			for j, pair := range pairs {
				if math.Abs(pair[0]-pair[1]) > 1e-12*(1+math.Abs(pair[1])) {
					t.Errorf("%s at %v, number %d: %v, want %v", p.Name, w, j, pair[0], pair[1])
				}
			}
		}
	}
}

func walk(t *testing.T, p Plane, list ...Heavy) *Walk {
	t.Helper()
	w, err := NewWalk(p, list, p.Start, nil, runtimetest.OneThread(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func norm2(w [2]float64) float64 { return w[0]*w[0] + w[1]*w[1] }

// The published problem: 50,000 steps at one effective step end the flatter the more momentum there is.
func TestLinear(t *testing.T) {
	p := Planes[0]
	betas := []float64{0, 0.5, 0.8, 0.9}
	var list []Heavy
	for _, beta := range betas {
		list = append(list, Heavy{Rate: p.Rate, Beta: beta})
	}
	w := walk(t, p, list...)
	for w.Taken() < int64(p.Steps) {
		if err := w.Go(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []float64{3.790, 3.583, 3.012, 2.119} {
		got := norm2(w.At(i))
		t.Logf("beta %g: w %.4f, |w|² %.4f", betas[i], w.At(i), got)
		if math.Abs(got-want) > 0.002 {
			t.Errorf("beta %g: |w|² is %.4f, want %.3f", betas[i], got, want)
		}
	}
}

// The Loop takes the steps that the recursion written in Go takes.
func TestSteps(t *testing.T) {
	for _, p := range Planes {
		h := Heavy{Rate: 1e-2, Beta: 0.8, Penalty: 3e-3}
		w := walk(t, p, h)
		x := p.Start
		before := x
		for k := range 40 {
			s := closed(p, x)
			after := x
			for i := range 2 {
				after[i] += h.Beta*(x[i]-before[i]) - h.Step()*(s.Gradient[i]+2*h.Penalty*s.Curving[i])
			}
			x, before = after, x
			if k == 0 || k == 39 {
				if err := w.Go(t.Context(), int64(1+38*min(k, 1))); err != nil {
					t.Fatal(err)
				}
				if got := w.At(0); math.Abs(got[0]-x[0])+math.Abs(got[1]-x[1]) > 1e-12 {
					t.Errorf("%s after %d steps: %v, want %v", p.Name, k+1, got, x)
				}
			}
		}
	}
}

func TestDescentRefuses(t *testing.T) {
	p := Planes[0]
	for _, h := range []Heavy{{}, {Rate: 1, Beta: 1}, {Rate: math.Inf(1)}, {Rate: 1, Beta: -0.1}, {Rate: 1, Penalty: math.NaN()}} {
		if _, err := NewWalk(p, []Heavy{h}, p.Start, nil, runtimetest.Options(t)); err == nil {
			t.Errorf("%+v is taken", h)
		}
	}
	w, x, steps := walk(t, p, Heavy{Rate: 1}), p.Start, int64(0)
	for ; norm2(x) < math.Inf(1); steps++ {
		s := closed(p, x)
		x = [2]float64{x[0] - s.Gradient[0], x[1] - s.Gradient[1]}
	}
	var told *training.DivergedError
	if err := w.Go(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := w.Go(t.Context(), 100); !errors.As(err, &told) || max(told.Step-steps, steps-told.Step) > 1 || w.Taken() != 1 {
		t.Errorf("a descent with a step of 1 ends with %v, want a divergence at step %d", err, steps)
	}
	if _, err := FindPlane("3d"); err == nil {
		t.Error("an unknown problem is found")
	}
}

// The models are what any ONNX runtime takes.
func TestPlaneModelsAreValid(t *testing.T) {
	for _, p := range Planes {
		descent, err := p.DescentModel(3, true)
		if err != nil {
			t.Fatal(err)
		}
		slopes, err := p.SlopesModel()
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range []*onnx.Model{descent, slopes} {
			for _, f := range onnx.Check(m) {
				if f.Severity == onnx.Error {
					t.Error(p.Name, i, f)
				}
			}
		}
	}
}
