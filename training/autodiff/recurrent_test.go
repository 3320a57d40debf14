package autodiff_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
	"graft/training/autodiff"
)

// recurrentCase is a recurrent node: its operator, inputs (nil: absent) and attributes.
type recurrentCase struct {
	name  string
	op    string
	args  []*onnx.Tensor // X, W, R, then B, sequence_lens (int32), initial_h, initial_c, P
	attrs []onnx.Attr
}

var recurrentGates = map[string]int64{"RNN": 1, "GRU": 3, "LSTM": 4}

// recurrentArgs are small random operands for length 3, batch 3, 2 inputs and 3 hidden units.
func recurrentArgs(op string, dirs, length int64) []*onnx.Tensor {
	g := recurrentGates[op]
	args := []*onnx.Tensor{random(1, length, 3, 2), random(2, dirs, g*3, 2), random(3, dirs, g*3, 3)}
	if op == "LSTM" {
		return append(args, nil, nil, nil, nil, nil)
	}
	return append(args, nil, nil, nil)
}

func recurrentCases() []recurrentCase {
	bias := func(op string, dirs int64) *onnx.Tensor { return random(4, dirs, 2*recurrentGates[op]*3) }
	state := func(seed uint64, dirs int64) *onnx.Tensor { return random(seed, dirs, 3, 3) }
	lengths := onnx.FromSlice([]int32{3, 1, 2}, 3)
	var out []recurrentCase
	for _, o := range []string{"RNN", "GRU", "LSTM"} {
		plain := recurrentCase{name: o, op: o, args: recurrentArgs(o, 1, 3)}
		reverse := plain
		reverse.name, reverse.attrs = o+" reverse", []onnx.Attr{onnx.Str("direction", "reverse")}
		full := recurrentCase{name: o + " bidirectional", op: o, args: recurrentArgs(o, 2, 3), attrs: []onnx.Attr{onnx.Str("direction", "bidirectional")}}
		full.args[3], full.args[4], full.args[5] = bias(o, 2), lengths, state(5, 2)
		if o == "LSTM" {
			full.args[6], full.args[7] = state(6, 2), random(7, 2, 9)
		}
		clipped := recurrentCase{name: o + " clip", op: o, args: recurrentArgs(o, 1, 3), attrs: []onnx.Attr{onnx.Float32("clip", 0.3)}}
		clipped.args[3] = bias(o, 1)
		out = append(out, plain, reverse, full, clipped)
	}
	linear := recurrentCase{name: "GRU linear before reset", op: "GRU", args: recurrentArgs("GRU", 1, 3), attrs: []onnx.Attr{onnx.Int("linear_before_reset", 1)}}
	linear.args[3], linear.args[5] = bias("GRU", 1), state(5, 1)
	unbiased := recurrentCase{name: "GRU linear before reset without bias", op: "GRU", args: recurrentArgs("GRU", 1, 3), attrs: linear.attrs}
	coupled := recurrentCase{name: "LSTM input forget", op: "LSTM", args: recurrentArgs("LSTM", 1, 3), attrs: []onnx.Attr{onnx.Int("input_forget", 1)}}
	coupled.args[3], coupled.args[6], coupled.args[7] = bias("LSTM", 1), state(6, 1), random(7, 1, 9)
	acts := recurrentCase{name: "LSTM activations", op: "LSTM", args: recurrentArgs("LSTM", 2, 3), attrs: []onnx.Attr{
		onnx.Str("direction", "bidirectional"), {Name: "activations", Value: []string{"HardSigmoid", "ScaledTanh", "Affine", "Sigmoid", "Elu", "Softsign"}},
		onnx.Float32s("activation_alpha", 0.3, 0.7, 1.2, 0.9), onnx.Float32s("activation_beta", 0.45, 1.1, 0.1)}}
	return append(out, linear, unbiased, coupled, acts)
}

// node adds the case's node; x are its inputs that are floats, in order.
func (c recurrentCase) node(b *op.Builder, x values) *onnx.Node {
	var in []*onnx.Value
	for _, a := range c.args {
		switch {
		case a == nil:
			in = append(in, nil)
		case a.DType == onnx.Int32:
			in = append(in, b.Const(a))
		default:
			in, x = append(in, x[0]), x[1:]
		}
	}
	outs := 2
	if c.op == "LSTM" {
		outs = 3
	}
	y := b.Node(c.op, in, outs, append([]onnx.Attr{onnx.Int("hidden_size", 3)}, c.attrs...)...)
	if b.Err() != nil {
		return nil
	}
	return y[0].Producer()
}

func (c recurrentCase) floats() tensors {
	var out tensors
	for _, a := range c.args {
		if a != nil && a.DType != onnx.Int32 {
			out = append(out, a)
		}
	}
	return out
}

func (c recurrentCase) expand(b *op.Builder, n *onnx.Node) values {
	if b.Err() != nil {
		return nil
	}
	return map[string]func(*op.Builder, *onnx.Node) []*onnx.Value{"RNN": rewrite.RNN, "GRU": rewrite.GRU, "LSTM": rewrite.LSTM}[c.op](b, n)
}

