//go:build cgo

package runtime

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// stubDriver compiles a libcuda that answers like NVIDIA's.
func stubDriver(t *testing.T, version, initError string) string {
	t.Helper()
	return stubLibrary(t, filepath.Join(t.TempDir(), "libcuda.so.1"), "libcuda.so.1", `
#include <string.h>
#include <stddef.h>
int cuInit(unsigned flags) { return `+initError+`; }
int cuDriverGetVersion(int *v) { *v = `+version+`; return 0; }
int cuDeviceGetCount(int *n) { *n = 2; return 0; }
int cuDeviceGet(int *device, int i) { *device = 10 + i; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, device == 10 ? "NVIDIA H100" : "NVIDIA\x1b T4", size); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = device == 10 ? 85000000000 : 16000000000; return 0; }
int cuDeviceGetAttribute(int *v, int attribute, int device) { *v = attribute == 75 ? (device == 10 ? 9 : 7) : attribute == 76 ? (device == 10 ? 0 : 5) : -1; return 0; }
int cuGetErrorString(int error, const char **text) { *text = "no CUDA-capable device is detected"; return 0; }
`)
}

func TestDriver(t *testing.T) {
	library := stubDriver(t, "12080", "0")
	d, err := readDriver(library)
	if err != nil || d.versionText() != "12.8" || d.problem != "" || d.deviceList() != `0 "NVIDIA H100", 1 "NVIDIA  T4"` {
		t.Fatalf("%+v, %v", d, err)
	}
	if h := d.devices[0]; h.memory != 85_000_000_000 || h.major != 9 || h.minor != 0 || d.devices[1].minor != 5 {
		t.Errorf("%+v", d.devices)
	}
	if err := noDevice(CUDA, 2, d); !strings.Contains(err.Error(), `has no device 2: there are 0 "NVIDIA H100", 1`) {
		t.Error(err)
	}
	info := Information{Library: filepath.Join(t.TempDir(), "libonnxruntime.so"), Version: "1.31.1", Providers: []string{CPU}}
	info.setDevices(machine{loadable, func() (*cudaDriver, error) { return d, nil }})
	if len(info.Devices) != 2 || *info.Devices[1].ID != 1 || info.Devices[0].Capability != "9.0" || info.Devices[1].Memory != 16_000_000_000 ||
		len(info.Missing) != 1 || !strings.Contains(info.Missing[0], "it is not in this ONNX Runtime, and there is a device for it") {
		t.Errorf("%+v", info)
	}

	none, err := readDriver(stubDriver(t, "13000", "100"))
	if err != nil || none.problem != "CUDA error 100: no CUDA-capable device is detected" || len(none.devices) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	if _, err := readDriver(stubLibrary(t, filepath.Join(t.TempDir(), "libcuda.so.1"), "", "int cuInit;")); err == nil || !strings.Contains(err.Error(), "has no cuDriverGetVersion") {
		t.Error(err)
	}
	if _, err := readDriver(filepath.Join(t.TempDir(), "libcuda.so.1")); err == nil {
		t.Error("no error")
	}
}

// TestNoSuchDevice asks a machine with two devices for a third, and for one by an odd number.
func TestNoSuchDevice(t *testing.T) {
	library := stubDriver(t, "13000", "0")
	before := thisMachine
	defer func() { thisMachine = before }()
	thisMachine = machine{loadable, func() (*cudaDriver, error) { return readDriver(library) }}
	e := &environment{library: Library{Path: filepath.Join(t.TempDir(), "libonnxruntime.so"), Version: "1.31.1"}}
	for id, want := range map[string]string{"0": "", "1": "", "2": "has no device 2", "x": "device_id x is no device's number"} {
		err := e.checkProvider(CUDA, map[string]string{"device_id": id})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
	stubProvider(t, providerPath(filepath.Dir(e.library.Path), CUDA), "1.30.0")
	var missing *MissingError
	if err := e.checkProvider(CUDA, nil); !errors.As(err, &missing) || !strings.Contains(err.Error(), "is of 1.30.0, ONNX Runtime's own library of 1.31.1") {
		t.Error(err)
	}
}
