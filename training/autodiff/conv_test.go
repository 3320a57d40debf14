package autodiff_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime/runtimetest"
	"graft/training/autodiff"
)

// convCases are geometries of Conv: sizes of x [N,C,...], w [O,C/g,...] and attributes.
var convCases = []struct {
	name string
	x, w []int64
	a    op.ConvAttrs
}{
	{"5x5", []int64{1, 3, 9, 8}, []int64{4, 3, 5, 5}, op.ConvAttrs{}},
	{"3x3 batch", []int64{3, 2, 5, 6}, []int64{4, 2, 3, 3}, op.ConvAttrs{Pads: []int64{1, 1, 1, 1}}},
	{"1x1", []int64{1, 5, 3, 4}, []int64{2, 5, 1, 1}, op.ConvAttrs{}},
	{"1x1 batch", []int64{2, 5, 3, 4}, []int64{2, 5, 1, 1}, op.ConvAttrs{}},
	{"1x1 stride", []int64{1, 2, 5, 4}, []int64{3, 2, 1, 1}, op.ConvAttrs{Strides: []int64{2, 2}}},
	{"1x3", []int64{1, 2, 4, 6}, []int64{3, 2, 1, 3}, op.ConvAttrs{Pads: []int64{0, 2, 0, 0}}},
	{"3x1", []int64{1, 2, 4, 6}, []int64{3, 2, 3, 1}, op.ConvAttrs{}},
	{"dilated", []int64{1, 2, 8, 9}, []int64{3, 2, 3, 3}, op.ConvAttrs{Dilations: []int64{2, 3}, Pads: []int64{1, 0, 2, 3}}},
	{"stride", []int64{1, 2, 8, 9}, []int64{3, 2, 3, 3}, op.ConvAttrs{Strides: []int64{2, 3}, Pads: []int64{1, 1, 1, 1}}},
	{"stride with a rest", []int64{2, 2, 8, 10}, []int64{3, 2, 3, 2}, op.ConvAttrs{Strides: []int64{3, 3}}},
	{"stride and dilation", []int64{1, 2, 9, 9}, []int64{3, 2, 3, 3}, op.ConvAttrs{Strides: []int64{2, 2}, Dilations: []int64{2, 2}}},
	{"groups", []int64{2, 4, 5, 5}, []int64{6, 2, 3, 3}, op.ConvAttrs{Group: 2, Pads: []int64{1, 1, 1, 1}}},
	{"depthwise stride", []int64{1, 3, 7, 7}, []int64{3, 1, 3, 3}, op.ConvAttrs{Group: 3, Strides: []int64{2, 2}}},
	{"pads beyond the kernel", []int64{1, 2, 3, 3}, []int64{2, 2, 2, 2}, op.ConvAttrs{Pads: []int64{3, 3, 2, 3}}},
	{"same upper", []int64{1, 2, 5, 6}, []int64{3, 2, 4, 3}, op.ConvAttrs{AutoPad: "SAME_UPPER", Strides: []int64{2, 2}}},
	{"same lower", []int64{1, 2, 5, 6}, []int64{3, 2, 4, 3}, op.ConvAttrs{AutoPad: "SAME_LOWER"}},
	{"blocks", []int64{2, 3, 9, 8}, []int64{4, 3, 4, 4}, op.ConvAttrs{Strides: []int64{2, 2}, Pads: []int64{1, 2, 3, 1}}},
	{"blocks with a rest", []int64{1, 2, 10, 12}, []int64{3, 2, 3, 6}, op.ConvAttrs{Strides: []int64{3, 3}, Pads: []int64{0, 1, 1, 0}}},
	{"1-D", []int64{2, 3, 9}, []int64{4, 3, 3}, op.ConvAttrs{Dilations: []int64{2}, Pads: []int64{1, 2}}},
	{"1-D stride", []int64{2, 3, 9}, []int64{4, 3, 3}, op.ConvAttrs{Strides: []int64{2}}},
	{"large", []int64{1, 32, 60, 60}, []int64{1, 32, 5, 5}, op.ConvAttrs{Pads: []int64{1, 2, 3, 4}}}, // the flipped weight
	{"3-D", []int64{1, 2, 4, 5, 3}, []int64{3, 2, 3, 2, 2}, op.ConvAttrs{Pads: []int64{1, 0, 1, 0, 1, 0}}},
}

