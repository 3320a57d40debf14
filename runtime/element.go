//go:build cgo

package runtime

/*
#include "capi.h"
*/
import "C"

import (
	"unsafe"

	"graft/onnx"
)

// toElement is the number of an element type when a value is made. The C API's header numbers the last three types in another
// order than ONNX; ONNX Runtime to 1.30 reads what it is given as ONNX's number, 1.31 as the header's.
func (c *capi) toElement(d onnx.DataType) int {
	if c.elementsOfHeader {
		switch d {
		case onnx.Uint2:
			return 24
		case onnx.Int2:
			return 25
		case onnx.Float8E8M0:
			return 26
		}
	}
	return int(d)
}

// readsHeader finds out which numbers the library reads: it makes a value of type 24 and asks which type that is.
func (c *capi) readsHeader() (bool, error) {
	one := C.int64_t(1)
	v, err := c.result(C.tensor_new(c.table, c.allocator, &one, 1, 24))
	if err != nil {
		return false, err
	}
	defer c.releaseValue(v)
	info, err := c.result(C.type_and_shape(c.table, v))
	if err != nil {
		return false, err
	}
	defer C.release(c.table, C.SlotReleaseTensorTypeAndShapeInfo, unsafe.Pointer(info))
	d, _, err := c.typeAndDims(info)
	return d == onnx.Uint2, err
}

// fromElement is the element type of a number that ONNX Runtime gives, which is the header's; Undefined when it is not known.
func fromElement(n int) onnx.DataType {
	switch n {
	case 24:
		return onnx.Uint2
	case 25:
		return onnx.Int2
	case 26:
		return onnx.Float8E8M0
	}
	if d := onnx.DataType(n); d.Valid() {
		return d
	}
	return onnx.Undefined
}
