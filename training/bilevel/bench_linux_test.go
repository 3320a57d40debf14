package bilevel

import (
	"flag"
	"fmt"
	"math"
	"syscall"
	"testing"

	"gonum.org/v1/gonum/floats"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

var mostSteps = flag.Int("unrolled-steps", 800, "most steps of the unrolled solver in BenchmarkGradient; opening takes their square")

// benchBatch is how many signals the benchmarks have.
const benchBatch = 64

// peerProblem is what testdata/peers/bilevel.py makes too, bit for bit: staircases with noise, and first differences that are as much off
// as a learned operator's, with a row of nothing but that.
func peerProblem(n int) (w, y, truth []float64, beta float64) {
	state := uint64(n)
	uniform := func() float64 {
		state = state*6364136223846793005 + 1442695040888963407
		return float64(state>>11) / (1 << 53)
	}
	normal := func() float64 { // the sum of twelve, nearly normal
		sum := -6.0
		for range 12 {
			sum += uniform()
		}
		return sum
	}
	w = make([]float64, n*n)
	for i := range n {
		for j := range n {
			w[i*n+j] = 0.02 * normal()
		}
		if i+1 < n {
			w[i*n+i]--
			w[i*n+i+1]++
		}
	}
	y, truth = make([]float64, benchBatch*n), make([]float64, benchBatch*n)
	for i := range truth {
		if jump := uniform(); i%n == 0 || jump < 0.1 {
			truth[i] = uniform()
		} else {
			truth[i] = truth[i-1]
		}
		y[i] = truth[i] + 0.1*normal()
	}
	return w, y, truth, 0.15
}

// cpu reports the processor time that an operation takes, of all threads: what a busy machine leaves as it is.
func cpu(b *testing.B, f func()) {
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f()
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		b.Fatal(err)
	}
	spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(spent)/1e6/float64(b.N), "cpu-ms/op")
}

func gradient[T Float](b testing.TB, n int, w []float64, y, truth []T, beta float64, c Config) (*Solution[T], *Gradient) {
	s := solve(b, operator(b, n, n, w), beta, y, c)
	_, g, err := s.HalfSquare(truth)
	if err != nil {
		b.Fatal(err)
	}
	d, err := s.Gradient(g)
	if err != nil {
		b.Fatal(err)
	}
	return s, d
}

// BenchmarkGradient times an operator, its solutions for a batch from nothing, and the gradient; beside it, automatic differentiation
// through the unrolled solver on ONNX Runtime, of as few steps, doubled each time, as have the gradient to a part in a million.
func BenchmarkGradient(b *testing.B) {
	for _, n := range []int{32, 64, 256} {
		w, y, truth, beta := peerProblem(n)
		_, exact := gradient(b, n, w, y, truth, beta, Config{})
		for m := range methodNames {
			b.Run(fmt.Sprintf("n=%d/closed,%v", n, Method(m)), func(b *testing.B) {
				cpu(b, func() { gradient(b, n, w, y, truth, beta, Config{Method: Method(m)}) })
			})
		}
		b.Run(fmt.Sprintf("n=%d/closed,float32", n), func(b *testing.B) {
			y, truth := convert[float32](y), convert[float32](truth)
			cpu(b, func() { gradient(b, n, w, y, truth, beta, Config{}) })
		})
		b.Run(fmt.Sprintf("n=%d/gradient-alone", n), func(b *testing.B) {
			s, _ := gradient(b, n, w, y, truth, beta, Config{})
			_, g, err := s.HalfSquare(truth)
			if err != nil {
				b.Fatal(err)
			}
			cpu(b, func() {
				if _, err := s.Gradient(g); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run(fmt.Sprintf("n=%d/unrolled", n), func(b *testing.B) {
			size := []int64{benchBatch, int64(n)}
			feed := map[string]*onnx.Tensor{"y": onnx.FromSlice(y, size...), "truth": onnx.FromSlice(truth, size...), "w": onnx.FromSlice(w, int64(n), int64(n))}
			options := runtimetest.Options(b)
			options.Optimization = runtime.OptimizeNone // runs as fast, and opens in half the time
			for steps := 50; ; steps *= 2 {
				session := unrolled(b, Unrolled{Rows: n, Cols: n, Samples: benchBatch, Type: onnx.Double, Steps: steps, Step: 1 / operator(b, n, n, w).lipschitz(), Beta: beta}, options)
				out, err := session.Run(b.Context(), feed)
				if err != nil {
					b.Fatal(err)
				}
				off := floats.Distance(onnx.Read[float64](out["dw"]), exact.W, math.Inf(1)) / floats.Norm(exact.W, math.Inf(1))
				if off > 1e-6 && 2*steps <= *mostSteps {
					session.Close()
					continue
				}
				cpu(b, func() {
					if _, err := session.Run(b.Context(), feed); err != nil {
						b.Fatal(err)
					}
				})
				b.ReportMetric(off, "error")
				b.ReportMetric(float64(steps), "steps")
				return
			}
		})
	}
}

// BenchmarkSolve times the forward solution of the same batches, the operator's numbers among it.
func BenchmarkSolve(b *testing.B) {
	for _, n := range []int{32, 64, 256} {
		w, y, _, beta := peerProblem(n)
		for m := range methodNames {
			for _, plain := range []bool{false, true} {
				b.Run(fmt.Sprintf("n=%d/%v,plain=%t", n, Method(m), plain), func(b *testing.B) {
					worst, iterations := 0.0, 0
					cpu(b, func() {
						s := solve(b, operator(b, n, n, w), beta, y, Config{Method: Method(m), Plain: plain})
						worst = floats.Max(s.Gap)
						for _, i := range s.Iterations {
							iterations = max(iterations, i)
						}
					})
					b.ReportMetric(worst, "gap")
					b.ReportMetric(float64(iterations), "iterations")
				})
			}
		}
	}
}
