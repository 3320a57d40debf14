package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"graft/onnx"
	"graft/runtime"
)

// counter has the state x -> x + 1 and n -> n + n, the outputs loss = sum(x·z), a scalar, and seen = x of undeclared shape.
func counter() []byte {
	return model(
		node("Add", []string{"x", "one"}, []string{"x.next"}),
		node("Add", []string{"n", "n"}, []string{"n.next"}),
		node("Mul", []string{"x", "z"}, []string{"xz"}),
		node("ReduceSum", []string{"xz", "axes"}, []string{"kept"}),
		node("Squeeze", []string{"kept"}, []string{"loss"}),
		node("Reshape", []string{"x", "shape"}, []string{"seen"}),
		initializer("one", onnx.FromSlice([]float32{1})), initializer("axes", onnx.FromSlice([]int64{0})),
		input("x", onnx.Float, 4), input("n", onnx.Int64), input("z", onnx.Float, 4), input("shape", onnx.Int64, 2),
		output("x.next", onnx.Float, 4), output("n.next", onnx.Int64), output("loss", onnx.Float),
		value(12, "seen", onnx.Float, nil))
}

var counterLinks = []runtime.Link{{Output: "x.next", Input: "x"}, {Output: "n.next", Input: "n"}}

func newCounter(t testing.TB, fetch ...string) *runtime.State {
	t.Helper()
	st, err := open(t, counter()).NewState(feeds{"x": onnx.NewTensor(onnx.Float, 4), "n": onnx.Scalar(int64(1))}, counterLinks, fetch...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func step(t testing.TB, st *runtime.State, in feeds) {
	t.Helper()
	if err := st.Step(context.Background(), in); err != nil {
		t.Fatal(err)
	}
}

// fetched is an output of the last step.
func fetched(t testing.TB, st *runtime.State, name string) *onnx.Tensor {
	t.Helper()
	out, err := st.Output(name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestState(t *testing.T) {
	st := newCounter(t, "loss", "seen")
	if fetched(t, st, "loss") != nil {
		t.Error("an output before the first step")
	}
	z := onnx.FromSlice([]float32{1, 1, 1, 1})
	in := feeds{"z": z, "shape": onnx.FromSlice([]int64{2, 2})}
	for i := range 10 {
		z.Float32s()[0] = float32(i + 1) // read in place
		if i == 5 {
			in["shape"] = onnx.FromSlice([]int64{4, 1}) // another tensor, another output shape
		}
		step(t, st, in)
		if loss := fetched(t, st, "loss"); len(loss.Dims) != 0 || loss.Float32s()[0] != float32(i*(3+i+1)) {
			t.Errorf("step %d: loss %v %v", i, loss.Dims, loss.Float32s())
		}
		seen := fetched(t, st, "seen")
		if want := map[bool]string{false: "[2 2]", true: "[4 1]"}[i >= 5]; fmt.Sprint(seen.Dims) != want || seen.Float32s()[3] != float32(i) {
			t.Errorf("step %d: seen %v %v", i, seen.Dims, seen.Float32s())
		}
		x, err := st.Read("x")
		if err != nil || x.Name != "x" || !slices.Equal(x.Float32s(), slices.Repeat([]float32{float32(i + 1)}, 4)) {
			t.Errorf("step %d: x %v, %v", i, x.Float32s(), err)
		}
		x.Float32s()[0] = 99 // a copy
	}
	if n, err := st.Read("n"); err != nil || n.Int64s()[0] != 1024 || len(n.Dims) != 0 {
		t.Errorf("n %v, %v", n, err)
	}
	if err := st.Write("n", onnx.Scalar(int64(7))); err != nil {
		t.Fatal(err)
	}
	step(t, st, in)
	if n, _ := st.Read("n"); n.Int64s()[0] != 14 {
		t.Error("after Write:", n.Int64s())
	}
	if fetched(t, st, "x.next") != nil {
		t.Error("a linked output is not fetched")
	}
}

// TestStateFailedStep checks that a step that fails changes nothing.
func TestStateFailedStep(t *testing.T) {
	st := newCounter(t, "seen", "loss")
	in := feeds{"z": onnx.NewTensor(onnx.Float, 4), "shape": onnx.FromSlice([]int64{2, 2})}
	step(t, st, in)
	bad := feeds{"z": in["z"], "shape": onnx.FromSlice([]int64{3, 3})}
	wantError(t, st.Step(context.Background(), bad), runtime.ErrRuntime, "Reshape")
	if fetched(t, st, "seen") != nil || fetched(t, st, "loss") != nil {
		t.Error("a failed step has outputs")
	}
	if x, _ := st.Read("x"); x.Float32s()[0] != 1 {
		t.Error(x.Float32s())
	}
	step(t, st, in)
	if x, _ := st.Read("x"); x.Float32s()[0] != 2 {
		t.Error(x.Float32s())
	}
}

// TestStateReplacedData swaps the memory, the dims and the type under a tensor that is fed again.
func TestStateReplacedData(t *testing.T) {
	st := newCounter(t, "loss")
	z := onnx.FromSlice([]float32{1, 1, 1, 1})
	in := feeds{"z": z, "shape": onnx.FromSlice([]int64{2, 2})}
	step(t, st, in)
	z.Data = onnx.FromSlice([]float32{2, 2, 2, 2}).Data
	step(t, st, in)
	if got := fetched(t, st, "loss").Float32s()[0]; got != 8 {
		t.Error(got)
	}
	z.Data = append([]byte{0}, z.Data...)[1:] // not aligned: copied at each step
	for i := range 2 {
		step(t, st, in)
		if got := fetched(t, st, "loss").Float32s()[0]; got != float32(16+8*i) {
			t.Error(got)
		}
	}
	z.Dims = []int64{2, 2}
	wantError(t, st.Step(context.Background(), in), runtime.ErrFeed, "wants float [4]")
	z.Dims, z.DType = []int64{4}, onnx.Int32
	wantError(t, st.Step(context.Background(), in), runtime.ErrFeed, "int32")
}

func TestWrongState(t *testing.T) {
	s := open(t, counter())
	x, n := onnx.NewTensor(onnx.Float, 4), onnx.Scalar(int64(1))
	good := feeds{"x": x, "n": n}
	for name, c := range map[string]struct {
		initial feeds
		links   []runtime.Link
		fetch   string
		want    string
	}{
		"no such input":   {feeds{"y": x}, []runtime.Link{{Output: "x.next", Input: "y"}}, "loss", `no input "y"`},
		"no such output":  {feeds{"x": x}, []runtime.Link{{Output: "next", Input: "x"}}, "loss", `no output "next"`},
		"no such fetch":   {good, counterLinks, "los", `no output "los", nearest: "loss"`},
		"no value":        {feeds{"x": x}, counterLinks, "loss", `"n" is fed no tensor`},
		"wrong value":     {feeds{"x": n, "n": n}, counterLinks, "loss", `"x" wants float [4]`},
		"surplus value":   {feeds{"x": x, "n": n, "z": x}, counterLinks, "loss", `"z" belongs to no link`},
		"other type":      {feeds{"x": x}, []runtime.Link{{Output: "n.next", Input: "x"}}, "loss", `cannot become input "x"`},
		"other shape":     {feeds{"x": x}, []runtime.Link{{Output: "loss", Input: "x"}}, "seen", `cannot become input "x"`},
		"grows in place":  {feeds{"x": x}, []runtime.Link{{Output: "x.next", Input: "x", InPlace: true, Grows: true}}, "loss", "cannot be written in place"},
		"linked twice":    {feeds{"x": x}, []runtime.Link{counterLinks[0], counterLinks[0]}, "loss", "linked twice"},
		"fetched, linked": {good, counterLinks, "x.next", "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.NewState(c.initial, c.links, c.fetch)
			wantError(t, err, runtime.ErrFeed, c.want)
		})
	}
	st, err := s.NewState(good, counterLinks)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	z := onnx.NewTensor(onnx.Float, 4)
	wantError(t, st.Step(context.Background(), feeds{"z": z}), runtime.ErrFeed, `"shape"`, "not fed")
	wantError(t, st.Step(context.Background(), feeds{"zz": z}), runtime.ErrFeed, `no input "zz"`)
	wantError(t, st.Step(context.Background(), feeds{"z": z, "x": x}), runtime.ErrFeed, `"x" is part of the state`)
	wantError(t, st.Write("n", x), runtime.ErrFeed, `"n" is int64 []`)
	wantError(t, st.Write("m", x), runtime.ErrFeed, `no state "m"`)
	_, err = st.Read("m")
	wantError(t, err, runtime.ErrFeed, `no state "m"`)
}

// residentPages is the process's memory.
func residentPages(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("there is no /proc/self/statm to measure with")
	}
	pages, err := strconv.Atoi(string(bytes.Fields(b)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// TestMemory runs and steps thousands of times with tensors whose loss would show: 2000 times 64 KiB are 125 MiB.
func TestMemory(t *testing.T) {
	const n, rounds = 16 << 10, 2000
	s := open(t, model(
		node("Add", []string{"x", "d"}, []string{"y"}), node("Reshape", []string{"y", "shape"}, []string{"free"}),
		value(11, "x", onnx.Float, onnx.NewShape(n)), value(11, "d", onnx.Float, onnx.NewShape(n)), input("shape", onnx.Int64, 1),
		output("y", onnx.Float, n), value(12, "free", onnx.Float, nil)))
	x, shape := onnx.NewTensor(onnx.Float, n), onnx.FromSlice([]int64{n})
	ctx, cancel := context.WithCancel(context.Background()) // with run options
	defer cancel()
	st, err := s.NewState(feeds{"x": x}, []runtime.Link{{Output: "y", Input: "x"}}, "free")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	round := func() {
		if _, err := s.Run(ctx, feeds{"x": x, "d": x, "shape": shape}); err != nil {
			t.Fatal(err)
		}
		if err := st.Step(ctx, feeds{"d": onnx.NewTensor(onnx.Float, n), "shape": shape}); err != nil {
			t.Fatal(err)
		}
		if fetched(t, st, "free").Len() != n {
			t.Fatal("no output")
		}
		if _, err := s.Run(ctx, feeds{"x": x, "d": x, "shape": onnx.FromSlice([]int64{7})}); err == nil {
			t.Fatal("a wrong shape ran")
		}
	}
	for range 200 {
		round()
	}
	before := residentPages(t)
	for range rounds {
		round()
	}
	if grown := (residentPages(t) - before) * os.Getpagesize(); grown > 32<<20 {
		t.Errorf("%d rounds took %d bytes more", rounds, grown)
	}
}

// BenchmarkStep is the cost of a step around a model that does almost nothing: two linked tensors, two feeds, one output.
func BenchmarkStep(b *testing.B) {
	for _, cancellable := range []bool{false, true} {
		b.Run(fmt.Sprintf("cancellable=%v", cancellable), func(b *testing.B) {
			ctx := context.Background()
			if cancellable {
				c, cancel := context.WithCancel(ctx)
				defer cancel()
				ctx = c
			}
			st := newCounter(b, "loss")
			in := feeds{"z": onnx.NewTensor(onnx.Float, 4), "shape": onnx.FromSlice([]int64{2, 2})}
			b.ReportAllocs()
			for b.Loop() {
				if err := st.Step(ctx, in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStepSized is a step of x -> x + 1 over 3 million elements, the size of the denoising network.
func BenchmarkStepSized(b *testing.B) {
	const n = 3 << 20
	s := open(b, addOne(n))
	st, err := s.NewState(feeds{"x": onnx.NewTensor(onnx.Float, n)}, []runtime.Link{{Output: "y", Input: "x"}})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	b.SetBytes(4 * n)
	for b.Loop() {
		step(b, st, nil)
	}
}

// BenchmarkRun is the same as BenchmarkStep without state.
func BenchmarkRun(b *testing.B) {
	s := open(b, addOne(4))
	in := feeds{"x": onnx.NewTensor(onnx.Float, 4)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Run(context.Background(), in); err != nil {
			b.Fatal(err)
		}
	}
}

// TestStateHold: what is held is read by every step, and cannot be fed.
func TestStateHold(t *testing.T) {
	st := newCounter(t, "loss")
	z := onnx.FromSlice([]float32{1, 2, 3, 4})
	shape := feeds{"shape": onnx.FromSlice([]int64{2, 2})}
	if err := st.Hold("z", z); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		step(t, st, shape)
		if loss := fetched(t, st, "loss").Float32s()[0]; loss != float32(10*i) {
			t.Errorf("step %d: loss %g", i, loss)
		}
	}
	if err := st.Hold("z", onnx.FromSlice([]float32{1, 0, 0, 0})); err != nil {
		t.Fatal(err)
	}
	step(t, st, shape)
	if loss := fetched(t, st, "loss").Float32s()[0]; loss != 4 {
		t.Errorf("with another: loss %g", loss)
	}
	wantError(t, st.Step(context.Background(), feeds{"z": z, "shape": shape["shape"]}), runtime.ErrFeed, `"z" is held`)
	wantError(t, st.Hold("x", z), runtime.ErrFeed, `no input "x"`)
	wantError(t, st.Hold("z", shape["shape"]), runtime.ErrFeed, `"z"`)
	wantError(t, st.Step(context.Background(), shape), runtime.ErrFeed, `"z"`, "not fed")
}

// TestStateGrows has a list grow by what is fed, from nothing; a step that fails leaves it as it was.
func TestStateGrows(t *testing.T) {
	s := open(t, model(node("Concat", []string{"list", "new"}, []string{"longer"}, attribute("axis", 0)), node("Reshape", []string{"longer", "shape"}, []string{"seen"}),
		value(11, "list", onnx.Float, nil), value(11, "new", onnx.Float, nil), input("shape", onnx.Int64, 1),
		value(12, "longer", onnx.Float, nil), value(12, "seen", onnx.Float, nil)))
	st, err := s.NewState(feeds{"list": onnx.NewTensor(onnx.Float, 0)}, []runtime.Link{{Output: "longer", Input: "list", Grows: true}}, "seen")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in := feeds{"shape": onnx.FromSlice([]int64{-1})}
	var want []float32
	for i := range 6 {
		got, err := st.Read("list")
		if err != nil || got.Name != "list" || !slices.Equal(got.Dims, []int64{int64(len(want))}) || !slices.Equal(got.Float32s(), want) {
			t.Fatalf("step %d: %v, %v, want %v", i, got, err, want)
		}
		if i == 3 {
			bad := feeds{"shape": onnx.FromSlice([]int64{99}), "new": in["new"]}
			wantError(t, st.Step(context.Background(), bad), runtime.ErrRuntime, "Reshape")
		}
		in["new"] = onnx.FromSlice(slices.Repeat([]float32{float32(i)}, i))
		step(t, st, in)
		want = append(want, in["new"].Float32s()...)
		if seen := fetched(t, st, "seen"); !slices.Equal(seen.Float32s(), want) {
			t.Errorf("step %d: %v, want %v", i, seen.Float32s(), want)
		}
	}
	wantError(t, st.Write("list", onnx.NewTensor(onnx.Float, int64(len(want)))), runtime.ErrFeed, "grows")
}

// TestStateInPlace: an output that is written over its input is the state all the same, kept once; a step is then not cut short.
func TestStateInPlace(t *testing.T) {
	links := []runtime.Link{{Output: "x.next", Input: "x", InPlace: true}, {Output: "n.next", Input: "n"}}
	st, err := open(t, counter()).NewState(feeds{"x": onnx.NewTensor(onnx.Float, 4), "n": onnx.Scalar(int64(1))}, links)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	in := feeds{"z": onnx.NewTensor(onnx.Float, 4), "shape": onnx.FromSlice([]int64{2, 2})}
	for i := range 5 {
		step(t, st, in)
		x, err := st.Read("x")
		if err != nil || !slices.Equal(x.Float32s(), slices.Repeat([]float32{float32(i + 1)}, 4)) {
			t.Errorf("step %d: x %v, %v", i, x.Float32s(), err)
		}
		if n, err := st.Read("n"); err != nil || n.Int64s()[0] != 2<<i {
			t.Errorf("step %d: n %v, %v", i, n, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := st.Step(ctx, in); err == nil {
		t.Error("a step after the end")
	}
	if x, err := st.Read("x"); err != nil || x.Float32s()[0] != 5 {
		t.Errorf("after a step that did not begin: %v, %v", x, err)
	}
}
