package oes

import (
	"testing"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
)

// maskedProblem is a hourglass with a mask that leaves channels of many kinds zero, and a problem for it.
func maskedProblem(t *testing.T, seed uint64) (*Problem, []bool) {
	t.Helper()
	const side = 32
	m, err := graphs.Hourglass{Channels: []int64{8, 12, 16}, Height: side, Width: side}.Build(seed)
	if err != nil {
		t.Fatal(err)
	}
	noisy := onnx.NewTensor(onnx.Float, 1, 3, side, side)
	noise.Uniform(noisy.Float32s(), noise.NewKey(seed, "noisy", 0))
	z, _ := m.Graph.Inputs()[0].Type.Shape.Sizes()
	p := &Problem{Network: m, Z: NewZ(seed, z...), Noisy: noisy, Clean: noisy, Region: Region{Width: side, Height: side}}
	var keep []bool
	for _, v := range training.Parameters(m.Graph) {
		u := make([]float32, v.Const.Len())
		noise.Uniform(u, noise.NewKey(seed, v.Name, 1))
		for i, x := range u {
			switch {
			case len(v.Const.Dims) > 1:
				keep = append(keep, x < 0.3)
			case i%3 == 0:
				keep = append(keep, false) // scale, shift and bias of a channel: it is zero
			default:
				keep = append(keep, x < 0.8)
			}
		}
	}
	return p, keep
}

// TestShrunkFit: a fit without the channels that stay zero ends where one with them does, and what is off stays zero.
func TestShrunkFit(t *testing.T) {
	p, keep := maskedProblem(t, 3)
	small, err := shrink(p.Network, keep)
	if err != nil {
		t.Fatal(err)
	}
	if small.from == nil || 3*len(small.from) > 2*len(keep) {
		t.Fatalf("%d of %d parameters are left", len(small.from), len(keep))
	}
	before := packed(p.Network)
	run := Run{Session: runtimetest.Options(t)}
	c := FitConfig{Steps: 2, Rate: 1e-2, Mask: keep}
	fit, err := p.Fit(t.Context(), c, run)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := p.fitWith(t.Context(), &shrunk{network: p.Network}, c, run)
	if err != nil {
		t.Fatal(err)
	}
	got, want := packed(fit.Model), packed(reference.Model)
	moved, apart := 0, 0
	for i := range got {
		switch {
		case !keep[i] && got[i] != 0:
			t.Fatalf("parameter %d is off and %g", i, got[i])
		case abs(got[i]-want[i]) > 2e-3:
			apart++ // its gradient is rounding alone, of which Adam takes the sign
		case keep[i] && got[i] != before[i]:
			moved++
		}
	}
	if apart > 10 {
		t.Errorf("%d parameters are not what they are in the whole network", apart)
	}
	if moved < len(small.from)/10 {
		t.Errorf("%d parameters have moved", moved)
	}
	for i, s := range fit.Samples {
		if d := s.Loss - reference.Samples[i].Loss; d > 1e-6 || d < -1e-6 {
			t.Errorf("step %d: loss %g, whole %g", s.Step, s.Loss, reference.Samples[i].Loss)
		}
	}
}

// TestShrunkNames: every parameter that is left is the one it says.
func TestShrunkNames(t *testing.T) {
	p, keep := maskedProblem(t, 4)
	small, err := shrink(p.Network, keep)
	if err != nil {
		t.Fatal(err)
	}
	values := packed(p.Network)
	left := packed(small.network)
	seen := map[int32]bool{}
	for i, from := range small.from {
		if from < 0 {
			if left[i] != 0 {
				t.Fatalf("place %d has %g and comes from nowhere", i, left[i])
			}
			continue
		}
		if seen[from] || !keep[from] || values[from] != left[i] {
			t.Fatalf("place %d has %g, from parameter %d, which is %g", i, left[i], from, values[from])
		}
		seen[from] = true
	}
	masks := small.mask(keep).Float32s()
	for i, from := range small.from {
		if (masks[i] == 1) != (from >= 0) {
			t.Fatalf("place %d: mask %g, from %d", i, masks[i], from)
		}
	}
	// What it draws is what the masked network draws.
	o := runtimetest.Options(t)
	a, err := p.Draw(t.Context(), Masked(p.Network, keep), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Draw(t.Context(), small.network, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range a.Float32s() {
		if abs(x-b.Float32s()[i]) > 1e-5 {
			t.Fatalf("pixel %d is %g, %g with the mask", i, b.Float32s()[i], x)
		}
	}
}

func abs(x float32) float32 { return max(x, -x) }
