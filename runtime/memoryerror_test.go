package runtime

import (
	"errors"
	"fmt"
	"testing"
)

// TestMemoryErrors reads messages as ONNX Runtime has written them, on CUDA and on the CPU.
func TestMemoryErrors(t *testing.T) {
	const arena = "/onnxruntime_src/onnxruntime/core/framework/bfc_arena.cc:376 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*, bool, onnxruntime::WaitNotificationFn) "
	const call = "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:129 std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, int) "
	for _, c := range []struct{ message, want string }{
		{"Non-zero status code returned while running Conv node. Name:'/patch_embed/mlp/fc1/Conv' Status Message: \n" + arena +
			"Failed to allocate memory for requested buffer of size 4585490524\n",
			`out of memory: 4585490524 bytes (4.271 GiB) were asked for by Conv "/patch_embed/mlp/fc1/Conv"`},
		{"Non-zero status code returned while running FusedMatMul node. Name:'MatMul_92' Status Message: " + arena +
			"Available memory of 1048576 is smaller than requested bytes of 8388608",
			`out of memory: 8388608 bytes (8 MiB) were asked for by FusedMatMul "MatMul_92", 1048576 bytes (1 MiB) are left`},
		{"Non-zero status code returned while running Mul node. Name:'' Status Message: " + arena +
			"Failed to allocate memory for requested buffer of size 99999999999999999999",
			`out of memory: 9223372036854775807 bytes (8.59e+09 GiB) were asked for by a Mul`},
		{"Exception during initialization: " + arena + "Failed to allocate memory for requested buffer of size 2359296000",
			`out of memory: 2359296000 bytes (2.197 GiB) were asked for while the model was opened`},
		{call + "CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; file=cuda_allocator.cc ; line=64 ; expr=cudaMalloc((void**)&p, size);",
			`out of memory: an allocation failed while the model was opened`},
		{"Non-zero status code returned while running Gemm node. Name:'fc1' Status Message: " + call +
			"CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=h ; file=cuda_execution_provider.cc ; line=168 ; expr=cublasCreate(&cublas_handle_);",
			`out of memory: an allocation failed by Gemm "fc1"`},
	} {
		got := memoryError(errors.New(c.message))
		if got == nil || got.Error() != c.want || !errors.Is(got, ErrRuntime) {
			t.Errorf("%v, want %s", got, c.want)
		}
	}
	for _, other := range []string{"", "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=h", "Invalid rank for input: x"} {
		if got := memoryError(errors.New(other)); got != nil {
			t.Errorf("%q: %v", other, got)
		}
	}
	if got := memoryError(fmt.Errorf("%w: x", ErrModel)); got != nil {
		t.Error(got)
	}
}
