package oes_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"graft/graphs"
	"graft/masking"
	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
	"graft/training/oes"
)

var benchSide = flag.Int64("side", 64, "side of the picture that BenchmarkChannels draws; 512 is the paper's")

// BenchmarkChannels times the published hourglass on two threads beside what is left of it with a half and with a quarter of the channels,
// by turns, and compares parameters and multiply-accumulates.
func BenchmarkChannels(b *testing.B) {
	network := graphs.Hourglass{Height: *benchSide, Width: *benchSide}.Defaults()
	for least := *benchSide; least>>len(network.Channels) <= network.DownKernel/2; {
		network.Channels = network.Channels[:len(network.Channels)-1]
	}
	m, err := network.Build(1)
	if err != nil {
		b.Fatal(err)
	}
	p := &oes.Problem{Network: m, Z: oes.NewZ(1, 1, network.In, *benchSide, *benchSide)}
	score, err := masking.FindChannelScore("random-channel")
	if err != nil {
		b.Fatal(err)
	}
	o := runtimetest.Options(b)
	o.Threads = 2
	for _, c := range []struct {
		name string
		kept float64
	}{{"half", 0.5}, {"quarter", 0.25}} {
		b.Run(c.name, func(b *testing.B) {
			set, err := p.PruneChannels(b.Context(), score, masking.ChannelChoice{Sparsity: 1 - c.kept}, oes.Run{Session: o})
			if err != nil {
				b.Fatal(err)
			}
			small, err := p.Smaller(set)
			if err != nil {
				b.Fatal(err)
			}
			drawDense, drawSmall := drawer(b, p, o), drawer(b, small, o)
			drawDense()
			drawSmall()
			var dense, fewer []float64
			for b.Loop() {
				dense, fewer = append(dense, drawDense()), append(fewer, drawSmall())
			}
			b.ReportMetric(1e3*median(dense), "dense-ms")
			b.ReportMetric(1e3*median(fewer), "ms")
			b.ReportMetric(median(dense)/median(fewer), "times-faster")
			b.ReportMetric(float64(weightsOf(p))/float64(weightsOf(small)), "times-fewer-weights")
			b.ReportMetric(float64(macsOf(b, p))/float64(macsOf(b, small)), "times-fewer-MACs")
			b.ReportMetric(float64(macsOf(b, small))/1e6, "MMACs")
		})
	}
}

// drawer gives a function that draws once and says how many seconds that took.
func drawer(b *testing.B, p *oes.Problem, o runtime.Options) func() float64 {
	s := runtimetest.Open(b, p.Network, o)
	feeds := map[string]*onnx.Tensor{p.Network.Graph.Inputs()[0].Name: p.Z}
	return func() float64 {
		begun := time.Now()
		if _, err := s.Run(b.Context(), feeds); err != nil {
			b.Fatal(err)
		}
		return time.Since(begun).Seconds()
	}
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}

func weightsOf(p *oes.Problem) (n int64) {
	for _, v := range training.Parameters(p.Network.Graph) {
		n += v.Const.Len()
	}
	return n
}

func macsOf(b testing.TB, p *oes.Problem) (n int64) {
	for _, node := range p.Network.Graph.Nodes() {
		if macs, free, ok := op.MACs(node); ok && len(free) == 0 {
			n += macs
		}
	}
	if n == 0 {
		b.Fatal(fmt.Errorf("no product of known size"))
	}
	return n
}
