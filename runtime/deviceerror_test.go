package runtime

import (
	"errors"
	"strings"
	"testing"
)

// TestDeviceErrors reads messages as ONNX Runtime has written them.
func TestDeviceErrors(t *testing.T) {
	const call = "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:123 std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(ERRTYPE, const char*, const char*, ERRTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; bool THRW = true] "
	for _, c := range []struct{ message, want, fix string }{
		{call + "CUDA failure 100: no CUDA-capable device is detected ; GPU=32635 ; hostname=5ace ; file=cuda_execution_provider.cc ; line=280 ; expr=cudaSetDevice(info_.device_id);",
			"open session: CUDAExecutionProvider does not start: CUDA failure 100: no CUDA-capable device is detected", "CUDA_VISIBLE_DEVICES"},
		{call + "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=0 ; hostname=h ; expr=x",
			"open session: CUDAExecutionProvider does not start: CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version", "driver"},
		{call + "CUDA failure 101: invalid device ordinal ; GPU=0 ; hostname=h ; expr=cudaSetDevice(info_.device_id);",
			"open session: CUDAExecutionProvider does not start: CUDA failure 101: invalid device ordinal", "--device-id"},
		{call + "CUDA failure 209: no kernel image is available for execution on the device ; GPU=0 ; hostname=h ; expr=x",
			"open session: CUDAExecutionProvider does not start: CUDA failure 209: no kernel image is available for execution on the device", "compute capability"},
		{"/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider_info.cc:69 operator() 0 <= id && id < num_devices was false. Invalid device ID: 7, must be between 0 (inclusive) and 1 (exclusive).",
			"open session: CUDAExecutionProvider has no device 7: there is one, device_id 0", "--device-id"},
		{"cuDNN is not available. Install cuDNN, update the system library search path, or set enable_cudnn=0 to force native CUDA paths where available.",
			"open session: CUDAExecutionProvider has no cuDNN, which this model needs", "cuDNN"},
	} {
		got := deviceError(errors.New(c.message), CUDA)
		if got == nil || got.What != c.want || !strings.Contains(got.Fix, c.fix) {
			t.Errorf("%+v, want %s, %s", got, c.want, c.fix)
		}
	}
	if got := deviceError(errors.New("Invalid rank for input: x"), CUDA); got != nil {
		t.Error(got)
	}
}

func TestStartErrors(t *testing.T) {
	m := machine{func(string) error { return nil }, func() (*cudaDriver, error) { return nil, errors.New("none") }}
	for _, c := range []struct {
		provider, message, want string
		is                      error
	}{
		{"WebGpuExecutionProvider", "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::WebGpuContext::Initialize(const onnxruntime::webgpu::WebGpuContextConfig&)::<lambda()> adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters",
			"open session: WebGpuExecutionProvider does not start: Failed to get a WebGPU adapter: No supported adapters\n", nil},
		{"QNNExecutionProvider", "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library x.so with error: y.so: cannot open shared object file: No such file or directory",
			"open session: QNNExecutionProvider does not start: Failed to load library x.so with error: y.so: cannot open", nil},
		{"QNNExecutionProvider", `Unknown provider option: "gpu_mem_limt". Known are device_id, ...`, "QNNExecutionProvider has no gpu_mem_limt", ErrOption},
		{CUDA, "provider_options_utils.h:187 Parse Failed to parse provider option \"gpu_mem_limit\": parse_string.h:116 ParseStringWithClassicLocale Failed to parse value: \"18446744073709551615\"",
			"CUDAExecutionProvider does not take gpu_mem_limit=x", ErrOption},
		{CUDA, "anything", "its library libonnxruntime_providers_cuda.so is not in ", nil},
	} {
		err := m.startError(errors.New(c.message), c.provider, t.TempDir(), map[string]string{"gpu_mem_limit": "x"})
		var missing *MissingError
		if !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) || c.is == nil && !errors.As(err, &missing) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
