package analysis

import (
	"context"
	"flag"
	"fmt"
	"math"
	"slices"
	"syscall"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

var (
	benchThreads = flag.Int("threads", 2, "threads of the benchmarks' sessions")
	benchSide    = flag.Int("side", 512, "side of the picture that benchmarks denoise")
)

// drafted begins a model, with the form of p or, where two is set, with the two products of an iteration as they stand.
func drafted(t testing.TB, p Patches, two bool) (*denoiser, form) {
	t.Helper()
	d, err := newDenoiser("drafted", InputImage, pictures, p.Beta, false)
	if err != nil {
		t.Fatal(err)
	}
	side, err := p.Operator.side()
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.form(d, side)
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := f.(*gram); ok && two {
		f = &pair{products: g.products}
	}
	return d, f
}

// productsAlone is the model of a Scan over [chunks, patches, pixels] whose body has the matrix products of a denoiser alone, as many as it
// has and one after the other, with the same matrices: those with W^T/L and of the start, which one takes in as the other's sum, those of the
// iterations, and that of x.
func productsAlone(t testing.TB, p Patches, two bool) *onnx.Model {
	t.Helper()
	d, f := drafted(t, p, two)
	g := d.b.Graph()
	blocks := g.AddInput("blocks", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "M"}, {Symbol: "P"}, {Size: int64(p.Operator.Columns)}}})
	g.SetInputs(blocks)
	y := each(d.b, blocks, blocks.Type.Shape[1:], func(b *op.Builder, y *onnx.Value) *onnx.Value {
		var shared products
		step := func(z *onnx.Value) *onnx.Value { return z }
		switch f := f.(type) {
		case *gram:
			shared, step = f.products, func(z *onnx.Value) *onnx.Value { return b.MatMul(z, f.step) }
		case *pair:
			shared, step = f.products, func(z *onnx.Value) *onnx.Value { return b.MatMul(b.MatMul(z, f.back), f.forward) }
		}
		z, steps := b.MatMul(y, shared.forward), p.Iterations-1 // the first is of z = 0
		if shared.start != nil {
			z, steps = b.Gemm(y, shared.start, z, op.GemmAttrs{}), p.Iterations
		}
		for range steps {
			z = step(z)
		}
		return b.MatMul(z, shared.back)
	})
	if err := d.b.Err(); err != nil {
		t.Fatal(err)
	}
	g.AddOutput(y, "products")
	g.RemoveUnused()
	m := &onnx.Model{ProducerName: "graft", Graph: g}
	m.Declare(op.Opset)
	return m
}

