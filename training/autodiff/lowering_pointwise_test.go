package autodiff

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
)

// pointwiseCase is an operator whose forms are compared, with the shapes of its inputs.
type pointwiseCase struct {
	op    string
	forms []pointwiseForm
	dims  [][]int64
	attrs []onnx.Attr
}

// onward is an operator with its way back by one of its forms, as a session: y and the gradients of all inputs from the inputs
// and dy.
func (c pointwiseCase) onward(t testing.TB, f pointwiseForm, threads int) (*runtime.Session, map[string]*onnx.Tensor) {
	t.Helper()
	g := onnx.NewGraph("onward")
	b := &Builder{Builder: op.NewBuilder(g)}
	var in []*onnx.Value
	for i, d := range c.dims {
		in = append(in, g.AddInput(fmt.Sprintf("x%d", i), onnx.TypeOf(onnx.Float, d...)))
		b.wants = append(b.wants, true)
	}
	y := b.Node(c.op, in, 1, c.attrs...)[0]
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	dy := g.AddInput("dy", y.Type)
	var grads []*onnx.Value
	if f.expand != nil {
		y = f.expand(b.Builder, y.Producer())[0]
		var err error
		if grads, err = GradientsFrom(g, []*onnx.Value{y}, []*onnx.Value{dy}, in); err != nil {
			t.Fatal(err)
		}
	} else {
		grads = f.grad(b, y.Producer(), []*onnx.Value{dy})
		for i, d := range grads[:len(in)] {
			grads[i] = b.reduceTo(d, in[i])
		}
	}
	g.AddOutput(y, "y")
	for i, d := range grads[:len(in)] {
		g.AddOutput(b.Identity(d), fmt.Sprintf("d%d", i))
	}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.RemoveUnused()
	feeds := map[string]*onnx.Tensor{}
	for k, v := range g.Inputs() {
		sizes, _ := v.Type.Shape.Sizes()
		f := onnx.NewTensor(onnx.Float, sizes...)
		for i := range f.Float32s() {
			f.Float32s()[i] = float32((i*i+3*i+k)%11)/4 - 1
		}
		feeds[v.Name] = f
	}
	feeds = stayOnDevice(t, g, feeds)
	return openFormed(t, g, threads), feeds
}

// TestPointwiseForms holds the forms of an operator to the same results.
func TestPointwiseForms(t *testing.T) {
	axis := func(a int64) []onnx.Attr { return []onnx.Attr{onnx.Int("axis", a)} }
	for _, c := range []pointwiseCase{
		{"LayerNormalization", layerForms.forms, [][]int64{{3, 2, 5}, {5}, {5}}, nil},
		{"LayerNormalization", layerForms.forms, [][]int64{{3, 2, 5}, {2, 5}, {5}}, axis(1)},
		{"LayerNormalization", layerForms.forms, [][]int64{{3, 5}, {1}}, axis(0)},
		{"RMSNormalization", rmsForms.forms, [][]int64{{3, 2, 5}, {5}}, nil},
		{"RMSNormalization", rmsForms.forms, [][]int64{{3, 2, 5}, {2, 5}}, axis(-2)},
		{"Softmax", softmaxForms.forms, [][]int64{{3, 2, 5}}, axis(1)},
	} {
		var want map[string]*onnx.Tensor
		for _, f := range c.forms {
			s, feeds := c.onward(t, f, 1)
			out, err := s.Run(context.Background(), feeds)
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = out
			}
			for key, v := range want {
				for j, w := range v.Float32s() {
					if d := math.Abs(float64(out[key].Float32s()[j] - w)); !(d < 1e-5) {
						t.Fatalf("%s %v, %s, %s: element %d is %v, by %s %v", c.op, c.dims, f.name, key, j, out[key].Float32s()[j], c.forms[0].name, w)
					}
				}
			}
		}
	}
}

// BenchmarkPointwiseForms compares them at the shapes of transformers. Beside the mean it reports the least time of a run,
// which other programs on the machine move less.
func BenchmarkPointwiseForms(b *testing.B) {
	for _, c := range []pointwiseCase{
		{"LayerNormalization", layerForms.forms, [][]int64{{512, 256}, {256}, {256}}, nil},
		{"LayerNormalization", layerForms.forms, [][]int64{{512, 768}, {768}, {768}}, nil},
		{"RMSNormalization", rmsForms.forms, [][]int64{{512, 256}, {256}}, nil},
		{"RMSNormalization", rmsForms.forms, [][]int64{{512, 768}, {768}}, nil},
		{"Softmax", softmaxForms.forms, [][]int64{{32, 64, 64}}, nil},
		{"Softmax", softmaxForms.forms, [][]int64{{96, 128, 128}}, nil},
	} {
		for _, threads := range []int{1, 2} {
			for _, f := range c.forms {
				b.Run(fmt.Sprintf("%s_%v/threads_%d/%s", c.op, c.dims[0], threads, f.name), func(b *testing.B) {
					s, feeds := c.onward(b, f, threads)
					least := time.Duration(math.MaxInt64)
					measure(b, s, feeds, func(run func()) {
						start := time.Now()
						run()
						least = min(least, time.Since(start))
					})
					b.ReportMetric(float64(least.Nanoseconds())/1e6, "least-ms")
				})
			}
		}
	}
}
