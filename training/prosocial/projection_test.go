package prosocial

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"graft/onnx/noise"
)

const planted = 12 // the width of made-up embeddings

// normal are rows of noise.
func normal(seed uint64, rows int) [][]float64 {
	flat := make([]float32, rows*planted)
	noise.Normal(flat, noise.NewKey(seed, "embeddings", 0))
	out := make([][]float64, rows)
	for i := range out {
		for _, v := range flat[i*planted:][:planted] {
			out[i] = append(out[i], float64(v))
		}
	}
	return out
}

func unit(seed uint64) []float64 {
	v := normal(seed, 1)[0]
	floats.Scale(1/floats.Norm(v, 2), v)
	return v
}

// isProjection holds that P P = P and that P takes its directions out.
func isProjection(t *testing.T, p *Projection) {
	t.Helper()
	m := p.Matrix()
	var twice mat.Dense
	twice.Mul(m, m)
	if !mat.EqualApprox(&twice, m, 1e-12) {
		t.Error("P P is not P")
	}
	if trace := mat.Trace(m); math.Abs(trace-float64(planted-len(p.Directions))) > 1e-9 {
		t.Errorf("the trace of P is %v with %d directions", trace, len(p.Directions))
	}
	x := unit(99)
	var y mat.VecDense
	y.MulVec(m, mat.NewVecDense(planted, append([]float64{}, x...)))
	p.Apply(x)
	if !floats.EqualApprox(x, y.RawVector().Data, 1e-12) {
		t.Error("Apply and Matrix differ")
	}
	for _, v := range p.Directions {
		if d := floats.Dot(x, v); math.Abs(d) > 1e-12 {
			t.Errorf("%v is left of a direction", d)
		}
	}
}

// TestINLP finds a planted direction first, leaves nothing that tells the classes apart, and keeps what has nothing to do with
// them.
func TestINLP(t *testing.T) {
	// Classes that overlap: where they do not, the classifier's direction is that of the widest margin, and not the planted one.
	x, g := normal(1, 2000), unit(2)
	labels := make([]int, len(x))
	for i, row := range x {
		labels[i] = i % 2
		floats.AddScaled(row, 1.2*float64(2*labels[i]-1), g)
	}
	p, rounds, err := INLP(x, labels, INLPConfig{Rounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	isProjection(t, p)
	if c := math.Abs(floats.Dot(p.Directions[0], g)); c < 0.97 || rounds[0].Accuracy < 0.85 {
		t.Errorf("cosine with the planted direction %v, accuracy %v", c, rounds[0].Accuracy)
	}
	p, rounds, err = INLP(x, labels, INLPConfig{Rounds: 8, Enough: 0.06})
	if err != nil {
		t.Fatal(err)
	}
	isProjection(t, p)
	if last := rounds[len(rounds)-1].Accuracy; last > 0.56 || len(rounds) >= 8 {
		t.Errorf("after %d rounds the accuracy is %v", len(rounds), last)
	}
	left := append([]float64{}, g...)
	if p.Apply(left); floats.Norm(left, 2) > 0.25 {
		t.Errorf("%v of the planted direction is left", floats.Norm(left, 2))
	}
	// All directions together leave nothing at all, and more rounds than numbers are no error.
	if p, _, err = INLP(x[:40], labels[:40], INLPConfig{Rounds: 99}); err != nil || len(p.Directions) > planted {
		t.Errorf("%d directions, %v", len(p.Directions), err)
	}
}

// TestINLPClasses takes a direction for each of three classes.
func TestINLPClasses(t *testing.T) {
	x := normal(3, 300)
	labels := make([]int, len(x))
	for i, row := range x {
		labels[i] = i % 3
		floats.AddScaled(row, 4, unit(uint64(20+labels[i])))
	}
	p, rounds, err := INLP(x, labels, INLPConfig{Rounds: 1})
	if err != nil || len(p.Directions) != 3 || rounds[0].Accuracy < 0.95 {
		t.Errorf("%d directions, %v, %v", len(p.Directions), rounds, err)
	}
	isProjection(t, p)
}

// TestSentenceDebias finds planted directions of pairs and triples, by size.
func TestSentenceDebias(t *testing.T) {
	v, u := unit(5), unit(6)
	floats.AddScaled(u, -floats.Dot(u, v), v)
	floats.Scale(1/floats.Norm(u, 2), u)
	base := normal(7, 200)
	var sets [][][]float64
	for i, row := range base {
		set := make([][]float64, 2+i%2)
		for k := range set {
			x := append([]float64{}, row...)
			floats.AddScaled(x, 2*float64(k), v)
			floats.AddScaled(x, 0.5*float64((k*(i%3))%2), u)
			floats.AddScaled(x, 0.02, normal(uint64(1000+3*i+k), 1)[0])
			set[k] = x
		}
		sets = append(sets, set)
	}
	p, err := SentenceDebias(sets, 2)
	if err != nil {
		t.Fatal(err)
	}
	isProjection(t, p)
	for k, want := range [][]float64{v, u} {
		if c := math.Abs(floats.Dot(p.Directions[k], want)); c < 0.99 {
			t.Errorf("cosine of component %d with the planted direction: %v", k+1, c)
		}
	}
	// Members of a set are nearly the same afterwards; sets still differ.
	a, b := append([]float64{}, sets[1][0]...), append([]float64{}, sets[1][2]...)
	before := floats.Distance(a, b, 2)
	p.Apply(a)
	p.Apply(b)
	if after := floats.Distance(a, b, 2); after > 0.05*before {
		t.Errorf("members are %v apart, before %v", after, before)
	}
}

// TestProjectionRefusals names what is wrong with embeddings.
func TestProjectionRefusals(t *testing.T) {
	good := normal(8, 4)
	for want, do := range map[string]func() error{
		"no embeddings":    func() error { _, _, err := INLP(nil, nil, INLPConfig{}); return err },
		"3 labels of 4":    func() error { _, _, err := INLP(good, []int{0, 1, 0}, INLPConfig{}); return err },
		"1 classes":        func() error { _, _, err := INLP(good, []int{0, 0, 0, 0}, INLPConfig{}); return err },
		"class 1 has 0":    func() error { _, _, err := INLP(good, []int{0, 2, 0, 2}, INLPConfig{}); return err },
		"label 2 is -1":    func() error { _, _, err := INLP(good, []int{0, -1, 0, 2}, INLPConfig{}); return err },
		"embedding 2 has":  func() error { _, _, err := INLP([][]float64{{1, 2}, {1}}, []int{0, 1}, INLPConfig{}); return err },
		"the number NaN":   func() error { _, _, err := INLP([][]float64{{1}, {math.NaN()}}, []int{0, 1}, INLPConfig{}); return err },
		"set 1 has 1":      func() error { _, err := SentenceDebias([][][]float64{{good[0]}}, 1); return err },
		"0 components":     func() error { _, err := SentenceDebias([][][]float64{good[:2]}, 0); return err },
		"fewer than 2":     func() error { _, err := SentenceDebias([][][]float64{good[:2]}, 2); return err },
		"fewer than 1 dir": func() error { _, err := SentenceDebias([][][]float64{{good[0], good[0]}}, 1); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