// TestConvExact compares the gradients of Conv and ConvTranspose, first and second order, with sums written out, on whole
// numbers: exactly. Every second case has a batch of unknown size.
func TestConvExact(t *testing.T) {
	for i, c := range convCases {
		t.Run(c.name, func(t *testing.T) { compareConv(t, "Conv", c.x, c.w, c.a, i%2 == 1) })
	}
	for i, c := range transposedCases {
		t.Run("transposed "+c.name, func(t *testing.T) { compareConv(t, "ConvTranspose", c.x, c.w, c.a, i%2 == 1) })
	}
	rng := rand.New(rand.NewPCG(5, 9))
	for i := range 40 {
		operator := []string{"Conv", "ConvTranspose"}[i%2]
		x, w, a := randomConv(rng, operator)
		t.Run(fmt.Sprintf("%s %v %v %+v", operator, x, w, a), func(t *testing.T) { compareConv(t, operator, x, w, a, i%4 > 1) })
	}
}

// randomConv draws a geometry whose windows fit.
func randomConv(rng *rand.Rand, operator string) (x, w []int64, a op.ConvAttrs) {
	upTo := func(n int64) int64 { return rng.Int64N(n) }
	spatial := 1 + upTo(3)
	a.Group = 1 + upTo(3)
	in, out := a.Group*(1+upTo(2)), a.Group*(1+upTo(2))
	if upTo(4) == 0 {
		in = a.Group * 5
	}
	x = []int64{1 + upTo(2), in}
	if w = []int64{out, in / a.Group}; operator == "ConvTranspose" {
		w = []int64{in, out / a.Group}
	}
	auto := upTo(4)
	begins, ends := make([]int64, spatial), make([]int64, spatial)
	for i := range spatial {
		k, s, d := 1+upTo(3), 1+upTo(3), 1+upTo(2)
		span := (k-1)*d + 1
		begins[i], ends[i] = upTo(span), upTo(span)
		size := span + upTo(4)
		if operator == "ConvTranspose" { // what is left of the padding must be there
			size = 2 + upTo(3)
			for (size-1)*s+span-begins[i]-ends[i] < 1 {
				size++
			}
		}
		x, w = append(x, size), append(w, k)
		a.Strides, a.Dilations = append(a.Strides, s), append(a.Dilations, d)
		a.OutputPadding = append(a.OutputPadding, upTo(s)) // runtimes take no more
	}
	if operator == "Conv" {
		a.OutputPadding = nil
	}
	switch auto {
	case 0:
		a.AutoPad = "VALID"
	case 1: // runtimes take no dilation with it
		a.AutoPad, a.Dilations, a.OutputPadding = []string{"SAME_UPPER", "SAME_LOWER"}[upTo(2)], nil, nil
	default:
		a.Pads = append(begins, ends...)
	}
	return x, w, a
}

