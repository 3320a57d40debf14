package masking_test

import (
	"math"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
)

// TestBernoulli compares what ONNX Runtime makes of the mask and of the gradient of its penalty with the formulas in float64, the
// gradient with central differences of the divergence.
func TestBernoulli(t *testing.T) {
	const count = 4001
	for _, m := range []masking.Bernoulli{
		{Temperature: 0.2, Keep: 0.05, Strength: 1e-9}, {Temperature: 1, Keep: 0.5, Strength: 1}, {Temperature: 0.05, Keep: 0.9, Strength: 0.3},
	} {
		n := newNet(t)
		logits := n.Graph().AddInput("logits", onnx.TypeOf(onnx.Float, count))
		uniform := n.Graph().AddInput("uniform", onnx.TypeOf(onnx.Float, count))
		model := n.model(m.Sample(n.Builder, logits, uniform), m.PenaltyGradient(n.Builder, logits))
		s := runtimetest.Open(t, model, runtimetest.Options(t))
		p, u := onnx.NewTensor(onnx.Float, count), onnx.NewTensor(onnx.Float, count)
		noise.Uniform(u.Float32s(), noise.NewKey(5, "mask", 1))
		for i := range p.Float32s() {
			p.Float32s()[i] = float32(i)/100 - 20 // from surely out to surely in
		}
		got, err := s.Run(t.Context(), map[string]*onnx.Tensor{"logits": p, "uniform": u})
		if err != nil {
			t.Fatal(err)
		}
		outs := model.Graph.Outputs()
		sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
		divergence := func(p float64) float64 {
			k := sigmoid(p)
			return k*math.Log((k+1e-6)/m.Keep) + (1-k)*math.Log((1-k+1e-6)/(1-m.Keep))
		}
		for i := range count {
			p, u := float64(p.Float32s()[i]), float64(u.Float32s()[i])
			want := sigmoid((p + math.Log(u) - math.Log1p(-u)) / m.Temperature)
			if v := float64(got[outs[0].Name].Float32s()[i]); math.Abs(v-want) > 1e-5 {
				t.Fatalf("tau %g: logit %g, uniform %g: mask %g, want %g", m.Temperature, p, u, v, want)
			}
			// The sigmoid of the runtime is known to 2^-22, and stands beside a logarithm of up to 20.
			const h, tolerance = 1e-4, 5e-6
			slope := (divergence(p+h) - divergence(p-h)) / (2 * h)
			if v := float64(got[outs[1].Name].Float32s()[i]) / m.Strength; math.Abs(v-slope) > tolerance*(1+math.Abs(slope)) {
				t.Fatalf("keep %g: logit %g: slope of the penalty %g, want %g", m.Keep, p, v, slope)
			}
		}
	}
}
