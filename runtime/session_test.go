package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

type feeds = map[string]*onnx.Tensor

func open(t testing.TB, model []byte) *runtime.Session {
	t.Helper()
	s, err := runtime.Open(model, runtimetest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func run(t testing.TB, s *runtime.Session, in feeds, outputs ...string) feeds {
	t.Helper()
	out, err := s.Run(context.Background(), in, outputs...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantError checks that err is of a kind and that its text has each of the words.
func wantError(t testing.TB, err, kind error, words ...string) {
	t.Helper()
	if err == nil || kind != nil && !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
	if strings.Count(err.Error(), "\n") > 2 {
		t.Errorf("error has more than three lines: %q", err)
	}
}

func TestRun(t *testing.T) {
	s := open(t, addOne(3))
	if got := fmt.Sprintln(s.Inputs(), s.Outputs(), s.Provider()); got != "[{x float [3]}] [{y float [3]}] CPUExecutionProvider\n" {
		t.Error(got)
	}
	out := run(t, s, feeds{"x": onnx.FromSlice([]float32{1, 2, 3})})
	if y := out["y"]; fmt.Sprintln(y.Float32s(), y.Dims, y.Name) != "[2 3 4] [3] y\n" {
		t.Error(y.Float32s(), y.Dims, y.Name)
	}
}

func TestConcurrentRuns(t *testing.T) {
	s := open(t, addOne(64))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			x := onnx.NewTensor(onnx.Float, 64)
			for j := range 50 {
				x.Float32s()[63] = float32(i*100 + j)
				out, err := s.Run(context.Background(), feeds{"x": x})
				if err != nil || out["y"].Float32s()[63] != x.Float32s()[63]+1 {
					t.Errorf("run %d of %d: %v, %v", j, i, out, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// slowModel multiplies a matrix n times with itself-sized w, some milliseconds each.
func slowModel(n int) []byte {
	const size = 448
	graph := [][]byte{input("h0", onnx.Float, size, size), input("w", onnx.Float, size, size),
		output(fmt.Sprint("h", n), onnx.Float, size, size)}
	for i := range n {
		graph = append(graph, node("MatMul", []string{fmt.Sprint("h", i), "w"}, []string{fmt.Sprint("h", i+1)}))
	}
	return model(graph...)
}

func TestCancel(t *testing.T) {
	s := open(t, slowModel(4000))
	in := feeds{"h0": onnx.NewTensor(onnx.Float, 448, 448), "w": onnx.NewTensor(onnx.Float, 448, 448)}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	time.AfterFunc(30*time.Millisecond, func() { cancel(cause) })
	start := time.Now()
	_, err := s.Run(ctx, in)
	wantError(t, err, cause, "run stopped")
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("stopped after %v", d)
	}
	_, err = s.Run(ctx, in)
	wantError(t, err, cause)

	st, err := s.NewState(nil, nil, "h4000")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for range 2 { // a step that was stopped leaves nothing that stops the next
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		start := time.Now()
		err = st.Step(ctx, in)
		cancel()
		wantError(t, err, context.DeadlineExceeded)
		if time.Since(start) < 25*time.Millisecond {
			t.Error("the second step did not run")
		}
	}
	if fetched(t, st, "h4000") != nil {
		t.Error("a stopped step has an output")
	}
}

func TestWrongFeeds(t *testing.T) {
	s := open(t, model(
		node("Add", []string{"image", "offset"}, []string{"sum"}),
		value(11, "image", onnx.Float, onnx.Shape{{Symbol: "batch"}, {Size: 3}}), input("offset", onnx.Float, 3),
		value(12, "sum", onnx.Float, nil)))
	if got := fmt.Sprint(s.Inputs()[0].Type, s.Outputs()[0].Type.DType); got != "float [batch 3] float" {
		t.Error(got)
	}
	image, offset := onnx.NewTensor(onnx.Float, 2, 3), onnx.NewTensor(onnx.Float, 3)
	short := &onnx.Tensor{DType: onnx.Float, Dims: []int64{3}, Data: make([]byte, 8)}
	for name, c := range map[string]struct {
		in   feeds
		want []string
	}{
		"unknown": {feeds{"imgae": image, "offset": offset}, []string{`no input "imgae"`, `nearest: "image", "offset"`}},
		"missing": {feeds{"image": image}, []string{`"offset"`, "not fed"}},
		"nil":     {feeds{"image": image, "offset": nil}, []string{`"offset"`, "no tensor"}},
		"dtype":   {feeds{"image": image, "offset": onnx.NewTensor(onnx.Int64, 3)}, []string{"wants float [3]", "is fed int64 [3]"}},
		"rank":    {feeds{"image": offset, "offset": offset}, []string{"wants float [batch 3]", "is fed float [3]"}},
		"size":    {feeds{"image": onnx.NewTensor(onnx.Float, 2, 4), "offset": offset}, []string{"wants float [batch 3]"}},
		"data":    {feeds{"image": image, "offset": short}, []string{"8 bytes"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Run(context.Background(), c.in)
			wantError(t, err, runtime.ErrFeed, c.want...)
		})
	}
	_, err := s.Run(context.Background(), feeds{"image": image, "offset": offset}, "summ")
	wantError(t, err, runtime.ErrFeed, `no output "summ"`, `"sum"`)
	out := run(t, s, feeds{"image": image, "offset": offset})
	if fmt.Sprint(out["sum"].Dims) != "[2 3]" {
		t.Error(out["sum"].Dims)
	}
}

func TestRuntimeFailure(t *testing.T) {
	s := open(t, model(
		node("Reshape", []string{"x", "shape"}, []string{"y"}),
		input("x", onnx.Float, 6), input("shape", onnx.Int64, 2), value(12, "y", onnx.Float, nil)))
	x := onnx.NewTensor(onnx.Float, 6)
	_, err := s.Run(context.Background(), feeds{"x": x, "shape": onnx.FromSlice([]int64{4, 4})})
	wantError(t, err, runtime.ErrRuntime, "Reshape")
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	if out := run(t, s, feeds{"x": x, "shape": onnx.FromSlice([]int64{2, 3})}); fmt.Sprint(out["y"].Dims) != "[2 3]" {
		t.Error(out["y"].Dims)
	}
}

func TestRefusedModels(t *testing.T) {
	o := runtimetest.Options(t)
	for name, m := range map[string][]byte{
		"empty":    nil,
		"no proto": []byte("this is no model"),
		"no op":    model(node("NoSuchOperator", []string{"x"}, []string{"y"}), input("x", onnx.Float, 1), output("y", onnx.Float, 1)),
		"cut":      addOne(3)[:40],
	} {
		t.Run(name, func(t *testing.T) {
			s, err := runtime.Open(m, o)
			if s != nil {
				t.Fatal("opened")
			}
			wantError(t, err, runtime.ErrModel)
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for i, change := range []func(*runtime.Options){
		func(o *runtime.Options) { o.Threads = 1; o.Optimization = runtime.OptimizeNone },
		func(o *runtime.Options) { o.Provider = "CPUExecutionProvider"; o.Optimization = runtime.OptimizeBasic },
		func(o *runtime.Options) { o.Config = map[string]string{"session.intra_op.allow_spinning": "0"} },
	} {
		o := runtimetest.Options(t)
		change(&o)
		s, err := runtime.Open(addOne(1), o)
		if err != nil {
			t.Fatal(i, err)
		}
		run(t, s, feeds{"x": onnx.NewTensor(onnx.Float, 1)})
		s.Close()
	}
	o := runtimetest.Options(t)
	for _, change := range []func(*runtime.Options){
		func(o *runtime.Options) { o.Threads = -1 },
		func(o *runtime.Options) { o.Optimization = 99 },
		func(o *runtime.Options) { o.CustomOps = []string{"/no/such/library"} },
		func(o *runtime.Options) { o.Config = map[string]string{strings.Repeat("k", 5000): "1"} },
	} {
		o := o
		change(&o)
		_, err := runtime.Open(addOne(1), o)
		wantError(t, err, nil)
	}
}

func TestAbsentProvider(t *testing.T) {
	o := runtimetest.Options(t)
	o.Provider = "cuda"
	if info, err := runtime.Info(o); err == nil {
		t.Skipf("this library has %v", info.Providers)
	}
	_, err := runtime.Open(addOne(1), o)
	var missing *runtime.MissingError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	wantError(t, err, nil, "CUDAExecutionProvider", "CPUExecutionProvider", "--provider cpu")
	o.Provider = "warp"
	_, err = runtime.Open(addOne(1), o)
	wantError(t, err, nil, "warp")
}

func TestSecondLibrary(t *testing.T) {
	o := runtimetest.Options(t)
	open(t, addOne(1))
	o.Library = os.Args[0]
	_, err := runtime.Open(addOne(1), o)
	wantError(t, err, nil, "already runs", os.Args[0])
}

func TestClosed(t *testing.T) {
	s, err := runtime.Open(addOne(1), runtimetest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	st, err := s.NewState(feeds{"x": onnx.NewTensor(onnx.Float, 1)}, []runtime.Link{{Output: "y", Input: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_, err = s.Run(context.Background(), feeds{"x": onnx.NewTensor(onnx.Float, 1)})
	wantError(t, err, nil, "closed")
	wantError(t, st.Step(context.Background(), nil), nil, "closed")
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	wantError(t, st.Step(context.Background(), nil), nil, "closed")
	_, err = st.Read("x")
	wantError(t, err, nil, "closed")
}
