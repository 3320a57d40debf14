package runtime_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"graft/runtime"
	"graft/runtime/runtimetest"
)

func TestInfo(t *testing.T) {
	o := runtimetest.Options(t)
	info, err := runtime.Info(o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", b)
	if info.Library != o.Library || info.API < 28 || !strings.HasPrefix(info.Version, "1.") || !slices.Contains(info.Providers, runtime.CPU) {
		t.Errorf("%s", b)
	}
	for _, key := range []string{"library", "version", "api", "providers", "devices", "missing"} {
		if !strings.Contains(string(b), `"`+key+`":`) {
			t.Errorf("%s lacks %s", b, key)
		}
	}
	if len(info.Devices) == 0 {
		t.Error("no device, not even the CPU")
	}
}

func TestProviderName(t *testing.T) {
	for name, want := range map[string]string{
		"": "CPUExecutionProvider", "cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "CUDA": "CUDAExecutionProvider",
		"CUDAExecutionProvider": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider", "MyExecutionProvider": "MyExecutionProvider",
	} {
		if got := runtime.ProviderName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
