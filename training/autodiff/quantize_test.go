package autodiff_test

import (
	"math"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/training/autodiff"
)

// grainCase is a granularity of scales over data of 3x5.
type grainCase struct {
	name  string
	scale []int64
	attrs []onnx.Attr
	at    func(row, column int64) int64 // the scale of an element
}

var grains = []grainCase{
	{"one", nil, nil, func(_, _ int64) int64 { return 0 }},
	{"vector of one", []int64{1}, nil, func(_, _ int64) int64 { return 0 }},
	{"rows", []int64{3}, []onnx.Attr{onnx.Int("axis", 0)}, func(r, _ int64) int64 { return r }},
	{"columns", []int64{5}, []onnx.Attr{onnx.Int("axis", -1)}, func(_, c int64) int64 { return c }},
	{"blocks", []int64{3, 3}, []onnx.Attr{onnx.Int("axis", 1), onnx.Int("block_size", 2)}, func(r, c int64) int64 { return 3*r + c/2 }},
}

// TestDequantizeScale checks the gradient of the scale against differences.
func TestDequantizeScale(t *testing.T) {
	levels := []int8{-128, -3, 0, 2, 127, 5, 6, -7, 8, 9, 1, 1, 2, 3, 4}
	zeros := []int8{3, -2, 5, 0, 1, 7, -4, 2, 9}
	for _, c := range grains {
		count := int64(1)
		for _, d := range c.scale {
			count *= d
		}
		var difference []float64
		for i, q := range levels {
			difference = append(difference, float64(q)-float64(zeros[c.at(int64(i)/5, int64(i)%5)]))
		}
		e := example{name: c.name, args: tensors{scaled(1, 0.01, 0.02, c.scale...)}, float32: true,
			f: func(b *op.Builder, v values) *onnx.Value {
				q := b.Const(onnx.FromSlice(levels, 3, 5))
				zero := onnx.FromSlice(zeros[:count], count)
				zero.Dims = c.scale
				return b.Exp(node("DequantizeLinear", c.attrs...)(b, values{q, v[0], b.Const(zero)}))
			},
			reference: func(b *op.Builder, v values) *onnx.Value {
				at := make([]int64, 15)
				for i := range at {
					at[i] = c.at(int64(i)/5, int64(i)%5)
				}
				each := b.Gather(b.Reshape(v[0], -1), b.Const(onnx.FromSlice(at, 3, 5)), 0)
				return b.Exp(b.Mul(each, b.Const(onnx.FromSlice(difference, 3, 5))))
			}}
		t.Run(c.name, e.run)
	}
}

// straightThrough gives the gradients of sum w DQ(QL(x)) in x and the scale.
func straightThrough(t *testing.T, build func(b *op.Builder, v values) *onnx.Value, args ...*onnx.Tensor) [][]float64 {
	t.Helper()
	p := compile(t, onnx.Float, args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
		y := b.ReduceSum(b.Mul(build(b, x), b.Const(convert(random(9, args[0].Dims...), onnx.Float))), false)
		if b.Err() != nil {
			return nil, b.Err()
		}
		return autodiff.Options{StraightThrough: true}.Gradients(b.Graph(), y, x)
	})
	var out [][]float64
	for _, g := range p.run(t, args) {
		out = append(out, onnx.View[float64](g))
	}
	return out
}

// TestStraightThrough holds the gradients through a pair of QuantizeLinear and DequantizeLinear to the definition: that of the
// input passes inside the range; that of the step size s is q-z outside and q-z - x/s inside.
func TestStraightThrough(t *testing.T) {
	for _, c := range grains {
		for _, d := range []struct {
			name   string
			zeros  *onnx.Tensor
			lo, hi float64
		}{
			{"int8", onnx.FromSlice([]int8{3, -2, 5, 0, 1, 7, -4, 2, 9}), -128, 127},
			{"uint8", onnx.FromSlice([]uint8{3, 12, 5, 0, 1, 7, 14, 2, 9}), 0, 255},
			{"int16", onnx.FromSlice([]int16{3, -2, 5, 0, 1, 7, -4, 2, 9}), -32768, 32767},
			{"uint8 without a zero", nil, 0, 255},
		} {
			t.Run(c.name+" "+d.name, func(t *testing.T) {
				x, s := scaled(1, -40, 40, 3, 5), scaled(2, 0.125, 0.25, c.scale...)
				zero := func(i int64) float64 {
					switch {
					case d.zeros == nil:
						return 0
					case d.zeros.DType == onnx.Int8:
						return float64(onnx.View[int8](d.zeros)[i])
					case d.zeros.DType == onnx.Uint8:
						return float64(onnx.View[uint8](d.zeros)[i])
					}
					return float64(onnx.View[int16](d.zeros)[i])
				}
				build := func(b *op.Builder, v values) *onnx.Value {
					var z *onnx.Value
					if d.zeros != nil {
						part := onnx.NewTensor(d.zeros.DType, c.scale...)
						copy(part.Data, d.zeros.Data)
						z = b.Const(part)
					}
					q := node("QuantizeLinear", c.attrs...)(b, values{v[0], v[1], z})
					return node("DequantizeLinear", c.attrs...)(b, values{q, v[1], z})
				}
				got := straightThrough(t, build, x, s)
				w := convert(convert(random(9, 3, 5), onnx.Float), onnx.Double)
				ds, inside := make([]float64, s.Len()), 0
				for i := range int64(15) {
					k := c.at(i/5, i%5)
					steps := onnx.View[float64](x)[i] / onnx.View[float64](s)[k]
					q := math.RoundToEven(steps) + zero(k)
					dy, dx := onnx.View[float64](w)[i], 0.0
					clipped := math.Min(math.Max(q, d.lo), d.hi)
					ds[k] += dy * (clipped - zero(k))
					if clipped == q {
						dx = dy
						ds[k] -= dy * steps
						inside++
					}
					if math.Abs(got[0][i]-dx) > 1e-6 {
						t.Fatalf("dx[%d] = %v, want %v", i, got[0][i], dx)
					}
				}
				for k, want := range ds {
					if math.Abs(got[1][k]-want) > 1e-3 {
						t.Errorf("dscale[%d] = %v, want %v", k, got[1][k], want)
					}
				}
				if inside == 0 || d.name != "int16" && inside == 15 {
					t.Errorf("%d of 15 inside the range: not a test of both", inside)
				}
			})
		}
	}
}