// hidden hides the size of v's first axes.
func hidden(b *op.Builder, v *onnx.Value, names ...string) *onnx.Value {
	y := b.Identity(v)
	if b.Err() == nil {
		y.Type.Shape = y.Type.Shape.Clone()
		for i, name := range names {
			y.Type.Shape[i] = onnx.Dim{Symbol: name}
		}
	}
	return y
}

// The expressions, unrolled and as a Scan, give what ONNX Runtime's own kernels give.
func TestRecurrentValues(t *testing.T) {
	for _, c := range recurrentCases() {
		t.Run(c.name, func(t *testing.T) {
			args := c.floats()
			p := compile(t, onnx.Float, args, func(b *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
				n := c.node(b, x)
				if b.Err() != nil {
					return nil, b.Err()
				}
				outs := n.Outputs()
				outs = append(outs, c.expand(b, n)...)
				unsized := append([]*onnx.Value{hidden(b, x[0], "S", "B")}, x[1:]...)
				return append(outs, c.expand(b, c.node(b, unsized))...), b.Err()
			})
			got := p.run(t, args)
			each := len(got) / 3
			for i := range each {
				for k, form := range []string{"unrolled", "scanned"} {
					if d := distance(got[i], got[each*(k+1)+i]); d > 2e-6 {
						t.Errorf("output %d %s: %g from ONNX Runtime's", i, form, d)
					}
				}
			}
		})
	}
}

func distance(a, b *onnx.Tensor) float64 {
	if fmt.Sprint(a.Dims) != fmt.Sprint(b.Dims) {
		return math.Inf(1)
	}
	worst := 0.0
	for i, v := range onnx.View[float64](a) {
		w := onnx.View[float64](b)[i]
		if d := math.Abs(v - w); d > worst || math.IsNaN(d) && !(math.IsNaN(v) && math.IsNaN(w)) {
			worst = d
		}
	}
	return worst
}

func TestRecurrentGradients(t *testing.T) {
	for _, c := range recurrentCases() {
		for _, scan := range []bool{false, true} {
			if scan && c.name != "GRU reverse" && c.name != "LSTM bidirectional" && c.name != "RNN" {
				continue
			}
			if strings.HasSuffix(c.name, "reverse") && c.op != "GRU" { // values are checked of all
				continue
			}
			name := c.name
			if scan {
				name += " scanned"
			}
			t.Run(name, func(t *testing.T) {
				total := func(b *op.Builder, ys values) *onnx.Value {
					var parts values
					for i, y := range ys {
						if b.Err() == nil && !y.Type.Shape.Static() {
							dims := []int64{3, int64(len(c.first())), 3, 3}
							y = b.Identity(y)
							y.Type.Shape = onnx.NewShape(dims[min(i, 1):]...)
						}
						parts = append(parts, b.Reshape(projected(b, b.Exp(y), uint64(40+i)), 1))
					}
					return b.Sum(parts...)
				}
				args := c.floats()
				e := example{name: name, args: args, f: func(b *op.Builder, v values) *onnx.Value {
					if scan {
						v = append(values{hidden(b, v[0], "S", "B")}, v[1:]...)
					}
					if n := c.node(b, v); n != nil {
						return total(b, n.Outputs())
					}
					return nil
				}}
				// A second derivative of each operator, both ways; it is the same few operators in every case.
				e.firstOnly = !scan && c.name != "RNN" && c.name != "GRU" && c.name != "LSTM" && c.name != "LSTM activations"
				e.reference = func(b *op.Builder, v values) *onnx.Value { return total(b, c.expand(b, c.node(b, v))) }
				e.run(t)
			})
		}
	}
}

func (c recurrentCase) first() []bool {
	for _, a := range c.attrs {
		if a.Value == "bidirectional" {
			return make([]bool, 2)
		}
	}
	return make([]bool, 1)
}

// BenchmarkRecurrent compares the forms of an LSTM's training step, batch 8, 64 inputs, 128 hidden units, one thread.
func BenchmarkRecurrent(b *testing.B) {
	for _, length := range []int64{8, 32, 128} {
		c := recurrentCase{op: "LSTM", args: []*onnx.Tensor{random(1, length, 8, 64), random(2, 1, 512, 64), random(3, 1, 512, 128), random(4, 1, 1024)}}
		for _, scan := range []bool{false, true} {
			name := map[bool]string{false: "unrolled", true: "scanned"}[scan]
			b.Run(fmt.Sprintf("%d/%s", length, name), func(b *testing.B) {
				opening := time.Now()
				p := compile(b, onnx.Float, c.args, func(o *op.Builder, x []*onnx.Value) ([]*onnx.Value, error) {
					in := x[0]
					if scan {
						in = hidden(o, in, "S", "B")
					}
					y := o.Node("LSTM", append(values{in}, x[1:]...), 2, onnx.Int("hidden_size", 128))
					if o.Err() != nil {
						return nil, o.Err()
					}
					return autodiff.Gradients(o.Graph(), o.ReduceSum(o.Mul(y[0], y[0]), false), x)
				})
				open, least := time.Since(opening), time.Hour
				for b.Loop() {
					start := time.Now()
					p.run(b, c.args)
					least = min(least, time.Since(start))
				}
				b.ReportMetric(float64(least.Microseconds())/1000, "least-ms")
				b.ReportMetric(float64(open.Microseconds())/1000, "open-ms")
			})
		}
	}
}
