package runtime

import (
	"errors"
	"maps"
	"testing"
)

func TestProviderOptions(t *testing.T) {
	for _, c := range []struct {
		provider string
		given    DeviceOptions
		want     map[string]string // nil: ErrOption
	}{
		{CPU, DeviceOptions{}, map[string]string{}},
		{CUDA, DeviceOptions{}, map[string]string{"use_tf32": "0"}},
		{CUDA, DeviceOptions{ID: 1, MemoryLimit: 1 << 32, TF32: true, ConvSearch: "heuristic", Other: map[string]string{"prefer_nhwc": "1", "device_id": "2"}},
			map[string]string{"device_id": "2", "gpu_mem_limit": "4294967296", "use_tf32": "1", "cudnn_conv_algo_search": "HEURISTIC", "prefer_nhwc": "1"}},
		{CUDA, DeviceOptions{Other: map[string]string{"use_tf32": "1"}}, map[string]string{"use_tf32": "1"}},
		{"MIGraphXExecutionProvider", DeviceOptions{ID: 3}, map[string]string{"device_id": "3"}},
		{"WebGpuExecutionProvider", DeviceOptions{Other: map[string]string{"preferredLayout": "NCHW"}}, map[string]string{"preferredLayout": "NCHW"}},
		{CPU, DeviceOptions{ID: 1}, nil},
		{CPU, DeviceOptions{TF32: true}, nil},
		{CPU, DeviceOptions{Other: map[string]string{"a": "b"}}, nil},
		{"WebGpuExecutionProvider", DeviceOptions{MemoryLimit: 1}, nil},
		{"CoreMLExecutionProvider", DeviceOptions{ID: 1}, nil},
		{CUDA, DeviceOptions{ConvSearch: "fast"}, nil},
		{CUDA, DeviceOptions{ID: -1}, nil},
	} {
		got, err := c.given.providerOptions(c.provider)
		if (c.want == nil) != errors.Is(err, ErrOption) || !maps.Equal(got, c.want) {
			t.Errorf("%s %+v: %v, %v, want %v", c.provider, c.given, got, err, c.want)
		}
	}
	for _, c := range []struct {
		given Options
		want  map[string]string
	}{
		{Options{Deterministic: true}, map[string]string{"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}},
		{Options{Deterministic: true, Device: DeviceOptions{ConvSearch: "default"}}, map[string]string{"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}},
		{Options{Deterministic: true, Device: DeviceOptions{ConvSearch: "exhaustive"}}, nil},
		{Options{Deterministic: true, Device: DeviceOptions{Other: map[string]string{"cudnn_conv_algo_search": "EXHAUSTIVE"}}}, nil},
		{Options{Capture: true}, map[string]string{"use_tf32": "0", "enable_cuda_graph": "1"}},
		{Options{Device: DeviceOptions{Other: map[string]string{"enable_cuda_graph": "1"}}}, nil},
	} {
		got, err := c.given.providerOptions(CUDA)
		if (c.want == nil) != errors.Is(err, ErrOption) || !maps.Equal(got, c.want) {
			t.Errorf("%+v: %v, %v, want %v", c.given, got, err, c.want)
		}
	}
	if _, err := (Options{Capture: true}).providerOptions(CPU); !errors.Is(err, ErrOption) {
		t.Errorf("recording on the CPU: %v", err)
	}
	if _, err := deviceID(map[string]string{"device_id": "one"}); !errors.Is(err, ErrOption) {
		t.Error(err)
	}
}
