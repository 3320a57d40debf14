//go:build unix

package oes_test

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"graft/graphs"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/runtime/runtimetest"
	"graft/training/oes"
)

// setting is an environment variable's value, or what it usually is.
func setting(name, usual string) string { return cmp.Or(os.Getenv(name), usual) }

// BenchmarkMask is a step of mask learning, BenchmarkSparse one of training what is kept, as graft denoise takes them, of the
// hourglass of the preset $GRAFT_OES_PRESET (quick, paper) for square pictures of the sides $GRAFT_OES_SIZES ("64,128"), on two
// threads or $GRAFT_OES_THREADS. ms/step is the median, after three steps, cpu-ms/step the mean of what they take of the processors: on a
// busy machine that says more. testdata/peers/compare_oes.py runs them beside PyTorch.
func BenchmarkMask(b *testing.B) {
	steps(b, func(p *oes.Problem, steps int64, run oes.Run) error {
		_, err := p.LearnMask(b.Context(), oes.MaskConfig{Steps: steps, Strength: 1}, run)
		return err
	})
}

func BenchmarkSparse(b *testing.B) {
	steps(b, func(p *oes.Problem, steps int64, run oes.Run) error {
		var mask []bool
		for _, v := range p.Network.Graph.Initializers() {
			for i := range v.Const.Len() {
				mask = append(mask, i%20 == 0)
			}
		}
		_, err := p.Fit(b.Context(), oes.FitConfig{Steps: steps, Rate: 1e-2, Mask: mask}, run)
		return err
	})
}

func steps(b *testing.B, do func(p *oes.Problem, steps int64, run oes.Run) error) {
	options := runtimetest.Options(b)
	threads, err := strconv.Atoi(setting("GRAFT_OES_THREADS", "2"))
	if err != nil {
		b.Fatal(err)
	}
	options.Threads = threads
	for size := range strings.SplitSeq(setting("GRAFT_OES_SIZES", "64,128"), ",") {
		b.Run(size, func(b *testing.B) {
			side, err := strconv.ParseInt(size, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			p := picture(b, side)
			const warm = 3
			var last time.Time
			var taken []float64
			var used time.Duration
			run := oes.Run{Session: options, Progress: func(step, _ int64, _, _ float64) {
				now := time.Now()
				if step == warm {
					used = processorTime(b)
				}
				if step > warm {
					taken = append(taken, now.Sub(last).Seconds()*1000)
				}
				last = now
			}}
			if err := do(p, int64(b.N)+warm, run); err != nil {
				b.Fatal(err)
			}
			used = processorTime(b) - used // closing the session is a little of it
			slices.Sort(taken)
			b.ReportMetric(used.Seconds()*1000/float64(len(taken)), "cpu-ms/step")
			b.ReportMetric(taken[len(taken)/2], "ms/step")
		})
	}
}

// processorTime is what the process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// picture is a problem of a preset's network, with noise for a picture: what it shows is no matter of time.
func picture(b *testing.B, side int64) *oes.Problem {
	var network graphs.Hourglass
	switch preset := setting("GRAFT_OES_PRESET", "quick"); preset {
	case "quick":
		network = graphs.QuickHourglass
	case "paper":
	default:
		b.Fatalf("GRAFT_OES_PRESET is %s, wants quick or paper", preset)
	}
	network.Height, network.Width = side, side
	m, err := network.Build(0)
	if err != nil {
		b.Fatal(err)
	}
	p := &oes.Problem{Network: m, Z: oes.NewZ(0, 1, 32, side, side), Noisy: onnx.NewTensor(onnx.Float, 1, 3, side, side),
		Region: oes.Region{Width: int(side), Height: int(side)}}
	noise.Uniform(p.Noisy.Float32s(), noise.NewKey(0, fmt.Sprint("target ", side), 0))
	return p
}
