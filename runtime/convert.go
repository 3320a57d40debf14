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

	"graft/onnx"
)

// valueTensor is ONNX Runtime's number of the tensor among the kinds of values.
const valueTensor = 1

// maxRank bounds the rank of tensors that come from ONNX Runtime or go to it.
const maxRank = 1024

// wrap makes a value of ONNX Runtime of t. The value reads and writes t.Data itself, which pin holds in place until it is
// unpinned; release the value before that. Strings, and data that is not aligned, are copied.
func (c *capi) wrap(t *onnx.Tensor, pin *goruntime.Pinner) (handle, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	if len(t.Dims) > maxRank {
		return nil, fmt.Errorf("tensor %q: rank %d is above %d", t.Name, len(t.Dims), maxRank)
	}
	var dims *C.int64_t
	if len(t.Dims) > 0 {
		dims = (*C.int64_t)(&t.Dims[0])
	}
	rank, element := C.size_t(len(t.Dims)), C.int(c.toElement(t.DType))
	if t.DType == onnx.String {
		v, err := c.result(C.tensor_new(c.table, c.allocator, dims, rank, element))
		if err != nil {
			return nil, err
		}
		return v, c.fillStrings(v, t.Strings)
	}
	var data unsafe.Pointer
	if len(t.Data) > 0 {
		bytes := t.Data
		if !aligned(t) {
			bytes = onnx.NewTensor(t.DType, t.Dims...).Data
			copy(bytes, t.Data)
		}
		data = unsafe.Pointer(&bytes[0])
		if !t.Mapped() || &bytes[0] != &t.Data[0] {
			pin.Pin(&bytes[0])
		}
	}
	return c.over(t, data)
}

// over makes a value of the type and dims of t over memory of its size.
func (c *capi) over(t *onnx.Tensor, memory handle) (handle, error) {
	if len(t.Dims) > maxRank {
		return nil, fmt.Errorf("tensor %q: rank %d is above %d", t.Name, len(t.Dims), maxRank)
	}
	var dims *C.int64_t
	if len(t.Dims) > 0 {
		dims = (*C.int64_t)(&t.Dims[0])
	}
	return c.result(C.tensor_over(c.table, c.memory, memory, C.size_t(len(t.Data)), dims, C.size_t(len(t.Dims)), C.int(c.toElement(t.DType))))
}

// aligned reports whether t.Data may be read as elements in place: a view into a file may start anywhere.
func aligned(t *onnx.Tensor) bool {
	size := uintptr(min(max(t.DType.Bits()/8, 1), 8))
	return len(t.Data) == 0 || uintptr(unsafe.Pointer(&t.Data[0]))%size == 0
}

func (c *capi) fillStrings(v handle, strings []string) error {
	for i, s := range strings {
		buffer, err := c.result(C.string_buffer(c.table, v, C.size_t(i), C.size_t(len(s))))
		if err != nil {
			c.releaseValue(v)
			return err
		}
		copy(unsafe.Slice((*byte)(buffer), len(s)), s)
	}
	return nil
}

// unwrap copies a value of ONNX Runtime that is a tensor.
func (c *capi) unwrap(v handle) (*onnx.Tensor, error) {
	var kind, has C.int
	if err := c.check(C.has_value(c.table, v, &has)); err != nil {
		return nil, err
	}
	if has == 0 {
		return nil, fmt.Errorf("it is an optional without a value")
	}
	if err := c.check(C.value_type(c.table, v, &kind)); err != nil {
		return nil, err
	}
	if kind != valueTensor {
		return nil, fmt.Errorf("it is not a tensor")
	}
	element, dims, err := c.shapeOf(v)
	if err != nil {
		return nil, err
	}
	if element == onnx.Undefined {
		return nil, fmt.Errorf("its element type is not known")
	}
	t := onnx.NewTensor(element, dims...)
	if element == onnx.String {
		return t, c.readStrings(v, t.Strings)
	}
	if len(t.Data) == 0 {
		return t, nil
	}
	data, err := c.result(C.mutable_data(c.table, v))
	if err != nil {
		return nil, err
	}
	copy(t.Data, unsafe.Slice((*byte)(data), len(t.Data)))
	return t, nil
}

// shapeOf is the type and the dims of a tensor.
func (c *capi) shapeOf(v handle) (onnx.DataType, []int64, error) {
	info, err := c.result(C.type_and_shape(c.table, v))
	if err != nil {
		return onnx.Undefined, nil, err
	}
	defer C.release(c.table, C.SlotReleaseTensorTypeAndShapeInfo, info)
	return c.typeAndDims(info)
}

func (c *capi) readStrings(v handle, into []string) error {
	var size C.size_t
	if err := c.check(C.strings_length(c.table, v, &size)); err != nil || size == 0 {
		return err
	}
	text, offsets := make([]byte, size), make([]C.size_t, len(into))
	err := c.check(C.strings_content(c.table, v, unsafe.Pointer(&text[0]), size, &offsets[0], C.size_t(len(offsets))))
	if err != nil {
		return err
	}
	for i, start := range offsets {
		end := size
		if i+1 < len(offsets) {
			end = offsets[i+1]
		}
		into[i] = string(text[start:end])
	}
	return nil
}