// twoProducts is the denoiser with the two products of an iteration as they stand.
func twoProducts(t testing.TB, p Patches) *onnx.Model {
	t.Helper()
	d, f := drafted(t, p, true)
	side, _ := p.Operator.side()
	c := &cutter{side: int64(side), stride: p.Stride, chunk: p.Chunk}
	m, err := d.finish(c.eachPatch(d.b, d.image, d.solver(f, p.Solver)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// learnedLike is an operator with the spectrum of learned ones: orthonormal rows blind to the mean, times singular values that fall by
// ten.
func learnedLike(side int) Operator {
	o := DCT(side)
	n := o.Columns
	o.W = append(o.W, make([]float64, n)...) // as many rows as pixels, the last one of zeros
	o.Rows++
	for i := range n {
		s := math.Pow(10, -float64(i)/float64(n))
		for j := range n {
			o.W[i*n+j] *= s
		}
	}
	mixed := make([]float64, len(o.W)) // rows mixed by a Hadamard matrix, so that their inner products are not 0
	for i := range n {
		for k := range n {
			sign := 1.0
			for bits := i & k; bits > 0; bits &= bits - 1 {
				sign = -sign
			}
			for j := range n {
				mixed[i*n+j] += sign / math.Sqrt(float64(n)) * o.W[k*n+j]
			}
		}
	}
	o.W, o.Origin = mixed, "mixed"
	return o
}

// measured is what benchmarks take: the operator of -operator, or one like a learned one.
func measured(t testing.TB) Patches {
	if *learnedFile == "" {
		return Patches{Operator: learnedLike(8), Beta: 0.08}.defaults()
	}
	o, beta := learnedOperator(t)
	return Patches{Operator: o, Beta: beta, Mean: true}.defaults()
}

// usage is the processor time of the process.
func usage() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// racer is what is timed beside others.
type racer struct {
	name       string
	s          *runtime.Session
	feeds      map[string]*onnx.Tensor
	wall, work []float64
}

// race runs all in turns and reports the least times, by the clock and of the processors, in milliseconds, and their ratios to the
// first.
func race(b *testing.B, list []*racer) {
	b.Helper()
	ctx := context.Background()
	for range max(3, b.N) {
		for _, r := range list {
			at, used := time.Now(), usage()
			if _, err := r.s.Run(ctx, r.feeds); err != nil {
				b.Fatal(err)
			}
			r.wall = append(r.wall, time.Since(at).Seconds())
			r.work = append(r.work, (usage() - used).Seconds())
		}
	}
	for _, r := range list {
		b.Logf("%-28s %7.1f ms, %7.1f ms of processors; over the first %.2f, %.2f", r.name, 1e3*slices.Min(r.wall), 1e3*slices.Min(r.work),
			slices.Min(r.wall)/slices.Min(list[0].wall), slices.Min(r.work)/slices.Min(list[0].work))
	}
}

func entrant(b *testing.B, name string, m *onnx.Model, feeds map[string]*onnx.Tensor) *racer {
	b.Helper()
	o := runtimetest.Options(b)
	o.Threads = *benchThreads
	return &racer{name: name, s: runtimetest.Open(b, m, o), feeds: feeds}
}

// built builds or ends the benchmark.
func built(b *testing.B, n interface {
	Build(uint64) (*onnx.Model, error)
}) *onnx.Model {
	b.Helper()
	m, err := n.Build(0)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// alone is the racer of the products of p on a picture's patches, in the chunks that the model cuts.
func alone(b *testing.B, name string, p Patches, two bool, image *onnx.Tensor) *racer {
	side := int64(math.Sqrt(float64(p.Operator.Columns)))
	count := image.Dims[3] - side + 1
	chunks := (count + p.Chunk - 1) / p.Chunk
	size := (count + chunks - 1) / chunks
	blocks := onnx.NewTensor(onnx.Float, image.Dims[0]*image.Dims[1]*(image.Dims[2]-side+1)*chunks, size, side*side)
	for i := range blocks.Float32s() {
		blocks.Float32s()[i] = image.Float32s()[i%len(image.Float32s())] - 0.5
	}
	return entrant(b, name, productsAlone(b, p, two), map[string]*onnx.Tensor{"blocks": blocks})
}

// BenchmarkDenoise holds a denoiser of 8x8 patches, stride 1, with as many iterations as there are, against its matrix products alone, which the first line
// is, and other forms of the same.
func BenchmarkDenoise(b *testing.B) {
	image := noisyPhoto(b, testPhoto, *benchSide)
	p := measured(b)
	race(b, []*racer{
		alone(b, "products alone", p, false, image), entrant(b, "denoiser", built(b, p), p.feeds(image)),
		alone(b, "two products a step alone", p, true, image), entrant(b, "two products a step", twoProducts(b, p), p.feeds(image)),
	})
}

// BenchmarkUntil times denoisers with a stopping rule beside the one without.
func BenchmarkUntil(b *testing.B) {
	image := noisyPhoto(b, testPhoto, *benchSide)
	p := measured(b)
	list := []*racer{entrant(b, "written out", built(b, p), p.feeds(image))}
	for _, tolerance := range []float64{1e-2, 1e-3} {
		until := p
		until.Tolerance, until.Iterations = tolerance, 200
		list = append(list, entrant(b, fmt.Sprint("until gap ", tolerance), built(b, until), p.feeds(image)))
	}
	race(b, list)
}

// BenchmarkChunk tries numbers of patches that are worked on at a time.
func BenchmarkChunk(b *testing.B) {
	image := noisyPhoto(b, testPhoto, *benchSide)
	var list []*racer
	for _, chunk := range []int64{32, 64, 128, 256, 512, 1024} {
		p := measured(b)
		p.Chunk = chunk
		list = append(list, alone(b, fmt.Sprint("products, chunks of ", chunk), p, false, image), entrant(b, fmt.Sprint("denoiser, chunks of ", chunk), built(b, p), p.feeds(image)))
	}
	race(b, list)
}

// BenchmarkFilters times 48 filters of 7x7 on the whole picture.
func BenchmarkFilters(b *testing.B) {
	image := noisyPhoto(b, testPhoto, *benchSide)
	p := Filters{Operator: DCT(7), Beta: 0.02}
	race(b, []*racer{entrant(b, "48 filters of 7x7", built(b, p), Patches{Beta: p.Beta}.feeds(image))})
}
