//go:build cgo

package runtime

/*
#include "capi.h"
*/
import "C"

import (
	"fmt"
	goruntime "runtime"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"graft/onnx"
)

// OpenModel is Open of a model that is not encoded yet, of any size. Large weights are not copied into the model's bytes:
// ONNX Runtime reads them where they are, in memory or in a mapped file, as files that it does not open. Whoever changes a
// weight of m puts a new tensor in its place; the elements of one are not written to until the session is closed.
func OpenModel(m *onnx.Model, o Options) (*Session, error) {
	data, apart, err := encode(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	o.Capture = false
	return open(data, apart, o)
}

// weights is memory that a session may read and does not own.
type weights struct {
	apart []onnx.Apart
	pin   goruntime.Pinner
}

// add hands weights to the session that is made by options.
func (w *weights) add(c *capi, options *ort.SessionOptions, apart []onnx.Apart) error {
	if len(apart) == 0 {
		return nil
	}
	w.apart = apart
	var names, data []handle
	var sizes []C.size_t
	defer func() {
		for _, p := range names {
			freeC(p)
		}
	}()
	for _, a := range apart {
		if !a.Mapped {
			w.pin.Pin(&a.Data[0])
		}
		name := cString(a.File)
		names = append(names, C.path_of((*C.char)(name)))
		freeC(name)
		data, sizes = append(data, handle(&a.Data[0])), append(sizes, C.size_t(len(a.Data)))
	}
	return c.check(C.add_files(c.table, pointerIn(options, "o"), handle(unsafe.SliceData(names)), handle(unsafe.SliceData(data)),
		handle(unsafe.SliceData(sizes)), C.size_t(len(sizes))))
}

func (w *weights) release() {
	w.pin.Unpin()
	w.apart = nil
}
