//go:build cgo

package runtime

/*
#include "capi.h"
*/
import "C"

// guardSignals remembers how this process handles signals; the function that it gives puts that back. Libraries of devices
// install handlers of their own when they are loaded or started. Those that take the place of Go's would swallow Ctrl-C, and
// end the program for a fault that Go makes an error of; a handler without a stack of its own (SA_ONSTACK) ends a Go program
// whatever the signal is. Go's handlers come back; others keep their place and get the stack.
func guardSignals() (restore func()) {
	s := C.signals_save()
	return func() {
		C.signals_restore(s)
		C.free(handle(s))
	}
}
