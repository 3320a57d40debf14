package masking_test

import (
	"math"
	"testing"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// net is a graph under construction.
type net struct {
	*op.Builder
	t *testing.T
}

func newNet(t *testing.T) *net {
	return &net{op.NewBuilder(onnx.NewGraph("net")), t}
}

func (n *net) input(dims ...int64) *onnx.Value {
	return n.Graph().AddInput("x", onnx.TypeOf(onnx.Float, dims...))
}

// weight is an initializer of numbers that differ from each other and from zero.
func (n *net) weight(name string, dims ...int64) *onnx.Value {
	w := onnx.NewTensor(onnx.Float, dims...)
	noise.Uniform(w.Float32s(), noise.NewKey(1, name, 0))
	for i, u := range w.Float32s() {
		w.Float32s()[i] = u - 0.5
	}
	return n.Graph().AddInitializer(name, w)
}

// conv is a convolution without padding: weights name.weight and name.bias.
func (n *net) conv(name string, x *onnx.Value, out, kernel int64, pads ...int64) *onnx.Value {
	return n.Conv(x, n.weight(name+".weight", out, x.Type.Shape[1].Size, kernel, kernel), n.weight(name+".bias", out), op.ConvAttrs{Pads: pads})
}

// norm is an instance normalization.
func (n *net) norm(name string, x *onnx.Value) *onnx.Value {
	c := x.Type.Shape[1].Size
	return n.InstanceNormalization(x, n.weight(name+".weight", c), n.weight(name+".bias", c), 1e-5)
}

// clear makes elements of an initializer zero.
func (n *net) clear(name string, elements ...int) {
	for _, i := range elements {
		n.Graph().Lookup(name).Const.Float32s()[i] = 0
	}
}

// filter clears output channel o of a convolution, slice its input channel i.
func (n *net) filter(name string, o int64) { n.clearWeights(name, o, -1) }
func (n *net) slice(name string, i int64)  { n.clearWeights(name, -1, i) }

func (n *net) clearWeights(name string, out, in int64) {
	w := n.Graph().Lookup(name + ".weight").Const
	taps := w.Dims[2] * w.Dims[3]
	for k := range w.Float32s() {
		at := int64(k) / taps
		if at/w.Dims[1] == out || at%w.Dims[1] == in {
			w.Float32s()[k] = 0
		}
	}
}

// model ends the graph.
func (n *net) model(outputs ...*onnx.Value) *onnx.Model {
	n.t.Helper()
	if err := n.Err(); err != nil {
		n.t.Fatal(err)
	}
	for _, v := range outputs {
		n.Graph().AddOutput(v, "")
	}
	n.Graph().AssignNames()
	return &onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: n.Graph()}
}

// outputs runs a model with its inputs made up from one seed.
func outputs(t *testing.T, m *onnx.Model) []*onnx.Tensor {
	t.Helper()
	for _, f := range onnx.Check(m) {
		if f.Severity == onnx.Error {
			t.Fatalf("checker: %v\n%s", f, m.Text())
		}
	}
	s := runtimetest.Open(t, m, runtimetest.OneThread(t))
	feeds, err := runtime.Sample(m.Graph, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Run(t.Context(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	var list []*onnx.Tensor
	for _, v := range m.Graph.Outputs() {
		list = append(list, got[v.Name])
	}
	return list
}

// compacted compacts a copy of m and checks what is true of every compaction: outputs and signature stay, the types in the
// file are right, and a second one finds nothing.
func compacted(t *testing.T, m *onnx.Model) (*onnx.Model, masking.Compaction) {
	t.Helper()
	want := outputs(t, m)
	before := m.Text()
	out := m.Clone()
	done, err := masking.Compact(out.Graph)
	if err != nil {
		t.Fatal(err)
	}
	if m.Text() != before {
		t.Error("the original changed with its copy")
	}
	if problems, _ := op.InferModel(out); len(problems) > 0 {
		t.Errorf("types: %v: %v", problems[0].Node, problems[0].Err)
	}
	got := outputs(t, out)
	for i, a := range want {
		b := got[i]
		if a.Type().String() != b.Type().String() {
			t.Fatalf("output %d was %v, is %v", i, a.Type(), b.Type())
		}
		for k, v := range a.Float32s() {
			if d := math.Abs(float64(v) - float64(b.Float32s()[k])); !(d <= 1e-5) {
				t.Fatalf("output %d, element %d: %g became %g\n%s", i, k, v, b.Float32s()[k], out.Graph.Text())
			}
		}
	}
	once := out.Text()
	again, err := masking.Compact(out.Graph)
	if err != nil {
		t.Fatal(err)
	}
	if again.Channels != 0 || again.Before != again.After || again.Before != done.After {
		t.Errorf("first %+v, then %+v", done, again)
	}
	if now := out.Text(); now != once {
		t.Errorf("a second compaction changes the model:\n%s\n%s", once, now)
	}
	return out, done
}

// parameters are the dims of every initializer, by name.
func parameters(m *onnx.Model) map[string][]int64 {
	out := map[string][]int64{}
	for _, v := range m.Graph.Initializers() {
		out[v.Name] = v.Const.Dims
	}
	return out
}
