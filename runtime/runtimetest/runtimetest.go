// Package runtimetest gives tests a real ONNX Runtime.
//
//	func TestModel(t *testing.T) {
//		s := runtimetest.Open(t, model, runtimetest.Options(t))
//	}
//
// Without a library the test is skipped, or fails when ORT_REQUIRED=1. GRAFT_TEST_PROVIDER=cuda runs sessions on another
// provider than the CPU; GRAFT_ORT_LIB then names a library that has it. What needs a GPU asks for CUDA's options, which skip
// where there is none, or fail when GRAFT_GPU_REQUIRED=1.
package runtimetest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"graft/onnx"
	"graft/runtime"
)

var find = sync.OnceValues(func() (*runtime.Library, error) {
	if err := runtime.Supported(); err != nil {
		return nil, err
	}
	return runtime.FindLibrary(runtime.Options{})
})

// Options are the options of a session on the machine's ONNX Runtime. The whole test binary shares one library.
func Options(t testing.TB) runtime.Options {
	t.Helper()
	return runtime.Options{Library: Library(t), Provider: Provider()}
}

// OneThread are the options of a session that sums in one order.
func OneThread(t testing.TB) runtime.Options {
	t.Helper()
	o := Options(t)
	o.Threads = 1
	return o
}

// Open opens a session of a model, until the test ends.
func Open(t testing.TB, m *onnx.Model, o runtime.Options) *runtime.Session {
	t.Helper()
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s, err := runtime.Open(data, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// CUDA are the options of a session on the machine's first GPU. Without one the test is skipped, saying what is missing.
func CUDA(t testing.TB) runtime.Options {
	t.Helper()
	o := runtime.Options{Library: Library(t), Provider: "cuda"}
	if err := onCUDA(o); err != nil {
		if os.Getenv("GRAFT_GPU_REQUIRED") == "1" {
			t.Fatalf("GRAFT_GPU_REQUIRED=1, and: %v", err)
		}
		t.Skipf("no GPU: %v", err)
	}
	return o
}

var (
	tried  sync.Once
	reason error
)

// onCUDA tries the provider once with a model of one node.
func onCUDA(o runtime.Options) error {
	tried.Do(func() {
		g := onnx.NewGraph("one")
		g.AddOutput(g.Add("Relu", []*onnx.Value{g.AddInput("x", onnx.TypeOf(onnx.Float, 1))}, 1).Output(0), "y")
		data, err := (&onnx.Model{IRVersion: 8, Opsets: []onnx.Opset{{Version: 17}}, Graph: g}).Encode()
		if err != nil {
			reason = err
			return
		}
		s, err := runtime.Open(data, o)
		if err == nil {
			_, err = s.Run(context.Background(), map[string]*onnx.Tensor{"x": onnx.NewTensor(onnx.Float, 1)})
			err = errors.Join(err, s.Close())
		}
		reason = err
	})
	return reason
}

// Provider is the provider that tests run on, empty for the CPU.
func Provider() string { return os.Getenv("GRAFT_TEST_PROVIDER") }

// Library is the path of the machine's ONNX Runtime.
func Library(t testing.TB) string {
	t.Helper()
	library, err := find()
	if err == nil {
		return library.Path
	}
	if os.Getenv("ORT_REQUIRED") == "1" {
		t.Fatalf("ORT_REQUIRED=1, and: %v", err)
	}
	t.Skipf("no ONNX Runtime: %v", err)
	return ""
}
