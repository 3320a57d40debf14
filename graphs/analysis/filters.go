package analysis

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"graft/onnx"
	"graft/onnx/op"
)

// Filters denoises a picture as a whole: W is the convolutions of the picture with square filters, the operator's rows, wherever
// they lie inside the picture. Channels are pictures of their own. The zero Operator is refused.
type Filters struct {
	Operator Operator
	Beta     float64 // what the file recommends for the input of that name
	Optional bool    // beta need not be fed: it is an initializer too. Runtimes in JavaScript then cannot change it
	Solver           // a tolerance is of all planes together
}

// The least and the largest side of filters.
const (
	leastFilter   = 2
	largestFilter = 15
)

// Build makes the model: inputs image, float [N,C,H,W] of any size from a filter's on, and beta, a scalar, which counts as 0 below;
// output denoised, of the image's shape. There is nothing to draw: the seed changes nothing.
func (p Filters) Build(uint64) (*onnx.Model, error) {
	p.Solver = p.Solver.defaults(20)
	m, err := p.build()
	if err != nil {
		return nil, fmt.Errorf("build denoiser of filters: %w", err)
	}
	return m, nil
}

func (p Filters) build() (*onnx.Model, error) {
	if err := p.Operator.check(); err != nil {
		return nil, err
	}
	side, err := p.Operator.side()
	if err != nil {
		return nil, err
	}
	if side < leastFilter || side > largestFilter {
		return nil, unfit("filters of %d pixels a side: wants %d to %d", side, leastFilter, largestFilter)
	}
	if err := p.Solver.check(); err != nil {
		return nil, err
	}
	d, err := newDenoiser("filters", InputImage, pictures, p.Beta, p.Optional)
	if err != nil {
		return nil, err
	}
	f, err := p.form(d, side)
	if err != nil {
		return nil, err
	}
	d.metadata(KeyMethod, MethodFilters, keyOrigin, p.Operator.String(), KeySide, fmt.Sprint(side))
	d.describe(p.Solver)
	b := d.b
	planes := b.ReshapeTo(d.image, b.Concat(0, b.Ints(-1, 1), b.ShapeSlice(d.image, 2, 4)))
	return d.finish(b.ReshapeTo(d.solver(f, p.Solver)(b, planes), b.Shape(d.image)))
}

// convolutions is the form of filters.
type convolutions struct {
	filters *onnx.Value // [filters, 1, side, side]
	forward *onnx.Value // over L
}

func (p Filters) form(d *denoiser, side int) (*convolutions, error) {
	lipschitz := p.Operator.lipschitzOfFilters(side)
	if err := checkNorm(math.Sqrt(lipschitz)); err != nil {
		return nil, err
	}
	forward := mat.DenseCopyOf(p.Operator.matrix())
	forward.Scale(1/lipschitz, forward)
	n := int64(side)
	return &convolutions{filters: d.constant("operator", p.Operator.matrix(), 1, n, n), forward: d.constant("operator.forward", forward, 1, n, n)}, nil
}

func (f *convolutions) begin(b *op.Builder, y *onnx.Value) *block {
	return &block{b: b, y: y, fit: y, first: b.Conv(y, f.forward, nil, op.ConvAttrs{})}
}

func (f *convolutions) ascend(k *block, w *onnx.Value, _, _ float64) *onnx.Value {
	return k.b.Add(w, k.b.Conv(f.primal(k, w), f.forward, nil, op.ConvAttrs{}))
}

func (f *convolutions) primal(k *block, z *onnx.Value) *onnx.Value {
	return k.b.Sub(k.y, k.b.ConvTranspose(z, f.filters, nil, op.ConvAttrs{}))
}

func (*convolutions) scales() bool { return false }

// lipschitzOfFilters bounds the largest eigenvalue of W W^T for pictures of every size: by the largest value over frequencies of the
// sum of the filters' power spectra, a trigonometric polynomial of degree side-1 along each axis. That is at most 1/cos(pi degree/n)
// times its largest value on n equidistant points, for each axis (Ehlich, Zeller 1964).
func (o Operator) lipschitzOfFilters(side int) float64 {
	const n = 128
	largest := 0.0
	cos, sin := [n]float64{}, [n]float64{}
	for i := range n {
		sin[i], cos[i] = math.Sincos(2 * math.Pi * float64(i) / n)
	}
	power := make([]float64, n*n)
	re, im := make([]float64, n*side), make([]float64, n*side) // of the rows' transforms
	for f := range o.Rows {
		h := o.W[f*o.Columns : (f+1)*o.Columns]
		for u := range n {
			for i := range side {
				a, b := 0.0, 0.0
				for j := range side {
					a, b = a+h[i*side+j]*cos[u*j%n], b-h[i*side+j]*sin[u*j%n]
				}
				re[u*side+i], im[u*side+i] = a, b
			}
		}
		for u := range n {
			for v := range n/2 + 1 { // the others are those of the opposite frequency
				a, b := 0.0, 0.0
				for i := range side {
					c, s := cos[v*i%n], sin[v*i%n]
					a, b = a+re[u*side+i]*c+im[u*side+i]*s, b+im[u*side+i]*c-re[u*side+i]*s
				}
				power[u*n+v] += a*a + b*b
			}
		}
	}
	for _, p := range power {
		largest = max(largest, p)
	}
	if largest == 0 {
		return 1
	}
	between := math.Cos(math.Pi * float64(side-1) / n)
	return largest / (between * between) * (1 + 1e-6)
}
