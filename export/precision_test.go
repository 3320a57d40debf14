package export_test

import (
	"context"
	"strings"
	"testing"

	"graft/export"
	"graft/onnx"
	"graft/onnx/onnxtest"
	"graft/onnx/op"
	"graft/onnx/quantize"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

func samples(t *testing.T, m *onnx.Model) []map[string]*onnx.Tensor {
	t.Helper()
	var feeds []map[string]*onnx.Tensor
	for seed := range uint64(3) {
		f, err := runtime.Sample(m.Graph, seed, nil)
		if err != nil {
			t.Fatal(err)
		}
		feeds = append(feeds, f)
	}
	return feeds
}

// TestNarrowing keeps what the runs show to overflow, and what they show to lose accuracy: the difference of numbers that
// are nearly equal.
func TestNarrowing(t *testing.T) {
	o := runtimetest.Options(t)
	o.Threads = 1
	for _, c := range []struct{ name, body, kept string }{
		{"fits", "(float[2,3] x) => (float[2,3] y) { y = Tanh(x) }", ""},
		{"overflows", "(float[2,3] x) => (float[2,3] y) <float c = {60000}> { a = Relu(x)\n b = Mul(a, c)\n d = Div(b, c)\n y = Neg(d) }", "Mul Div"},
		{"loses accuracy", "(float[2,3] x) => (float[2,3] y) <float c = {1000}> { t = Tanh(x)\n a = Add(t, c)\n y = Sub(a, c) }", "Add Sub"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := onnxtest.Parse(t, "<ir_version: 8, opset_import: [\"\" : 17]> g "+c.body)
			done, err := export.Narrowing{To: onnx.Float16, Tolerance: 5e-3, Feeds: samples(t, m), Options: o}.Apply(context.Background(), m)
			if err != nil {
				t.Fatal(err)
			}
			var kept []string
			for _, k := range done.Report.Kept {
				kept = append(kept, k.Op)
			}
			if got := strings.Join(kept, " "); !strings.HasPrefix(got, c.kept) || c.kept == "" && got != "" || done.MaxRel > 5e-3 {
				t.Errorf("stays: %s, want %s; %g\n%s", got, c.kept, done.MaxRel, done.Model.Text())
			}
		})
	}
}

