//go:build cgo

package runtime

/*
#include "capi.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"graft/onnx"
)

// portSlots are the functions that describe one kind of a session's ports.
type portSlots struct{ count, name, typ C.int }

var (
	inputSlots       = portSlots{C.SlotSessionGetInputCount, C.SlotSessionGetInputName, C.SlotSessionGetInputTypeInfo}
	outputSlots      = portSlots{C.SlotSessionGetOutputCount, C.SlotSessionGetOutputName, C.SlotSessionGetOutputTypeInfo}
	overridableSlots = portSlots{C.SlotSessionGetOverridableInitializerCount,
		C.SlotSessionGetOverridableInitializerName, C.SlotSessionGetOverridableInitializerTypeInfo}
)

// ports describes a session's inputs, outputs or overridable initializers.
func (c *capi) ports(session handle, slots portSlots) ([]Port, error) {
	var n C.size_t
	if err := c.check(C.port_count(c.table, slots.count, session, &n)); err != nil {
		return nil, err
	}
	ports := make([]Port, n)
	for i := range ports {
		name, err := c.result(C.port_name(c.table, slots.name, session, C.size_t(i), c.allocator))
		if err != nil {
			return nil, err
		}
		ports[i].Name = C.GoString((*C.char)(name))
		if err := c.check(C.allocator_free(c.table, c.allocator, name)); err != nil {
			return nil, err
		}
		info, err := c.result(C.port_type(c.table, slots.typ, session, C.size_t(i)))
		if err == nil {
			ports[i].Type, err = c.portType(info)
			C.release(c.table, C.SlotReleaseTypeInfo, info)
		}
		if err != nil {
			return nil, fmt.Errorf("describe %q: %w", ports[i].Name, err)
		}
	}
	return ports, nil
}

func (c *capi) portType(info handle) (t onnx.TensorType, err error) {
	var kind C.int
	if err := c.check(C.onnx_type(c.table, info, &kind)); err != nil || kind != valueTensor {
		return t, err
	}
	tensor, err := c.result(C.tensor_info(c.table, info))
	if err != nil || tensor == nil {
		return t, err
	}
	var dims []int64
	if t.DType, dims, err = c.typeAndDims(tensor); err != nil || !bool(C.has_shape(c.table, tensor)) {
		return t, err
	}
	t.Shape = onnx.NewShape(dims...)
	if len(dims) == 0 {
		return t, nil
	}
	symbols := make([]*C.char, len(dims))
	if err := c.check(C.symbols_of(c.table, tensor, unsafe.Pointer(&symbols[0]), C.size_t(len(dims)))); err != nil {
		return t, err
	}
	for i, s := range symbols {
		if dims[i] < 0 {
			t.Shape[i] = onnx.UnknownDim
			if s != nil {
				t.Shape[i].Symbol = C.GoString(s)
			}
		}
	}
	return t, nil
}

// typeAndDims reads an OrtTensorTypeAndShapeInfo. Free dimensions are -1.
func (c *capi) typeAndDims(info handle) (onnx.DataType, []int64, error) {
	var element C.int
	if err := c.check(C.element_type(c.table, info, &element)); err != nil {
		return 0, nil, err
	}
	var rank C.size_t
	if err := c.check(C.rank_of(c.table, info, &rank)); err != nil {
		return 0, nil, err
	}
	dims := make([]int64, rank)
	if rank > 0 {
		if err := c.check(C.dims_of(c.table, info, (*C.int64_t)(&dims[0]), rank)); err != nil {
			return 0, nil, err
		}
	}
	return fromElement(int(element)), dims, nil
}
