package analysis

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/gonum/mat"

	"graft/onnx"
	"graft/onnx/op"
)

// Names of the models' ports.
const (
	InputImage     = "image"
	InputSignals   = "signals"
	InputBeta      = "beta"
	OutputDenoised = "denoised"
)

// Keys of the models' metadata.
const (
	KeyMethod = "graft.method"   // MethodPatches, MethodFilters, MethodSignals
	KeySide   = "graft.patch"    // pixels of a patch's or a filter's side: a picture must have as many
	KeyBeta   = "graft.beta"     // what is recommended
	keyOrigin = "graft.operator" // where W comes from, with its size
)

// Values of KeyMethod.
const (
	MethodPatches = "analysis operator on patches"
	MethodFilters = "analysis operator of convolutions"
	MethodSignals = "analysis operator on signals"
)

// Solver says how far the dual problem is solved.
type Solver struct {
	Iterations int64   // of the accelerated projected gradient; with a Tolerance the most. 20 of Patches, 24 if they begin at 0, 20 of Filters; or 500
	Restart    int64   // without a tolerance the momentum begins anew after so many iterations; 0: never
	Tolerance  float64 // above 0 a Loop goes on until the duality gap is at most this fraction of the primal objective, block by block
	Check      int64   // iterations between looks at the gap, 10; where the dual objective rose meanwhile the momentum begins anew
}

func (s Solver) defaults(iterations int64) Solver {
	if s.Iterations == 0 {
		if s.Iterations = iterations; s.Tolerance > 0 {
			s.Iterations = 500
		}
	}
	if s.Check == 0 {
		s.Check = 10
	}
	return s
}

func (s Solver) check() error {
	switch {
	case s.Iterations < 1 || s.Iterations > 100_000 || s.Tolerance == 0 && s.Iterations > 1000:
		return fmt.Errorf("%d iterations: wants 1 to 1000, written out, or up to 100000 with a tolerance", s.Iterations)
	case s.Restart < 0:
		return fmt.Errorf("a restart after %d iterations", s.Restart)
	case !(s.Tolerance >= 0) || s.Tolerance >= 1:
		return fmt.Errorf("a tolerance of %g: wants 0 to 1", s.Tolerance)
	case s.Check < 1 || s.Check > 100:
		return fmt.Errorf("a look at the gap every %d iterations: wants 1 to 100", s.Check)
	}
	return nil
}

// Patches denoises every patch of a picture, Stride pixels apart and the last at the border, and averages them where they
// overlap. Channels are pictures of their own. The zero Operator is refused.
type Patches struct {
	Operator Operator
	Beta     float64 // what the file recommends for the input of that name
	Optional bool    // beta need not be fed: it is an initializer too. Runtimes in JavaScript then cannot change it
	Stride   int64   // 1
	Mean     bool    // a patch's mean is taken off first and put back: W need not be blind to it
	Cold     bool    // z begins at 0, not at a ridge solution; both end at the same
	Solver
	Chunk int64 // at most so many patches of a row are worked on at a time, so that they stay in cache; 0: chosen
}

// chunkElements is how many coefficients are worked on at a time; the table of BenchmarkChunk has others.
const chunkElements = 1 << 14

func (p Patches) defaults() Patches {
	iterations := int64(20)
	if p.Cold {
		iterations = 24
	}
	p.Solver = p.Solver.defaults(iterations)
	if p.Stride == 0 {
		p.Stride = 1
	}
	if p.Chunk == 0 {
		p.Chunk = max(16, chunkElements/int64(max(1, p.Operator.Rows, p.Operator.Columns)))
	}
	return p
}

// Build makes the model: inputs image, float [N,C,H,W] of any size from a patch's on, and beta, a scalar, which counts as 0 below;
// output denoised, of the image's shape. There is nothing to draw: the seed changes nothing.
func (p Patches) Build(uint64) (*onnx.Model, error) {
	m, err := p.defaults().build()
	if err != nil {
		return nil, fmt.Errorf("build denoiser of patches: %w", err)
	}
	return m, nil
}

