//go:build cgo && !windows

package runtime

/*
#include <dlfcn.h>
#include <stdlib.h>

static int call_u(void *f, unsigned a) { return ((int (*)(unsigned))f)(a); }
static int call_p(void *f, void *a) { return ((int (*)(void *))f)(a); }
static int call_pi(void *f, void *a, int b) { return ((int (*)(void *, int))f)(a, b); }
static int call_pii(void *f, void *a, int b, int c) { return ((int (*)(void *, int, int))f)(a, b, c); }
static int call_name(void *f, char *name, int size, int device) { return ((int (*)(char *, int, int))f)(name, size, device); }
static int call_text(void *f, int error, const char **text) { return ((int (*)(int, const char **))f)(error, text); }
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// The functions of the driver's interface that are called, and two attributes of a device.
const (
	computeMajor = 75
	computeMinor = 76
)

// readDriver asks NVIDIA's driver, by the name or path of its library. The error says that the library cannot be loaded. It
// stays loaded: the driver does not like to be unloaded.
func readDriver(library string) (*cudaDriver, error) {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	lib := C.dlopen(name, C.RTLD_LAZY|C.RTLD_LOCAL)
	if lib == nil {
		return nil, errors.New(oneLine(C.GoString(C.dlerror())))
	}
	functions := map[string]unsafe.Pointer{}
	for _, f := range []string{"cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2",
		"cuDeviceGetAttribute", "cuGetErrorString"} {
		symbol := C.CString(f)
		functions[f] = C.dlsym(lib, symbol)
		C.free(unsafe.Pointer(symbol))
		if functions[f] == nil {
			return nil, fmt.Errorf("%s has no %s", library, f)
		}
	}
	d := &cudaDriver{}
	var n C.int
	if C.call_p(functions["cuDriverGetVersion"], unsafe.Pointer(&n)) == 0 {
		d.version = int(n)
	}
	failed := func(code C.int) bool {
		if code == 0 {
			return false
		}
		d.problem = fmt.Sprintf("CUDA error %d", int(code))
		var text *C.char
		if C.call_text(functions["cuGetErrorString"], code, &text) == 0 && text != nil {
			d.problem += ": " + oneLine(C.GoString(text))
		}
		return true
	}
	if failed(C.call_u(functions["cuInit"], 0)) || failed(C.call_p(functions["cuDeviceGetCount"], unsafe.Pointer(&n))) {
		return d, nil
	}
	for i := range min(n, 1024) {
		var device, major, minor C.int
		var memory C.size_t
		var text [256]C.char
		if failed(C.call_pi(functions["cuDeviceGet"], unsafe.Pointer(&device), i)) ||
			failed(C.call_name(functions["cuDeviceGetName"], &text[0], 255, device)) ||
			failed(C.call_pi(functions["cuDeviceTotalMem_v2"], unsafe.Pointer(&memory), device)) ||
			failed(C.call_pii(functions["cuDeviceGetAttribute"], unsafe.Pointer(&major), computeMajor, device)) ||
			failed(C.call_pii(functions["cuDeviceGetAttribute"], unsafe.Pointer(&minor), computeMinor, device)) {
			return d, nil
		}
		d.devices = append(d.devices, cudaDevice{oneLine(C.GoString(&text[0])), int64(memory), int(major), int(minor)})
	}
	return d, nil
}