// compareConv holds the gradients of a convolution to a loop. With S = <dx,R1> + <dw,R2> + <db,R3>, the second order is that
// of S in x, w and dy.
func compareConv(t *testing.T, operator string, x, w []int64, a op.ConvAttrs, symbolic bool) {
	t.Helper()
	channels := w[0]
	if operator == "ConvTranspose" {
		channels = w[1] * max(a.Group, 1)
	}
	args := tensors{integers(1, x...), integers(2, w...), integers(3, channels)}
	r1, r2, r3 := integers(4, x...), integers(5, w...), integers(6, channels)
	var dims []int64
	g := onnx.NewGraph("conv")
	b := op.NewBuilder(g)
	var in values
	for i, arg := range args {
		v := g.AddInput(fmt.Sprintf("x%d", i), onnx.TypeOf(onnx.Float, arg.Dims...))
		if symbolic && i == 0 {
			v.Type.Shape[0] = onnx.Dim{Symbol: "batch"}
		}
		in = append(in, v)
	}
	var y *onnx.Value
	if operator == "Conv" {
		y = b.Conv(in[0], in[1], in[2], a)
	} else {
		y = b.ConvTranspose(in[0], in[1], in[2], a)
	}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	shape := y.Type.Shape.Clone()
	shape[0] = onnx.Dim{Size: x[0]}
	dims, ok := shape.Sizes()
	if !ok {
		t.Fatalf("y is %v", y.Type)
	}
	args = append(args, integers(7, dims...), r1)
	seed := g.AddInput("x3", y.Type)
	direction := g.AddInput("x4", in[0].Type)
	first, err := autodiff.GradientsFrom(g, values{y}, values{seed}, in)
	if err != nil {
		t.Fatal(err)
	}
	second, err := autodiff.GradientsFrom(g, first, values{direction, b.Const(convert(r2, onnx.Float)), b.Const(convert(r3, onnx.Float))}, values{in[0], in[1], seed})
	if err != nil {
		t.Fatal(err)
	}
	got := runConv(t, g, append(first, second...), args)

	conv := loopOf(operator, x, w, dims, a)
	view := func(i int) []float64 { return onnx.View[float64](args[i]) }
	want := [][]float64{make([]float64, len(view(0))), make([]float64, len(view(1))), make([]float64, channels),
		make([]float64, len(view(0))), make([]float64, len(view(1))), make([]float64, len(view(3)))}
	d, v1, v2, v3 := view(3), onnx.View[float64](r1), onnx.View[float64](r2), onnx.View[float64](r3)
	conv.each(func(x, w, y int64) {
		want[0][x] += d[y] * view(1)[w]
		want[1][w] += d[y] * view(0)[x]
		want[3][x] += d[y] * v2[w]
		want[4][w] += d[y] * v1[x]
		want[5][y] += v1[x]*view(1)[w] + view(0)[x]*v2[w]
	})
	for i := range d {
		c := int64(i) / product(dims[2:]) % channels
		want[2][c] += d[i]
		want[5][i] += v3[c]
	}
	for i, name := range []string{"dx", "dw", "db", "second order in x", "second order in w", "second order in dy"} {
		for k, v := range want[i] {
			if e := onnx.View[float64](got[i])[k]; e != v {
				t.Fatalf("%s, element %d: %v, want %v", name, k, e, v)
			}
		}
	}
}

func runConv(t *testing.T, g *onnx.Graph, outs values, args tensors) tensors {
	t.Helper()
	b := op.NewBuilder(g)
	for i, o := range outs {
		g.AddOutput(b.Identity(o), fmt.Sprintf("y%d", i))
	}
	s := runtimetest.Open(t, &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}, runtimetest.OneThread(t))
	return program{s, onnx.Float}.run(t, args)
}

// loop is the definition of a convolution, written out: the sizes of what the window slides over and of where it stands.
type loop struct {
	wide, narrow, kernel       []int64 // sizes
	strides, dilations, begins []int64
	group, batch               int64
	wideChannels               int64 // of a group
	narrowChannels             int64
	transposed                 bool
}

func loopOf(operator string, x, w, y []int64, a op.ConvAttrs) loop {
	n := len(w) - 2
	filled := func(v []int64, def int64) []int64 {
		for len(v) < n {
			v = append(v, def)
		}
		return v
	}
	l := loop{wide: x[2:], narrow: y[2:], kernel: w[2:], strides: filled(a.Strides, 1), dilations: filled(a.Dilations, 1),
		group: max(a.Group, 1), batch: x[0], transposed: operator == "ConvTranspose"}
	if l.transposed {
		l.wide, l.narrow = l.narrow, l.wide
	}
	l.wideChannels, l.narrowChannels = w[1], w[0]/l.group
	l.begins = filled(a.Pads[:len(a.Pads)/2], 0)
	if a.AutoPad == "SAME_UPPER" || a.AutoPad == "SAME_LOWER" || a.OutputShape != nil {
		l.begins = make([]int64, n)
		for i := range n {
			total := max(0, (l.narrow[i]-1)*l.strides[i]+(l.kernel[i]-1)*l.dilations[i]+1-l.wide[i])
			if a.OutputPadding != nil {
				total += a.OutputPadding[i]
			}
			if l.begins[i] = total / 2; a.AutoPad != "SAME_UPPER" {
				l.begins[i] = total - total/2
			}
		}
	}
	return l
}

