//go:build cgo

package runtime

import (
	"errors"
	"testing"
)

// TestRunDeviceError: a device that fails in a run is told from memory that is full and from a model that is wrong.
func TestRunDeviceError(t *testing.T) {
	const place = "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:129 "
	for message, want := range map[string]string{
		place + "CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=h ; file=cuda_execution_provider.cc ; expr=cudaStreamSynchronize(stream);":                            "the device failed: CUDA failure 719: unspecified launch failure",
		"Non-zero status code returned while running Gemm node. Name:'out' Status Message: " + place + "CUBLAS failure 14: CUBLAS_STATUS_INTERNAL_ERROR ; GPU=0 ; hostname=h ; expr=x": "the device failed: CUBLAS failure 14: CUBLAS_STATUS_INTERNAL_ERROR in Gemm",
	} {
		err := runError(errors.New(message))
		var failed *DeviceError
		if !errors.As(err, &failed) || !errors.Is(err, ErrRuntime) || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	var failed *DeviceError
	for _, message := range []string{place + "CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; expr=x", "Invalid rank for input: x"} {
		if err := runError(errors.New(message)); errors.As(err, &failed) {
			t.Errorf("%q: %v", message, err)
		}
	}
}
