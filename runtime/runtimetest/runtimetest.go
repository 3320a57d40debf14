// Package runtimetest gives tests a real ONNX Runtime.
//
//	func TestModel(t *testing.T) {
//		s, err := runtime.Open(model, runtimetest.Options(t))
//		if err != nil {
//			t.Fatal(err)
//		}
//		defer s.Close()
//	}
//
// Without a library the test is skipped, or fails when ORT_REQUIRED=1. GRAFT_TEST_PROVIDER=cuda runs sessions on another
// provider than the CPU; GRAFT_ORT_LIB then names a library that has it.
package runtimetest

import (
	"os"
	"sync"
	"testing"

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