// each calls f with every product that the operator y = x * w adds up: flat places in x, w and y.
func (l loop) each(f func(x, w, y int64)) {
	places, taps, size := product(l.narrow), product(l.kernel), product(l.wide)
	for n := range l.batch {
		for o := range l.narrowChannels * l.group {
			for c := range l.wideChannels {
				for p := range places {
					for k := range taps {
						at, stride, inside := int64(0), int64(1), true
						pp, kk := p, k
						for i := len(l.wide) - 1; i >= 0; i-- {
							e := pp%l.narrow[i]*l.strides[i] + kk%l.kernel[i]*l.dilations[i] - l.begins[i]
							inside = inside && e >= 0 && e < l.wide[i]
							at, stride = at+e*stride, stride*l.wide[i]
							pp, kk = pp/l.narrow[i], kk/l.kernel[i]
						}
						if !inside {
							continue
						}
						wide := (n*l.wideChannels*l.group+o/l.narrowChannels*l.wideChannels+c)*size + at
						narrow := (n*l.narrowChannels*l.group+o)*places + p
						weight := (o*l.wideChannels+c)*taps + k
						if l.transposed {
							wide, narrow = narrow, wide
						}
						f(wide, weight, narrow)
					}
				}
			}
		}
	}
}

func product(v []int64) int64 {
	p := int64(1)
	for _, e := range v {
		p *= e
	}
	return p
}

// transposedCases are geometries of ConvTranspose: sizes of x [N,C,...], w [C,O/g,...] and attributes.
var transposedCases = []struct {
	name string
	x, w []int64
	a    op.ConvAttrs
}{
	{"stride 2", []int64{1, 3, 3, 4}, []int64{3, 2, 4, 4}, op.ConvAttrs{Strides: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}}},
	{"output padding", []int64{2, 3, 3, 4}, []int64{3, 2, 3, 3}, op.ConvAttrs{Strides: []int64{2, 3}, OutputPadding: []int64{1, 2}}},
	{"blocks", []int64{2, 2, 3, 4}, []int64{2, 3, 4, 4}, op.ConvAttrs{Strides: []int64{2, 2}, Pads: []int64{3, 1, 2, 3}}},
	{"blocks with a rest", []int64{1, 2, 3, 2}, []int64{2, 3, 2, 4}, op.ConvAttrs{Strides: []int64{2, 2}, OutputPadding: []int64{1, 1}}},
	{"dilated", []int64{1, 2, 3, 3}, []int64{2, 3, 2, 2}, op.ConvAttrs{Dilations: []int64{2, 2}}},
	{"groups", []int64{1, 4, 3, 3}, []int64{4, 2, 3, 3}, op.ConvAttrs{Group: 2}},
	{"output shape", []int64{2, 2, 3, 3}, []int64{2, 2, 3, 3}, op.ConvAttrs{Strides: []int64{3, 2}, OutputShape: []int64{8, 6}}},
	{"output shape, upper", []int64{2, 2, 3, 3}, []int64{2, 2, 3, 3}, op.ConvAttrs{Strides: []int64{3, 2}, OutputShape: []int64{8, 6}, AutoPad: "SAME_UPPER"}},
	{"1-D", []int64{2, 3, 5}, []int64{3, 2, 3}, op.ConvAttrs{Strides: []int64{2}}},
}

// TestConvOrders holds a few geometries to differences too.
func TestConvOrders(t *testing.T) {
	for _, c := range convCases {
		switch c.name {
		case "3x3 batch", "stride", "1-D stride", "depthwise stride":
			t.Run(c.name, convExample(c.name, random(1, c.x...), random(2, c.w...), c.a).run)
		}
	}
}

