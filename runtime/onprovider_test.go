//go:build cgo && !windows

package runtime_test

import (
	"context"
	"errors"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"graft/onnx"
	"graft/runtime"
	"graft/runtime/runtimetest"
)

// onProvider are the options of a session on the provider that GRAFT_TEST_PROVIDER names.
func onProvider(t *testing.T) runtime.Options {
	t.Helper()
	if name := runtime.ProviderName(runtimetest.Provider()); name == runtime.CPU {
		t.Skip("needs a device: GRAFT_TEST_PROVIDER names no provider")
	}
	return runtimetest.Options(t)
}

// TestProviderParity runs models on the provider and on the CPU: a small network, and the models of the folder GRAFT_MODELS.
// Outputs are within 1e-4 of the largest value. ONNX Runtime's own refusal of the CPU and graft's list of operators agree, as
// far as no node is kept there by choice.
func TestProviderParity(t *testing.T) {
	o := onProvider(t)
	models := map[string][]byte{"small network": model(
		node("MatMul", []string{"x", "w"}, []string{"h"}), node("Relu", []string{"h"}, []string{"r"}), node("Softmax", []string{"r"}, []string{"y"}),
		initializer("w", matrix(8, 4)), input("x", onnx.Float, 16, 8), output("y", onnx.Float, 16, 4))}
	if folder := os.Getenv("GRAFT_MODELS"); folder != "" {
		files, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if models[filepath.Base(f)], err = os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, data := range models {
		t.Run(name, func(t *testing.T) {
			m, err := onnx.Decode(data)
			if err != nil {
				t.Skip(err)
			}
			given, err := runtime.Sample(m.Graph, 1, nil)
			if err != nil {
				t.Skip(err)
			}
			cpu := o
			cpu.Provider = ""
			want := runOnce(t, data, cpu, given)
			var placed []runtime.Placement
			o.Placed = func(p runtime.Placement) { placed = append(placed, p) }
			got := runOnce(t, data, o, given)
			if len(placed) != 1 || placed[0].Provider != runtime.ProviderName(o.Provider) {
				t.Fatalf("%+v", placed)
			}
			t.Logf("on the CPU: %s; by choice %d", runtime.FallbackText(placed[0].Fallback), placed[0].Chosen)
			for output, w := range want {
				largest, difference := spread(t, w, got[output])
				t.Logf("%s: %.3g of %.3g", output, difference, largest)
				if difference > 1e-4*math.Max(largest, 1e-30) {
					t.Errorf("%s: differs by %g, its largest value is %g", output, difference, largest)
				}
			}
			strict := o
			strict.Config = map[string]string{"session.disable_cpu_ep_fallback": "1"}
			s, err := runtime.Open(data, strict)
			if err == nil {
				s.Close()
			}
			if placed[0].Chosen == 0 && (err == nil) != (len(placed[0].Fallback) == 0) {
				t.Errorf("ONNX Runtime without the CPU: %v, with: %+v", err, placed[0])
			}
		})
	}
}

func matrix(rows, columns int64) *onnx.Tensor {
	t := onnx.NewTensor(onnx.Float, rows, columns)
	for i, values := 0, t.Float32s(); i < len(values); i++ {
		values[i] = float32(i%7) - 3
	}
	return t
}

func runOnce(t *testing.T, data []byte, o runtime.Options, given feeds) feeds {
	t.Helper()
	s, err := runtime.Open(data, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Run(context.Background(), given)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// spread is the largest value of a tensor, and its largest difference from another.
func spread(t *testing.T, a, b *onnx.Tensor) (largest, difference float64) {
	t.Helper()
	x, ok1 := a.Reals()
	y, ok2 := b.Reals()
	if !ok1 || !ok2 || len(x) != len(y) {
		t.Fatalf("%v beside %v", a.Type(), b.Type())
	}
	for i := range x {
		largest, difference = max(largest, math.Abs(x[i])), max(difference, math.Abs(x[i]-y[i]))
	}
	return largest, difference
}

// TestProviderStrict refuses an operator that hardly any device has, and says which; without strictness it runs.
func TestProviderStrict(t *testing.T) {
	o := onProvider(t)
	data := model(node("Det", []string{"x"}, []string{"y"}), input("x", onnx.Float, 2, 2), value(12, "y", onnx.Float, onnx.Shape{}))
	o.Strict = true
	_, err := runtime.Open(data, o)
	var missing *runtime.MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "leaves operators to the CPU: Det") {
		t.Fatal(err)
	}
	o.Strict = false
	runOnce(t, data, o, feeds{"x": matrix(2, 2)})
}

// TestProviderSignals sends an interrupt after the provider has started: it is still Go's.
func TestProviderSignals(t *testing.T) {
	o := onProvider(t)
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, os.Interrupt)
	defer signal.Stop(arrived)
	runOnce(t, addOne(4), o, feeds{"x": onnx.NewTensor(onnx.Float, 4)})
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-arrived:
	case <-time.After(5 * time.Second):
		t.Fatal("the interrupt did not arrive")
	}
}

// TestProviderRefuses asks a device for more than there is.
func TestProviderRefuses(t *testing.T) {
	o := onProvider(t)
	if runtime.ProviderName(o.Provider) != runtime.CUDA {
		t.Skip("these are CUDA's options")
	}
	var missing *runtime.MissingError
	o.Device.ID = 1000
	if _, err := runtime.Open(addOne(1), o); !errors.As(err, &missing) || !strings.Contains(err.Error(), "has no device 1000") {
		t.Error(err)
	}
	o.Device = runtime.DeviceOptions{Other: map[string]string{"gpu_mem_limt": "1"}}
	if _, err := runtime.Open(addOne(1), o); !errors.Is(err, runtime.ErrOption) {
		t.Error(err)
	}
	o.Device = runtime.DeviceOptions{MemoryLimit: 64 << 20}
	s, err := runtime.Open(model(node("Expand", []string{"x", "dims"}, []string{"e"}), node("Relu", []string{"e"}, []string{"y"}),
		input("x", onnx.Float, 1), input("dims", onnx.Int64, 1), value(12, "y", onnx.Float, onnx.NewShape(-1))), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Run(context.Background(), feeds{"x": onnx.NewTensor(onnx.Float, 1), "dims": onnx.FromSlice([]int64{1 << 28})})
	var full *runtime.MemoryError
	if !errors.As(err, &full) || full.Requested < 1<<30 {
		t.Errorf("%v: %+v", err, full)
	}
	if _, err := s.Run(context.Background(), feeds{"x": onnx.NewTensor(onnx.Float, 1), "dims": onnx.FromSlice([]int64{16})}); err != nil {
		t.Errorf("after memory ran out: %v", err)
	}
}
