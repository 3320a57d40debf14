package oes

import (
	"flag"
	"slices"
	"testing"
	"time"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training"
)

var fitSide = flag.Int64("fit-side", 64, "side of the picture that BenchmarkMaskedFit draws; 512 is the paper's")

// BenchmarkMaskedFit times a step of a fit of the published hourglass behind a mask with the makeup of the published ones (5 % of
// weights, half of the norms' scales and of the head, no shift and no bias), with and without the channels that it leaves zero, by turns.
func BenchmarkMaskedFit(b *testing.B) {
	side := *fitSide
	h := graphs.Hourglass{Height: side, Width: side}.Defaults()
	for side>>len(h.Channels) <= h.DownKernel/2 {
		h.Channels = h.Channels[:len(h.Channels)-1]
	}
	m, err := h.Build(1)
	if err != nil {
		b.Fatal(err)
	}
	noisy := onnx.NewTensor(onnx.Float, 1, h.Out, side, side)
	noise.Uniform(noisy.Float32s(), noise.NewKey(1, "noisy", 0))
	p := &Problem{Network: m, Z: NewZ(1, 1, h.In, side, side), Noisy: noisy, Region: Region{Width: int(side), Height: int(side)}}
	var keep []bool
	for _, v := range training.Parameters(m.Graph) {
		u := make([]float32, v.Const.Len())
		noise.Uniform(u, noise.NewKey(1, v.Name, 1))
		fraction := float32(0.05)
		switch {
		case v.Name == "out.conv.weight" || len(v.Const.Dims) == 1 && v.Const.Float32s()[0] == 1:
			fraction = 0.5
		case len(v.Const.Dims) == 1:
			fraction = 0
		}
		for _, x := range u {
			keep = append(keep, x < fraction)
		}
	}
	small, err := shrink(m, keep)
	if err != nil {
		b.Fatal(err)
	}
	o := runtimetest.Options(b)
	o.Threads = 2
	times := func(s *shrunk) []float64 {
		var at []time.Time
		_, err := p.fitWith(b.Context(), s, FitConfig{Steps: 6, Rate: 1e-2, Mask: keep}, Run{Session: o,
			Progress: func(int64, int64, float64, float64) { at = append(at, time.Now()) }})
		if err != nil {
			b.Fatal(err)
		}
		var steps []float64
		for i := range at[1:] {
			steps = append(steps, at[i+1].Sub(at[i]).Seconds())
		}
		return steps
	}
	var whole, fewer []float64
	for b.Loop() {
		whole, fewer = append(whole, times(&shrunk{network: m})...), append(fewer, times(small)...)
	}
	middle := func(x []float64) float64 { return slices.Sorted(slices.Values(x))[len(x)/2] }
	b.ReportMetric(1e3*middle(whole), "whole-ms")
	b.ReportMetric(1e3*middle(fewer), "ms")
	b.ReportMetric(middle(whole)/middle(fewer), "times-faster")
	b.ReportMetric(float64(len(keep))/float64(len(small.from)), "times-fewer-weights")
}