// TestBFloat: what has no kernel on the CPU is measured with each value rounded.
func TestBFloat(t *testing.T) {
	o := runtimetest.Options(t)
	o.Threads = 1
	m := onnxtest.Parse(t, `<ir_version: 10, opset_import: ["" : 22]> g (float[1,2,4,4] x) => (float[1,3,4,4] y) <float[3,2,1,1] w = {1, 2, 3, 4, 5, 6}> {
		a = Conv(x, w)
		y = Tanh(a)
	}`)
	done, err := export.Narrowing{To: onnx.BFloat16, Tolerance: 3e-2, Feeds: samples(t, m), Options: o}.Apply(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	if done.Report.Nodes != 2 || done.MaxRel == 0 || done.MaxRel > 3e-2 {
		t.Errorf("%+v, %g", done.Report, done.MaxRel)
	}
}

const convNet = `<ir_version: 8, opset_import: ["" : 13]> g (float[1,2,6,6] x) => (float[1,4] y)
	<float[3,2,3,3] w = {1,2,-3,4,5,6,7,-8,9,1,2,3,4,5,-6,7,8,9,1,2,3,-4,5,6,7,8,9,1,2,3,4,-5,6,7,8,9,0.1,0.2,0.3,0.4,0.5,0.6,-0.7,0.8,0.9,0.1,0.2,0.3,0.4,0.5,0.6,0.7,-0.8,0.9},
	float[3] b = {1, -2, 3}, float[4,3] v = {1, 2, 3, -4, 5, 6, 7, 8, -9, 10, 11, 12}, float[4] d = {1, 2, 3, 4}> {
	a = Conv(x, w, b)
	r = Relu(a)
	p = GlobalAveragePool(r)
	f = Flatten(p)
	y = Gemm<transB = 1>(f, v, d)
}`

// TestQuantize holds each form of a network against it.
func TestQuantize(t *testing.T) {
	o := runtimetest.Options(t)
	o.Threads = 1
	for _, c := range []struct {
		name  string
		apply func(m *onnx.Model, feeds []map[string]*onnx.Tensor) (*quantize.Report, error)
		ops   string
		rel   float64
	}{
		{"static", func(m *onnx.Model, feeds []map[string]*onnx.Tensor) (*quantize.Report, error) {
			ranges, err := export.Calibrator{Method: export.MinMax, Feeds: feeds, Options: o}.Ranges(context.Background(), m, quantize.Activations(m))
			return quantize.Static(m, ranges, quantize.Weights{}), err
		}, "QuantizeLinear DequantizeLinear Conv Relu Gemm", 3e-2},
		{"static by percentile", func(m *onnx.Model, feeds []map[string]*onnx.Tensor) (*quantize.Report, error) {
			ranges, err := export.Calibrator{Method: export.Percentile, Percentile: 99.9, Feeds: feeds, Options: o}.Ranges(context.Background(), m, quantize.Activations(m))
			return quantize.Static(m, ranges, quantize.Weights{PerTensor: true}), err
		}, "QuantizeLinear DequantizeLinear Conv Relu Gemm", 1e-1},
		{"dynamic", func(m *onnx.Model, _ []map[string]*onnx.Tensor) (*quantize.Report, error) {
			return quantize.Dynamic(m, quantize.Weights{})
		}, "DequantizeLinear Conv DynamicQuantizeLinear MatMulInteger Cast Mul Add", 3e-2},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := onnxtest.Parse(t, convNet)
			op.InferModel(m)
			original, feeds := m.Clone(), samples(t, m)
			report, err := c.apply(m, feeds)
			if err != nil {
				t.Fatal(err)
			}
			m.Graph.AssignNames()
			if report.Products != 2 || report.Weights != 2 {
				t.Errorf("%+v", report)
			}
			has := map[string]bool{}
			for _, n := range m.Graph.Nodes() {
				has[n.Op] = true
			}
			for _, name := range strings.Fields(c.ops) {
				if !has[name] {
					t.Errorf("no %s:\n%s", name, m.Text())
				}
			}
			rel, _, err := export.LargestDifference(context.Background(), original, m, feeds, o)
			if err != nil || rel > c.rel || rel == 0 {
				t.Errorf("differs by %g: %v", rel, err)
			}
		})
	}
}

// TestBlocks: both forms hold the same numbers, with a last block that is not full. ONNX Runtime puts its own kernel in
// the place of the standard form of int4, one that rounds what it reads to 8 bits.
func TestBlocks(t *testing.T) {
	t.Run("int8", func(t *testing.T) { testBlocks(t, 8, 0.01) })
	t.Run("int4", func(t *testing.T) { testBlocks(t, 4, 0.2) })
}

func testBlocks(t *testing.T, bits int, most float64) {
	o := runtimetest.Options(t)
	o.Threads = 1
	var rels [2]float64
	for i, nbits := range []bool{false, true} {
		g := onnx.NewGraph("g")
		x := g.AddInput("x", onnx.TypeOf(onnx.Float, 2, 40))
		w, err := runtime.SampleValue(&onnx.Value{Name: "w", Type: onnx.TypeOf(onnx.Float, 40, 8)}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		bias := onnx.FromSlice([]float32{1, 2, 3, 4, 5, 6, 7, 8})
		y := g.Add("Gemm", []*onnx.Value{x, g.AddInitializer("w", w), g.AddInitializer("b", bias)}, 1).Output(0)
		g.AddOutput(y, "y")
		m := &onnx.Model{Graph: g}
		m.Declare(21)
		op.InferModel(m)
		original, feeds := m.Clone(), samples(t, m)
		report, err := quantize.Blocks(m, quantize.BlockForm{Bits: bits, Size: 16, NBits: nbits})
		if err != nil || report.Products != 1 {
			t.Fatalf("%+v, %v", report, err)
		}
		if rels[i], _, err = export.LargestDifference(context.Background(), original, m, feeds, o); err != nil || rels[i] > most || rels[i] == 0 {
			t.Fatalf("nbits %t: differs by %g: %v", nbits, rels[i], err)
		}
	}
	if d := rels[0] - rels[1]; d > 0.5/127 || d < -0.5/127 {
		t.Errorf("the forms differ: %v", rels)
	}
}
