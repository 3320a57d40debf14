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
// ONNX Runtime reads them where they are, in memory or in a mapped file. Whoever changes a weight of m puts a new tensor in
// its place; the elements of one are not written to until the session is closed.
func OpenModel(m *onnx.Model, o Options) (*Session, error) {
	data, apart, err := encode(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	return open(data, apart, o)
}

// weights are tensors that a session reads and does not own.
type weights struct {
	tensors []*onnx.Tensor
	pin     goruntime.Pinner
	copies  []handle // memory of C's
}

// add hands tensors to the session that is made by options.
func (w *weights) add(c *capi, options *ort.SessionOptions, tensors []*onnx.Tensor) error {
	if len(tensors) == 0 {
		return nil
	}
	w.tensors = tensors
	var names, values []handle
	defer func() {
		for _, p := range names {
			freeC(p)
		}
		for _, v := range values { // the options have them now
			c.releaseValue(v)
		}
	}()
	for _, t := range tensors {
		v, err := w.value(c, t)
		if err != nil {
			return fmt.Errorf("weight %q: %w", t.Name, err)
		}
		values, names = append(values, v), append(names, cString(t.Name))
	}
	return c.check(C.add_weights(c.table, pointerIn(options, "o"), unsafe.Pointer(unsafe.SliceData(names)),
		unsafe.Pointer(unsafe.SliceData(values)), C.size_t(len(values))))
}

// value is a value of ONNX Runtime over a tensor's data, or over a copy where the data is not aligned. The memory must not be
// ONNX Runtime's own, which it refuses.
func (w *weights) value(c *capi, t *onnx.Tensor) (handle, error) {
	if aligned(t) {
		return c.wrap(t, &w.pin)
	}
	memory := C.memory_of(C.size_t(len(t.Data)))
	if memory == nil {
		return nil, &statusError{text: fmt.Sprintf("Failed to allocate memory for requested buffer of size %d", len(t.Data))}
	}
	w.copies = append(w.copies, memory)
	own := *t
	own.Data = unsafe.Slice((*byte)(memory), len(t.Data))
	if err := t.ReadData(own.Data); err != nil {
		return nil, err
	}
	return c.over(&own, memory)
}

func (w *weights) release() {
	w.pin.Unpin()
	for _, p := range w.copies {
		freeC(p)
	}
	w.tensors, w.copies = nil, nil
}