func (p Patches) build() (*onnx.Model, error) {
	if err := p.Operator.check(); err != nil {
		return nil, err
	}
	side, err := p.Operator.side()
	if err != nil {
		return nil, err
	}
	if err := p.Solver.check(); err != nil {
		return nil, err
	}
	if p.Stride < 1 || p.Stride > int64(side) {
		return nil, fmt.Errorf("a stride of %d: wants 1 to the patch's side of %d, so that every pixel is in a patch", p.Stride, side)
	}
	if p.Chunk < 1 || p.Chunk > 1<<20 {
		return nil, fmt.Errorf("%d patches at a time: wants 1 to %d", p.Chunk, 1<<20)
	}
	d, err := newDenoiser("patches", InputImage, pictures, p.Beta, p.Optional)
	if err != nil {
		return nil, err
	}
	f, err := p.form(d, side)
	if err != nil {
		return nil, err
	}
	c := &cutter{side: int64(side), stride: p.Stride, chunk: p.Chunk}
	d.metadata(KeyMethod, MethodPatches, keyOrigin, p.Operator.String(), KeySide, fmt.Sprint(side), "graft.stride", fmt.Sprint(p.Stride),
		"graft.mean", fmt.Sprint(p.Mean), "graft.cold", fmt.Sprint(p.Cold))
	d.describe(p.Solver)
	return d.finish(c.eachPatch(d.b, d.image, d.solver(f, p.Solver)))
}

// denoiser is the model in the making.
type denoiser struct {
	b           *op.Builder
	image, beta *onnx.Value // what is denoised, and how strongly
	low         *onnx.Value // -beta
	meta        onnx.Metadata
}

// pictures is the shape of any number of pictures of any size.
var pictures = onnx.Shape{{Symbol: "N"}, {Symbol: "C"}, {Symbol: "H"}, {Symbol: "W"}}

func newDenoiser(name, input string, shape onnx.Shape, beta float64, optional bool) (*denoiser, error) {
	if !(beta >= 0) || beta > math.MaxFloat32 {
		return nil, fmt.Errorf("beta of %g: wants a number from 0 on", beta)
	}
	g := onnx.NewGraph(name)
	d := &denoiser{b: op.NewBuilder(g), image: g.AddInput(input, onnx.TensorType{DType: onnx.Float, Shape: shape})}
	var fed *onnx.Value
	if optional {
		fed = g.AddInitializer(InputBeta, onnx.Scalar(float32(beta)))
		g.SetInputs(d.image, fed)
	} else {
		fed = g.AddInput(InputBeta, onnx.TypeOf(onnx.Float))
	}
	d.beta = d.b.Max(fed, d.b.Scalar(fed, 0))
	d.low = d.b.Neg(d.beta)
	d.metadata(KeyBeta, strconv.FormatFloat(beta, 'g', -1, 64))
	return d, nil
}

func (d *denoiser) metadata(pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		d.meta.Set(pairs[i], pairs[i+1])
	}
}

func (d *denoiser) describe(s Solver) {
	d.metadata("graft.iterations", fmt.Sprint(s.Iterations))
	switch {
	case s.Tolerance > 0:
		d.metadata("graft.tolerance", fmt.Sprint(s.Tolerance))
	case s.Restart > 0:
		d.metadata("graft.restart", fmt.Sprint(s.Restart))
	}
}

// leastOpset is the lowest that the models declare.
const leastOpset = 17

func (d *denoiser) finish(y *onnx.Value) (*onnx.Model, error) {
	if err := d.b.Err(); err != nil {
		return nil, err
	}
	g := d.b.Graph()
	g.AddOutput(y, OutputDenoised)
	y.Type = d.image.Type
	g.RemoveUnused()
	m := &onnx.Model{ProducerName: "graft", Graph: g, Metadata: d.meta}
	lowest, err := op.LowestOpset(g)
	if err != nil {
		return nil, err
	}
	m.Declare(max(lowest, leastOpset))
	return m, nil
}

// constant adds a matrix as an initializer, its rows as tensors of the shape row, where one is given. A matrix that float32 cannot
// hold is an error of the builder's.
func (d *denoiser) constant(name string, m mat.Matrix, row ...int64) *onnx.Value {
	rows, columns := m.Dims()
	if row == nil {
		row = []int64{int64(columns)}
	}
	t := onnx.NewTensor(onnx.Float, append([]int64{int64(rows)}, row...)...)
	data := t.Float32s()
	for i := range rows {
		for j := range columns {
			v := float32(m.At(i, j))
			if math.IsInf(float64(v), 0) || v != v {
				d.b.Fail("the operator's numbers are too large for float32: scale it down, and beta up")
			}
			data[i*columns+j] = v
		}
	}
	return d.b.Graph().AddInitializer(name, t)
}