// Scales that are not the same leave their ratio, equal constants none; a dynamic range passes everything.
func TestStraightThroughPairs(t *testing.T) {
	x := onnx.FromSlice([]float64{-20, -1, 0.3, 2, 30}, 5)
	w := onnx.View[float64](convert(convert(random(9, 5), onnx.Float), onnx.Double))
	constant := func(b *op.Builder, v float32) *onnx.Value { return b.Const(onnx.Scalar(v)) }
	for _, c := range []struct {
		name  string
		build func(b *op.Builder, v values) *onnx.Value
		want  []float64
	}{
		{"equal", func(b *op.Builder, v values) *onnx.Value {
			q := node("QuantizeLinear")(b, values{v[0], constant(b, 0.1)})
			return node("DequantizeLinear")(b, values{q, constant(b, 0.1)})
		}, []float64{0, 0, 1, 1, 0}},
		{"ratio", func(b *op.Builder, v values) *onnx.Value {
			q := node("QuantizeLinear")(b, values{v[0], constant(b, 0.25)})
			return node("DequantizeLinear")(b, values{q, constant(b, 0.5)})
		}, []float64{0, 0, 2, 2, 2}},
		{"dynamic", func(b *op.Builder, v values) *onnx.Value {
			q := b.Node("DynamicQuantizeLinear", v, 3)
			return node("DequantizeLinear")(b, q)
		}, []float64{1, 1, 1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i, got := range straightThrough(t, c.build, x)[0] {
				if want := c.want[i] * w[i]; math.Abs(got-want) > 1e-6 {
					t.Errorf("dx[%d] = %v, want %v", i, got, want)
				}
			}
		})
	}
}

// TestDynamicScale: the step of a dynamic range follows the largest and the least element.
func TestDynamicScale(t *testing.T) {
	for _, c := range []struct{ x, want []float64 }{
		{[]float64{-2, 1, 3, 0}, []float64{-1, 0, 1, 0}},
		{[]float64{2, 1, 3, 3}, []float64{0, 0, 0.5, 0.5}},
		{[]float64{-2, -1}, []float64{-1, 0}},
	} {
		got := slopes(t, func(b *op.Builder, v values) *onnx.Value { return b.Node("DynamicQuantizeLinear", v, 3)[1] }, onnx.FromSlice(c.x))[0]
		for i, want := range c.want {
			if math.Abs(got[i]-want/255) > 1e-8 {
				t.Errorf("x %v: gradient %v, want %v / 255", c.x, got, c.want)
				break
			}
		}
	}
}

// TestQuantizedRefusals: what rounds is refused unless asked to pass, and what computes with integers always.
func TestQuantizedRefusals(t *testing.T) {
	g := onnx.NewGraph("quantized")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 2))
	b := op.NewBuilder(g)
	scale := b.Const(onnx.Scalar(float32(0.5)))
	q := node("QuantizeLinear")(b, values{x, scale})
	plain := b.ReduceSum(node("DequantizeLinear")(b, values{q, scale}), false)
	moved := b.ReduceSum(node("DequantizeLinear")(b, values{b.Transpose(q), scale}), false)
	product := b.ReduceSum(b.Cast(node("MatMulInteger")(b, values{q, q}), onnx.Float), false)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	for _, c := range []struct {
		y        *onnx.Value
		straight bool
		want     string
	}{
		{plain, false, "straight-through"},
		{plain, true, ""},
		{moved, true, "Transpose at Transpose: reads the quantized"},
		{product, true, "MatMulInteger at MatMulInteger: " + "works on integers"},
	} {
		_, err := autodiff.Options{StraightThrough: c.straight}.Gradients(g, c.y, values{x})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("error %v, want one about %q", err, c.want)
		}
	}
}
