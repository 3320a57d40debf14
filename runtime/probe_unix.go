//go:build cgo && !windows

package runtime

/*
#include <dlfcn.h>
#include <stdlib.h>
#include "capi.h"
*/
import "C"

import (
	"errors"
	"fmt"
)

// openLibrary loads the library at path and gives its OrtGetApiBase. unload undoes it.
func openLibrary(path string) (getAPIBase handle, unload func(), err error) {
	name := cString(path)
	defer freeC(name)
	lib := C.dlopen((*C.char)(name), C.RTLD_LAZY|C.RTLD_LOCAL)
	if lib == nil {
		return nil, nil, errors.New(oneLine(C.GoString(C.dlerror())))
	}
	symbol := cString("OrtGetApiBase")
	defer freeC(symbol)
	getAPIBase = C.dlsym(lib, (*C.char)(symbol))
	if getAPIBase == nil {
		C.dlclose(lib)
		return nil, nil, fmt.Errorf("not ONNX Runtime: it has no OrtGetApiBase")
	}
	return getAPIBase, func() { C.dlclose(lib) }, nil
}

// loadable tries to load a library by name, as the loader would for a library that needs it.
func loadable(name string) error {
	c := cString(name)
	defer freeC(c)
	lib := C.dlopen((*C.char)(c), C.RTLD_LAZY|C.RTLD_LOCAL)
	if lib == nil {
		return errors.New(oneLine(C.GoString(C.dlerror())))
	}
	C.dlclose(lib)
	return nil
}
