package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training/autodiff"
)

// function builds an expression of its arguments.
type function func(b *op.Builder, x []*onnx.Value) *onnx.Value

// example is a function whose gradients are checked at a point, in every argument, first and second order.
type example struct {
	name string
	args []*onnx.Tensor // float64
	f    function
	// float32 runs the gradients in float32, for operators whose kernels know nothing else; reference is the same function
	// in operators that have float64 kernels: differences are taken of it.
	float32   bool
	reference function
	tolerance float64 // relative; 0: 1e-6, or 2e-5 in float32
	firstOnly bool
}

// program is a compiled graph: arguments in, outputs out.
type program struct {
	session *runtime.Session
	dtype   onnx.DataType
}

func compile(t testing.TB, d onnx.DataType, args []*onnx.Tensor, build func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error)) program {
	t.Helper()
	types := make([]onnx.TensorType, len(args))
	for i, a := range args {
		types[i] = onnx.TypeOf(d, a.Dims...)
	}
	return compileTypes(t, d, types, build)
}

func compileTypes(t testing.TB, d onnx.DataType, types []onnx.TensorType, build func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error)) program {
	t.Helper()
	g := onnx.NewGraph("test")
	xs := make([]*onnx.Value, len(types))
	for i, ty := range types {
		xs[i] = g.AddInput(fmt.Sprintf("x%d", i), ty)
	}
	b := op.NewBuilder(g)
	outs, err := build(b, xs)
	if err == nil {
		err = b.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outs {
		g.AddOutput(b.Identity(o), fmt.Sprintf("y%d", i))
	}
	g.RemoveUnused() // nodes in whose place expressions are
	low, err := op.LowestOpset(g)
	if err != nil {
		t.Fatal(err)
	}
	m := &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: max(low, op.Opset)}}, Graph: g}
	s := runtimetest.Open(t, m, runtimetest.OneThread(t))
	return program{s, d}
}

func (p program) run(t testing.TB, args []*onnx.Tensor) []*onnx.Tensor {
	t.Helper()
	feeds := map[string]*onnx.Tensor{}
	for i, a := range args {
		name := fmt.Sprintf("x%d", i)
		for _, in := range p.session.Inputs() {
			if in.Name == name {
				feeds[name] = convert(a, p.dtype)
			}
		}
	}
	got, err := p.session.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*onnx.Tensor, len(got))
	for i := range out {
		out[i] = convert(got[fmt.Sprintf("y%d", i)], onnx.Double)
	}
	return out
}

func convert(t *onnx.Tensor, d onnx.DataType) *onnx.Tensor {
	if t.DType == d || !t.DType.IsFloat() {
		return t
	}
	out := onnx.NewTensor(d, t.Dims...)
	if d == onnx.Float {
		for i, v := range onnx.View[float64](t) {
			out.Float32s()[i] = float32(v)
		}
	} else {
		for i, v := range t.Float32s() {
			onnx.View[float64](out)[i] = float64(v)
		}
	}
	return out
}

// projected is the sum of v's elements, each times a fixed random number.
func projected(b *op.Builder, v *onnx.Value, seed uint64) *onnx.Value {
	dims, ok := v.Type.Shape.Sizes()
	if !ok {
		b.Fail("projection of a value of unknown shape %v", v.Type)
		return nil
	}
	r := random(seed, dims...)
	return b.ReduceSum(b.Mul(v, b.Const(convert(r, v.Type.DType))), false)
}

func random(seed uint64, dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Double, dims...)
	rng := rand.New(rand.NewPCG(seed, 7))
	for i := range onnx.View[float64](t) {
		onnx.View[float64](t)[i] = 2*rng.Float64() - 1
	}
	return t
}

// integers is a tensor of small whole numbers.
func integers(seed uint64, dims ...int64) *onnx.Tensor {
	t := random(seed, dims...)
	for i, v := range onnx.View[float64](t) {
		onnx.View[float64](t)[i] = math.Round(3 * v)
	}
	return t
}