// TestConvSymbolic: spatial sizes may stay unknown where the mathematics needs none.
func TestConvSymbolic(t *testing.T) {
	conv := func(a op.ConvAttrs) function {
		return func(b *op.Builder, v values) *onnx.Value {
			return b.Mul(b.Conv(v[0], v[1], nil, a), b.Scalar(v[0], 0.02))
		}
	}
	transposed := func(a op.ConvAttrs) function {
		return func(b *op.Builder, v values) *onnx.Value {
			return b.Mul(b.ConvTranspose(v[0], v[1], nil, a), b.Scalar(v[0], 0.02))
		}
	}
	sizes := map[string]int64{"batch": 2, "height": 7, "width": 6}
	x := []any{"batch", 4, "height", "width"}
	two := []int64{2, 2}
	for _, c := range []struct {
		name string
		w    []any
		f    function
	}{
		{"3x3", []any{3, 4, 3, 3}, conv(op.ConvAttrs{Pads: []int64{1, 1, 1, 1}})},
		{"asymmetric", []any{3, 4, 2, 3}, conv(op.ConvAttrs{Pads: []int64{1, 0, 0, 2}})},
		{"pads beyond the kernel", []any{3, 4, 2, 2}, conv(op.ConvAttrs{Pads: []int64{3, 3, 2, 3}})},
		{"dilated", []any{3, 4, 3, 2}, conv(op.ConvAttrs{Dilations: two})},
		{"same", []any{3, 4, 4, 3}, conv(op.ConvAttrs{AutoPad: "SAME_LOWER"})},
		{"depthwise", []any{4, 1, 3, 3}, conv(op.ConvAttrs{Group: 4, Pads: []int64{1, 1, 1, 1}})},
		{"1x1", []any{3, 4, 1, 1}, conv(op.ConvAttrs{})},
		{"1x1 stride", []any{3, 4, 1, 1}, conv(op.ConvAttrs{Strides: two})},
		{"stride", []any{3, 4, 3, 3}, conv(op.ConvAttrs{Strides: two})},
		{"stride and pads", []any{3, 4, 3, 3}, conv(op.ConvAttrs{Strides: two, Pads: []int64{1, 1, 1, 1}})},
		{"transposed", []any{4, 3, 3, 3}, transposed(op.ConvAttrs{Strides: two, Pads: []int64{1, 1, 1, 1}, OutputPadding: []int64{1, 1}})},
		{"transposed, same", []any{4, 3, 3, 4}, transposed(op.ConvAttrs{Strides: two, AutoPad: "SAME_UPPER"})},
		{"transposed, groups", []any{4, 2, 3, 3}, transposed(op.ConvAttrs{Group: 2})},
	} {
		t.Run(c.name, func(t *testing.T) { compareSymbolic(t, sizes, [][]any{x, c.w}, c.f) })
	}
}

// TestConvRefused: where a size is needed, the error says which.
func TestConvRefused(t *testing.T) {
	for _, c := range []struct {
		w    []int64
		a    op.ConvAttrs
		want string
	}{
		{[]int64{3, 4, 3, 3}, op.ConvAttrs{AutoPad: "SAME_UPPER", Strides: []int64{2, 2}}, `axis 2 of "x", which is [batch 4 height width]: fix that dimension`},
		{[]int64{4, 2, 3, 3}, op.ConvAttrs{Group: 2, Strides: []int64{2, 2}}, `wants the spatial sizes of "x"`},
	} {
		g := onnx.NewGraph("refused")
		b := op.NewBuilder(g)
		x := g.AddInput("x", onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{{Symbol: "batch"}, {Size: 4}, {Symbol: "height"}, {Symbol: "width"}}})
		w := g.AddInput("w", onnx.TypeOf(onnx.Float, c.w...))
		_, err := autodiff.Gradients(g, b.ReduceSum(b.Conv(x, w, nil, c.a), false), values{x, w})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want it to say %q", err, c.want)
		}
	}
}
