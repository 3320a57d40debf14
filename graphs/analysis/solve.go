package analysis

import (
	"math"

	"graft/onnx"
	"graft/onnx/op"
)

// form is a way of computing with W. Its matrices are initializers of the model, its products nodes of the block's graph.
type form interface {
	// begin prepares a block of patches, or a picture.
	begin(b *op.Builder, y *onnx.Value) *block
	// ascend is out (v + W(y - W^T v)/L) at v = scale w.
	ascend(k *block, w *onnx.Value, scale, out float64) *onnx.Value
	// primal is y - W^T z.
	primal(k *block, z *onnx.Value) *onnx.Value
	// scales says whether other factors than 1 cost nothing in ascend.
	scales() bool
}

// block is what is solved together.
type block struct {
	b     *op.Builder
	y     *onnx.Value
	fit   *onnx.Value // y, or y without its means, for a form that goes back to it
	first *onnx.Value // W fit / L
	start *onnx.Value // what z begins with, before it is clipped; nil: 0
}

// in is the block for the nodes of a body inside its graph.
func (k *block) in(g *onnx.Graph) *block {
	inner := *k
	inner.b = k.b.Inside(g)
	return &inner
}

// solver gives x for y as nodes of a builder.
func (d *denoiser) solver(f form, s Solver) solver {
	if s.Tolerance > 0 {
		return func(b *op.Builder, y *onnx.Value) *onnx.Value {
			k := f.begin(b, y)
			return f.primal(k, d.until(f, k, s))
		}
	}
	steps := d.schedule(f, s)
	return func(b *op.Builder, y *onnx.Value) *onnx.Value {
		k := f.begin(b, y)
		return f.primal(k, d.unrolled(f, k, steps))
	}
}

// step is one iteration z' = clip(v + W(y - W^T v)/L, -beta, beta) at v = z + momentum (z - z before), with z kept times its scale.
//
// v is (1+m) times z - c z before, c = m/(1+m). Where the scales of the two have the ratio c, v is a difference times a number, which
// a matrix product takes in without a pass of its own.
type step struct {
	momentum  float64
	scale     float64     // of what the step gives
	low, high *onnx.Value // the bounds at that scale
}

// largestScale is where scales begin anew, at the cost of one product by a number: they about double with every step.
const largestScale = 1 << 60

// schedule plans the iterations; bounds are computed once, in the model's outermost graph.
func (d *denoiser) schedule(f form, s Solver) []step {
	list := make([]step, s.Iterations)
	momenta := s.momenta()
	before := 1.0
	for i := range list {
		list[i] = step{momentum: momenta[i], scale: 1, low: d.low, high: d.beta}
		if i+1 < len(list) && momenta[i+1] > 0 && f.scales() {
			if scale := before * (1 + momenta[i+1]) / momenta[i+1]; scale <= largestScale {
				list[i].scale = scale
				list[i].high = d.b.Mul(d.beta, d.b.Scalar(d.beta, scale))
				list[i].low = d.b.Neg(list[i].high)
			}
		}
		before = list[i].scale
	}
	return list
}

// momenta are (t - 1)/t' with t' = (1 + sqrt(1 + 4 t^2))/2 from t = 1 on, after a restart again; the first step has none to go by.
func (s Solver) momenta() []float64 {
	list, t := make([]float64, s.Iterations), 1.0
	for i := range list[1:] {
		next := (1 + math.Sqrt(1+4*t*t)) / 2
		if list[i+1] = (t - 1) / next; s.Restart > 0 && int64(i+1)%s.Restart == 0 {
			list[i+1], next = 0, 1
		}
		t = next
	}
	return list
}

// unrolled is z after the steps.
func (d *denoiser) unrolled(f form, k *block, steps []step) *onnx.Value {
	b := k.b
	z := k.first // of z = 0
	if k.start != nil {
		z = f.ascend(k, b.Clip(k.start, d.low, d.beta), 1, steps[0].scale)
	}
	z = b.Clip(z, steps[0].low, steps[0].high)
	var before *onnx.Value
	for i, s := range steps[1:] {
		w, scale := z, 1/steps[i].scale
		if s.momentum > 0 {
			w, scale = b.Sub(z, d.rescaled(b, before, s.momentum, steps[i-1].scale, steps[i].scale)), (1+s.momentum)/steps[i].scale
		}
		if !f.scales() && scale != 1 {
			w, scale = b.Mul(w, b.Scalar(w, scale)), 1
		}
		before, z = z, b.Clip(f.ascend(k, w, scale, s.scale), s.low, s.high)
	}
	return z
}

// rescaled is c times what has scale from, at scale to.
func (d *denoiser) rescaled(b *op.Builder, v *onnx.Value, momentum, from, to float64) *onnx.Value {
	factor := momentum / (1 + momentum) * to / from
	if math.Abs(factor-1) < 1e-9 {
		return v
	}
	return b.Mul(v, b.Scalar(v, factor))
}
