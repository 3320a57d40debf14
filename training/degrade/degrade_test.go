package degrade

import (
	"math"
	"slices"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training/metric"
)

// picture is smooth, and of a size that all degradations take.
func picture(channels int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, 1, channels, 24, 32)
	for i := range t.Float32s() {
		c, y, x := i/(24*32), i/32%24, i%32
		t.Float32s()[i] = float32(0.5 + 0.4*math.Sin(float64(x)/5+float64(c))*math.Cos(float64(y)/4))
	}
	return t
}

// TestObservations: the graph shows of the clean picture what was observed, the same twice, and the plain picture is like it.
func TestObservations(t *testing.T) {
	noisy := []string{"gaussian", "poisson", "salt-and-pepper", "jpeg"}
	for _, row := range Catalog {
		t.Run(row.Name, func(t *testing.T) {
			clean := picture(3)
			o, err := Observe(row.Name, nil, clean, 4)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Observe(row.Name, nil, clean, 4)
			if err != nil || !slices.Equal(o.Y.Float32s(), again.Y.Float32s()) {
				t.Errorf("another observation the second time, %v", err)
			}
			if !slices.Equal(o.Plain.Dims, clean.Dims) {
				t.Fatalf("the plain picture is %v", o.Plain.Type())
			}
			psnr := metric.PSNR(o.Plain.Float32s(), clean.Float32s())
			t.Logf("%.2f dB", psnr)
			if least := map[string]float64{"inpaint": 6, "salt-and-pepper": 10}[row.Name]; psnr < max(least, 6) || math.IsInf(psnr, 0) {
				t.Errorf("%.2f dB", psnr)
			}
			if (o.Graph == nil) != slices.Contains(noisy, row.Name) {
				t.Fatal("a graph where there is noise alone, or none")
			}
			if o.Graph == nil {
				return
			}
			b := op.NewBuilder(onnx.NewGraph("observe"))
			y := o.Graph(b, b.Graph().AddInput("x", clean.Type()))
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			b.Graph().AddOutput(y, "y")
			b.Graph().AssignNames()
			s := runtimetest.Open(t, &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: b.Graph()}, runtimetest.Options(t))
			got, err := s.Run(t.Context(), map[string]*onnx.Tensor{"x": clean})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got["y"].Dims, o.Y.Dims) {
				t.Fatalf("the graph gives %v, observed is %v", got["y"].Type(), o.Y.Type())
			}
			for i, v := range got["y"].Float32s() {
				if math.Abs(float64(v-o.Y.Float32s()[i])) > 1e-5 {
					t.Fatalf("element %d: the graph gives %g, observed is %g", i, v, o.Y.Float32s()[i])
				}
			}
		})
	}
}

// TestWholeTransform: all columns of the transform give the picture back, and keep its energy.
func TestWholeTransform(t *testing.T) {
	clean := picture(1)
	o, err := Observe("fourier", map[string]float64{"measured": 1}, clean, 1)
	if err != nil {
		t.Fatal(err)
	}
	if psnr := metric.PSNR(o.Plain.Float32s(), clean.Float32s()); psnr < 90 {
		t.Errorf("%.1f dB", psnr)
	}
	energy := func(x []float32) (e float64) {
		for _, v := range x {
			e += float64(v) * float64(v)
		}
		return e
	}
	if a, b := energy(clean.Float32s()), energy(o.Y.Float32s()); math.Abs(a-b) > 1e-4*a {
		t.Errorf("energy %g becomes %g", a, b)
	}
}

// TestPhotons holds mean and variance of a Poisson variable to its mean, on both sides of the approximation.
func TestPhotons(t *testing.T) {
	for _, mean := range []float64{0, 0.7, 12, 499, 501, 9000} {
		const n = 20000
		sum, squares := 0.0, 0.0
		for i := range n {
			k := photons(mean, (float64(i)+0.5)/n)
			sum += k
			squares += k * k
		}
		got := sum / n
		if variance := squares/n - got*got; math.Abs(got-mean) > 0.01*mean+0.001 || math.Abs(variance-mean) > 0.02*mean+0.001 {
			t.Errorf("mean %g has %g, variance %g", mean, got, variance)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		row   string
		given map[string]float64
		clean *onnx.Tensor
	}{
		"no such row":     {"magic", nil, picture(1)},
		"no such setting": {"gaussian", map[string]float64{"sgima": 1}, picture(1)},
		"out of range":    {"inpaint", map[string]float64{"missing": 1}, picture(1)},
		"no picture":      {"gaussian", nil, onnx.NewTensor(onnx.Float, 3)},
		"no multiple":     {"super-resolution", map[string]float64{"factor": 5}, picture(1)},
		"five channels":   {"jpeg", nil, picture(5)},
	} {
		if _, err := Observe(c.row, c.given, c.clean, 1); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestMeasured: what was measured says the same as what is simulated, and weights that do not fit are refused.
func TestMeasured(t *testing.T) {
	clean := picture(3)
	small, err := Observe("super-resolution", map[string]float64{"factor": 4}, clean, 1)
	if err != nil {
		t.Fatal(err)
	}
	given, err := SuperResolution(small.Y, 4)
	if err != nil || !slices.Equal(given.Plain.Float32s(), small.Plain.Float32s()) || !slices.Equal(given.Plain.Dims, clean.Dims) {
		t.Errorf("%v", err)
	}
	holes, err := Observe("inpaint", nil, clean, 1)
	if err != nil {
		t.Fatal(err)
	}
	scribbled := clean.Clone()
	for i, w := range holes.Weight.Float32s() {
		if w == 0 {
			scribbled.Float32s()[i] = 0.9
		}
	}
	if given, err = Inpainting(scribbled, holes.Weight); err != nil || !slices.Equal(given.Y.Float32s(), holes.Y.Float32s()) {
		t.Errorf("what is in a hole counts, %v", err)
	}
	if _, err := Inpainting(clean, picture(3)); err == nil {
		t.Error("weights of three channels are taken")
	}
	if _, err := SuperResolution(clean, 1); err == nil {
		t.Error("a factor of one is taken")
	}
}
