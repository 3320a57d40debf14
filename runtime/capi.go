//go:build cgo

package runtime

/*
#cgo !windows LDFLAGS: -ldl
#include "capi.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// capi is ONNX Runtime's table of functions, with the two objects that every call needs. It lives as long as the process.
type capi struct {
	table     C.Table
	memory    unsafe.Pointer // OrtMemoryInfo of ordinary memory
	allocator unsafe.Pointer

	elementsOfHeader bool // element types are read by the header's numbers, see toElement
}

// handle is a pointer to an object of ONNX Runtime.
type handle = unsafe.Pointer

// baseVersion calls a library's OrtGetApiBase. table is nil when the library does not have apiVersion.
func baseVersion(getAPIBase unsafe.Pointer) (version string, table C.Table) {
	base := C.api_base(getAPIBase)
	s := C.base_version(base)
	if s == nil {
		return "", nil
	}
	version = C.GoString(s)
	if v, ok := apiOf(version); !ok || v < apiVersion {
		return version, nil // GetApi would print to stderr
	}
	return version, C.base_table(base, apiVersion)
}

// statusError carries the code and the text of a failure of ONNX Runtime. As an error it is the first line of the text.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return oneLine(e.text) }

func (e *statusError) full() string { return e.text }

// check turns a status into an error and releases it.
func (c *capi) check(s C.Status) error {
	if s == nil {
		return nil
	}
	e := &statusError{int(C.error_code(c.table, s)), C.GoString(C.error_message(c.table, s))}
	C.release(c.table, C.SlotReleaseStatus, unsafe.Pointer(s))
	return e
}

func (c *capi) result(r C.Result) (handle, error) { return r.value, c.check(r.status) }

func (c *capi) init() (err error) {
	if c.memory, err = c.result(C.memory_info(c.table)); err != nil {
		return fmt.Errorf("describe ordinary memory: %w", err)
	}
	if c.allocator, err = c.result(C.default_allocator(c.table)); err != nil {
		return err
	}
	c.elementsOfHeader, err = c.readsHeader()
	return err
}

func (c *capi) releaseValue(v handle) {
	if v != nil {
		C.release(c.table, C.SlotReleaseValue, v)
	}
}

// providers lists what the library was built with, by full name.
func (c *capi) providers() ([]string, error) {
	var n C.int
	list, err := c.result(C.providers(c.table, &n))
	if err != nil {
		return nil, err
	}
	names := make([]string, n)
	for i, p := range unsafe.Slice((**C.char)(list), int(n)) {
		names[i] = C.GoString(p)
	}
	return names, c.check(C.release_providers(c.table, list, n))
}

// run calls the session. names and values are arrays of C pointers; a nil output is allocated by ONNX Runtime.
func (c *capi) run(session, options handle, inputNames, inputs, outputNames, outputs []handle) error {
	return c.check(C.run(c.table, session, options,
		unsafe.Pointer(unsafe.SliceData(inputNames)), unsafe.Pointer(unsafe.SliceData(inputs)), C.size_t(len(inputs)),
		unsafe.Pointer(unsafe.SliceData(outputNames)), C.size_t(len(outputs)), unsafe.Pointer(unsafe.SliceData(outputs))))
}

// configureRun sets an entry of run options.
func (c *capi) configureRun(options handle, key, value string) error {
	k, v := cString(key), cString(value)
	defer freeC(k)
	defer freeC(v)
	return c.check(C.configure_run(c.table, options, (*C.char)(k), (*C.char)(v)))
}

// deterministic has a session's sums of floats be in an order that does not change.
func (c *capi) deterministic(sessionOptions handle) error {
	return c.check(C.deterministic(c.table, sessionOptions))
}

// cString is a copy of s in C memory; free it with freeC.
func cString(s string) handle { return handle(C.CString(s)) }

func freeC(p handle) { C.free(p) }
