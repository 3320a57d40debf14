package analysis

import (
	"flag"
	"math"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/safetensors"
)

var (
	learnedFile = flag.String("operator", "", "operator.safetensors of graft learn-operator: what is measured with an operator takes this one")
	learnedOn   = flag.String("learned-on", "chelsea.png,coffee.png", "photographs of testdata/images that the number of iterations is chosen on")
	photoSide   = flag.Int("photo-side", 256, "side of the photographs' middles that iterations are chosen and judged on")
)

// learnedOperator is that of the flag, with its beta.
func learnedOperator(t testing.TB) (Operator, float64) {
	t.Helper()
	list, _, err := safetensors.ReadFile(*learnedFile)
	if err != nil {
		t.Fatal(err)
	}
	o, beta := Operator{Origin: "learned"}, 0.0
	for _, x := range list {
		switch v := onnx.Read[float64](x); x.Name {
		case "W":
			o.Rows, o.Columns, o.W = int(x.Dims[0]), int(x.Dims[1]), v
		case "beta":
			beta = v[0]
		}
	}
	return o, beta
}

// gain is the PSNR of what p makes of a photograph with noise of 25/255.
func (p Patches) gain(t testing.TB, name string, side int) float64 {
	t.Helper()
	clean := photo(t, name, side)
	m, err := p.Build(0)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, v := range run(t, m, p.feeds(noisyPhoto(t, name, side))).Float32s() {
		d := float64(v - clean.Float32s()[i])
		sum += d * d
	}
	return -10 * math.Log10(sum/float64(side*side))
}

// converged is p with a tolerance beyond which the PSNR does not change.
func (p Patches) converged() Patches {
	p.Tolerance, p.Iterations = 1e-5, 2000
	return p
}

// near is how far from the solution's PSNR an unrolled denoiser may be.
const near = 0.05

// TestIterations: what as many iterations as there are give on noisy photographs is within 0.05 dB of what the solution gives.
func TestIterations(t *testing.T) {
	const side = 48
	p := Patches{Operator: Differences(8), Beta: 0.08}
	for _, name := range []string{testPhoto, "chelsea.png"} {
		noise, few, solved := Patches{Operator: p.Operator}.gain(t, name, side), p.gain(t, name, side), p.converged().gain(t, name, side)
		if solved < noise+4 || math.Abs(few-solved) > near {
			t.Errorf("%s: %.3f dB became %.3f in few iterations, %.3f solved", name, noise, few, solved)
		}
	}
}

// TestFewestIterations looks for the number of iterations from which on the mean PSNR on some photographs is within 0.05 dB of the solution's
// there, and says what they and others give on one that they were not chosen on.
func TestFewestIterations(t *testing.T) {
	if *learnedFile == "" {
		t.Skip("needs -operator FILE")
	}
	o, beta := learnedOperator(t)
	names := strings.Split(*learnedOn, ",")
	mean := func(p Patches) float64 {
		sum := 0.0
		for _, name := range names {
			sum += p.gain(t, name, *photoSide) / float64(len(names))
		}
		return sum
	}
	const most = 32
	for _, cold := range []bool{false, true} {
		p := Patches{Operator: o, Beta: beta, Mean: true, Cold: cold}
		solved, judged := mean(p.converged()), p.converged().gain(t, testPhoto, *photoSide)
		chosen := int64(0)
		for k := int64(most); k > 1; k-- {
			p.Iterations = k
			off := mean(p) - solved
			t.Logf("cold %t: %d iterations, %+.3f dB", cold, k, off)
			if math.Abs(off) > near {
				break
			}
			chosen = k
		}
		if chosen == 0 {
			t.Fatalf("cold %t: %d iterations do not come within %g dB", cold, most, near)
		}
		p.Iterations = chosen
		t.Logf("cold %t: chosen %d; %s has %.3f dB, solved %.3f", cold, chosen, testPhoto, p.gain(t, testPhoto, *photoSide), judged)
	}
}
