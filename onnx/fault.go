package onnx

import (
	"unsafe"

	"graft/onnx/limits"
)

// Fault says what a panic is about, as recover gives it, that came from memory of a mapped file which became shorter since it
// was read. It is nil for any other. Only a goroutine that has called debug.SetPanicOnFault sees such a panic: the program
// ends otherwise.
func Fault(recovered any) error {
	fault, ok := recovered.(interface{ Addr() uintptr })
	if !ok {
		return nil
	}
	mappings.RLock()
	defer mappings.RUnlock()
	for _, m := range mappings.list {
		if at := fault.Addr() - address(m.data); at < uintptr(len(m.data)) {
			return limits.InFile(m.file.Name(), limits.Refuse("", "the file became shorter than %d bytes while it was in use", at+1))
		}
	}
	return nil
}

// address is where data begins.
func address(data []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(data))) }
