//go:build cgo

package runtime_test

import (
	"context"
	"os"
	"slices"
	"testing"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// TestCapture: a state whose session records its steps gives what another gives, from the same places at every step of a turn. On the CPU
// nothing is recorded, but all else is done; with GRAFT_TEST_PROVIDER=cuda the provider records.
func TestCapture(t *testing.T) {
	runtime.CaptureAnywhere(true)
	defer runtime.CaptureAnywhere(false)
	o := runtimetest.Options(t)
	o.Capture = true
	s, err := runtime.OpenSteps(model(
		node("Add", []string{"x", "one"}, []string{"x.next"}), node("Mul", []string{"x", "z"}, []string{"xz"}),
		node("ReduceSum", []string{"xz", "axes"}, []string{"loss"}), node("Concat", []string{"x", "z", "z"}, []string{"long"}, attribute("axis", 0)),
		initializer("one", onnx.FromSlice([]float32{1})), initializer("axes", onnx.FromSlice([]int64{0})),
		input("x", onnx.Float, 4), value(11, "z", onnx.Float, nil),
		output("x.next", onnx.Float, 4), output("loss", onnx.Float, 1), value(12, "long", onnx.Float, nil)), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begin := func() *runtime.State {
		st, err := s.NewState(feeds{"x": onnx.NewTensor(onnx.Float, 4)}, []runtime.Link{{Output: "x.next", Input: "x"}}, "loss", "long")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	st := begin()
	var places [2]string
	recorded := int64(0)
	for i := range 12 {
		x := float32(i)
		if i > 8 {
			x += 90
		}
		z := onnx.FromSlice([]float32{float32(i), 1, 1, 1})
		if i == 5 {
			z = onnx.FromSlice([]float32{float32(i)}) // of other dims: not recorded
		}
		if i == 9 {
			if err := st.Write("x", onnx.FromSlice(slices.Repeat([]float32{99}, 4))); err != nil {
				t.Fatal(err)
			}
		}
		step(t, st, feeds{"z": z})
		sum := float32(0)
		for j := range 4 {
			sum += x * z.Float32s()[int64(j)%z.Len()]
		}
		if loss := fetched(t, st, "loss").Float32s()[0]; loss != sum {
			t.Errorf("step %d: loss %g, want %g", i, loss, sum)
		}
		want := slices.Concat(slices.Repeat([]float32{x}, 4), z.Float32s(), z.Float32s())
		if long := fetched(t, st, "long"); !slices.Equal(long.Float32s(), want) {
			t.Errorf("step %d: %v, want %v", i, long.Float32s(), want)
		}
		if got, err := st.Read("x"); err != nil || got.Float32s()[3] != x+1 {
			t.Errorf("step %d: x %v, %v", i, got.Float32s(), err)
		}
		if i == 0 || i == 5 {
			continue
		}
		if recorded++; st.Captured() != recorded {
			t.Fatalf("step %d: %d steps were recorded, want %d", i, st.Captured(), recorded)
		}
		if p := &places[i%2]; *p == "" {
			*p = st.Places()
		} else if *p != st.Places() {
			t.Errorf("step %d: %s, another of the same turn had %s", i, st.Places(), *p)
		}
	}
	numbers := st.Recordings()
	other := begin() // whose memory may be what a recording writes to
	step(t, other, feeds{"z": onnx.NewTensor(onnx.Float, 4)})
	step(t, st, feeds{"z": onnx.NewTensor(onnx.Float, 4)})
	if st.Recordings() == numbers {
		t.Error("a recording outlived memory that was taken behind it")
	}
	holding := begin()
	if err := holding.Hold("z", onnx.FromSlice([]float32{1, 2, 3, 4})); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		step(t, holding, nil)
		if loss := fetched(t, holding, "loss").Float32s()[0]; loss != float32(10*i) || holding.Captured() != int64(i) {
			t.Errorf("held: step %d: loss %g, %d steps recorded", i, loss, holding.Captured())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := st.Step(ctx, feeds{"z": onnx.NewTensor(onnx.Float, 4)}); err == nil {
		t.Error("a step after the end")
	}
	step(t, st, feeds{"z": onnx.NewTensor(onnx.Float, 4)})
	if got, err := st.Read("x"); err != nil || got.Float32s()[0] != 104 {
		t.Errorf("x %v, %v", got.Float32s(), err)
	}
	if got := run(t, s, feeds{"x": onnx.NewTensor(onnx.Float, 4), "z": onnx.NewTensor(onnx.Float, 4)}, "long"); got["long"].Len() != 12 {
		t.Error("a run beside the state")
	}
}

// TestCaptureMemory: states that capture, and their steps, leave nothing behind.
func TestCaptureMemory(t *testing.T) {
	runtime.CaptureAnywhere(true)
	defer runtime.CaptureAnywhere(false)
	const n = 16 << 10
	o := runtimetest.Options(t)
	o.Capture = true
	s, err := runtime.OpenSteps(model(node("Add", []string{"x", "d"}, []string{"y"}), node("Neg", []string{"y"}, []string{"out"}),
		value(11, "x", onnx.Float, onnx.NewShape(n)), value(11, "d", onnx.Float, nil), output("y", onnx.Float, n), value(12, "out", onnx.Float, nil)), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d, one := onnx.NewTensor(onnx.Float, n), onnx.NewTensor(onnx.Float, 1)
	round := func() {
		st, err := s.NewState(feeds{"x": onnx.NewTensor(onnx.Float, n)}, []runtime.Link{{Output: "y", Input: "x"}}, "out")
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		for i := range 6 {
			in := feeds{"d": d}
			if i == 3 {
				in["d"] = one
			}
			step(t, st, in)
			if fetched(t, st, "out").Len() != n {
				t.Fatal("no output")
			}
		}
	}
	for range 50 {
		round()
	}
	before := residentPages(t)
	for range 500 {
		round()
	}
	if grown := (residentPages(t) - before) * os.Getpagesize(); grown > 16<<20 { // 500 times 64 KiB are 31 MiB
		t.Errorf("500 states took %d bytes more", grown)
	}
}

// TestWrongCapture: what cannot be recorded is said before the first step.
func TestWrongCapture(t *testing.T) {
	o := runtimetest.Options(t)
	o.Capture = true
	if _, err := runtime.OpenSteps(counter(), o); err == nil && o.Provider == "" {
		t.Error("a provider without recordings")
	} else if err != nil {
		wantError(t, err, runtime.ErrOption, "takes no CUDA graphs")
	}
	o.Capture = false
	o.Device.Other = map[string]string{"enable_cuda_graph": "1"}
	_, err := runtime.OpenSteps(counter(), o)
	wantError(t, err, runtime.ErrOption)
	runtime.CaptureAnywhere(true)
	defer runtime.CaptureAnywhere(false)
	o.Device.Other, o.Capture = nil, true
	s, err := runtime.OpenSteps(counter(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.NewState(feeds{"x": onnx.NewTensor(onnx.Float, 4)}, []runtime.Link{{Output: "x.next", Input: "x", InPlace: true}})
	wantError(t, err, runtime.ErrModel, "CUDA graphs", `"x"`)
}
