package autodiff

import (
	"context"
	"testing"

	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// one is the input of a graph that stayOnDevice has changed.
const one = "one"

// stayOnDevice keeps the data of a benchmark on the provider's device, where this is not the processor: inputs become
// constants times an input that is one, so that nothing is folded, and of outputs the first element is handed out.
func stayOnDevice(t testing.TB, g *onnx.Graph, feeds map[string]*onnx.Tensor) map[string]*onnx.Tensor {
	t.Helper()
	if _, ok := t.(*testing.B); !ok || runtime.ProviderName(runtimetest.Provider()) == runtime.CPU {
		return feeds
	}
	b := op.NewBuilder(g)
	scale := g.AddInput(one, onnx.TypeOf(onnx.Float, 1))
	kept := []*onnx.Value{scale}
	for _, v := range g.Inputs() {
		f := feeds[v.Name]
		if f == nil || f.DType != onnx.Float {
			if v != scale {
				kept = append(kept, v)
			}
			continue
		}
		uses := v.Uses()
		x := b.Mul(g.AddInitializer("kept."+v.Name, f), scale)
		for _, u := range uses {
			u.Node.SetInput(u.Index, x)
		}
		delete(feeds, v.Name)
	}
	g.SetInputs(kept...)
	first := g.Outputs()
	for i, v := range first {
		first[i] = b.Slice(b.Reshape(v, -1), op.SliceSpec{End: 1})
		first[i].Name, v.Name = v.Name, ""
	}
	g.SetOutputs(first...)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	feeds[one] = onnx.NewTensor(onnx.Float, 1)
	feeds[one].Float32s()[0] = 1
	return feeds
}

// measure runs a session over and over; not counted are the first runs, in which providers of devices choose their kernels.
func measure(b *testing.B, s *runtime.Session, feeds map[string]*onnx.Tensor, each func(run func())) {
	run := func() {
		if _, err := s.Run(context.Background(), feeds); err != nil {
			b.Fatal(err)
		}
	}
	run()
	run()
	for b.Loop() {
		each(run)
	}
}

// openFormed opens a graph of lowerings for a measurement, in the engines' opset or the younger one that it wants.
func openFormed(t testing.TB, g *onnx.Graph, threads int) *runtime.Session {
	t.Helper()
	low, err := op.LowestOpset(g)
	if err != nil {
		t.Fatal(err)
	}
	options := runtimetest.Options(t)
	options.Threads = threads
	return runtimetest.Open(t, &onnx.Model{IRVersion: 10, Opsets: []onnx.Opset{{Version: max(low, op.Opset)}}, Graph: g}, options)
}
