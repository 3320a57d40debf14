package masking_test

import (
	"math"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// TestBernoulli compares what ONNX Runtime makes of the mask and its penalty with the formulas in float64.
func TestBernoulli(t *testing.T) {
	const count = 4001
	for _, m := range []masking.Bernoulli{
		{Temperature: 0.2, Keep: 0.05, Strength: 1e-9}, {Temperature: 1, Keep: 0.5, Strength: 1}, {Temperature: 0.05, Keep: 0.9, Strength: 0.3},
	} {
		n := newNet(t)
		logits := n.Graph().AddInput("logits", onnx.TypeOf(onnx.Float, count))
		uniform := n.Graph().AddInput("uniform", onnx.TypeOf(onnx.Float, count))
		model := n.model(m.Sample(n.Builder, logits, uniform), m.Penalty(n.Builder, logits))
		data, err := model.Encode()
		if err != nil {
			t.Fatal(err)
		}
		s, err := runtime.Open(data, runtimetest.Options(t))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
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
		penalty := 0.0
		for i := range count {
			p, u := float64(p.Float32s()[i]), float64(u.Float32s()[i])
			want := sigmoid((p + math.Log(u) - math.Log1p(-u)) / m.Temperature)
			if v := float64(got[outs[0].Name].Float32s()[i]); math.Abs(v-want) > 1e-5 {
				t.Fatalf("tau %g: logit %g, uniform %g: mask %g, want %g", m.Temperature, p, u, v, want)
			}
			k := sigmoid(p)
			penalty += k*math.Log((k+1e-6)/m.Keep) + (1-k)*math.Log((1-k+1e-6)/(1-m.Keep))
		}
		penalty *= m.Strength
		if v := float64(got[outs[1].Name].Float32s()[0]); math.Abs(v-penalty) > 1e-5*math.Abs(penalty) {
			t.Errorf("keep %g: penalty %g, want %g", m.Keep, v, penalty)
		}
	}
}