// scaled is lo + (hi-lo) u with u uniform.
func scaled(seed uint64, lo, hi float64, dims ...int64) *onnx.Tensor {
	t := random(seed, dims...)
	for i, v := range onnx.View[float64](t) {
		onnx.View[float64](t)[i] = lo + (hi-lo)*(v+1)/2
	}
	return t
}

// spaced is a permutation of numbers that are 0.37 apart, none near 0: no ties, no kinks.
func spaced(seed uint64, dims ...int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Double, dims...)
	v := onnx.View[float64](t)
	for i, p := range rand.New(rand.NewPCG(seed, 3)).Perm(len(v)) {
		v[i] = (float64(p-len(v)/2) + 0.5) * 0.37
	}
	return t
}

func (e example) run(t *testing.T) {
	d, tolerance := onnx.Double, 1e-6
	if e.float32 {
		d, tolerance = onnx.Float, 2e-5
	}
	if e.tolerance > 0 {
		tolerance = e.tolerance
	}
	reference := e.f
	if e.reference != nil {
		reference = e.reference
	}
	first := func(f function) func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		return func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
			y := projected(b, f(b, x), 1)
			if b.Err() != nil {
				return nil, b.Err()
			}
			return autodiff.Gradients(b.Graph(), y, x)
		}
	}
	directional := func(f function) function { // sum_i <df/dx_i, R_i>
		return func(b *op.Builder, x []*onnx.Value) *onnx.Value {
			ds, err := first(f)(b, x)
			if err != nil {
				b.Fail("%w", err)
				return nil
			}
			var parts []*onnx.Value
			for i, d := range ds {
				parts = append(parts, b.Reshape(projected(b, d, uint64(i+2)), 1))
			}
			return b.Sum(parts...)
		}
	}
	value := compile(t, onnx.Double, e.args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		return []*onnx.Value{projected(b, reference(b, x), 1)}, b.Err()
	})
	gradient := compile(t, d, e.args, first(e.f))
	e.compare(t, "first order", value, gradient, tolerance)
	if e.firstOnly {
		return
	}
	slope := compile(t, onnx.Double, e.args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		y := directional(reference)(b, x)
		return []*onnx.Value{y}, b.Err()
	})
	second := compile(t, d, e.args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		y := directional(e.f)(b, x)
		if b.Err() != nil {
			return nil, b.Err()
		}
		return autodiff.Gradients(b.Graph(), y, x)
	})
	e.compare(t, "second order", slope, second, 4*tolerance)
}

// compare checks the gradients against central differences along random directions, one argument at a time.
func (e example) compare(t *testing.T, what string, value, gradient program, tolerance float64) {
	t.Helper()
	grads := gradient.run(t, e.args)
	const h = 1e-5
	for i := range grads {
		a, scale := e.args[i], 1e-3
		for _, g := range onnx.View[float64](grads[i]) {
			scale = math.Max(scale, math.Abs(g))
		}
		for trial := range uint64(3) {
			dir := random(100+trial+10*uint64(i), a.Dims...)
			at := func(h float64) float64 {
				moved := a.Clone()
				for j, v := range onnx.View[float64](dir) {
					onnx.View[float64](moved)[j] += h * v
				}
				args := append([]*onnx.Tensor(nil), e.args...)
				args[i] = moved
				return onnx.View[float64](value.run(t, args)[0])[0]
			}
			want := (at(h) - at(-h)) / (2 * h)
			got := 0.0
			for j, v := range onnx.View[float64](dir) {
				got += v * onnx.View[float64](grads[i])[j]
			}
			if !(math.Abs(got-want) <= tolerance*math.Sqrt(float64(a.Len()))*scale) {
				t.Errorf("%s: argument %d: %g by rule, %g by differences (largest entry %g)", what, i, got, want, scale)
			}
		}
	}
}
