//go:build cgo && windows

package runtime

import (
	"errors"
	"syscall"
	"unsafe"
)

// openLibrary loads the library at path and gives its OrtGetApiBase. unload undoes it.
func openLibrary(path string) (getAPIBase handle, unload func(), err error) {
	lib, err := syscall.LoadLibrary(path)
	if err != nil {
		return nil, nil, errors.New(oneLine(err.Error()))
	}
	address, err := syscall.GetProcAddress(lib, "OrtGetApiBase")
	if err != nil {
		syscall.FreeLibrary(lib)
		return nil, nil, errors.New("not ONNX Runtime: it has no OrtGetApiBase")
	}
	return *(*handle)(unsafe.Pointer(&address)), func() { syscall.FreeLibrary(lib) }, nil
}

// loadable tries to load a library by name, as the loader would for a library that needs it.
func loadable(name string) error {
	lib, err := syscall.LoadLibrary(name)
	if err == nil {
		err = syscall.FreeLibrary(lib)
	}
	return err
}
