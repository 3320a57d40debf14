//go:build cgo

package runtime

/*
#include "capi.h"
*/
import "C"

import (
	"fmt"
	goruntime "runtime"
	"strings"
	"unsafe"

	"graft/onnx"
)

// ownMemory has states kept in memory that the session's allocator gives, also where that is ordinary memory: tests set it.
var ownMemory = false

// deviceMemory is what a session reads inputs from or writes outputs to, if that is not ordinary memory.
type deviceMemory struct {
	name      string
	allocator handle
}

// deviceMemories are the memories of those inputs and outputs, by name, that a session has on a device.
type deviceMemories struct {
	inputs, outputs map[string]*deviceMemory
	all             map[string]*deviceMemory // by the memory's own name
	unread          map[string]bool          // inputs that nothing reads
}

// deviceMemories finds out where inputs and outputs lie: on CUDA, the states of other providers stay in ordinary memory, as has been tried
// with them. Close what it gives.
func (s *Session) deviceMemories() (d deviceMemories, err error) {
	if s.placement.Provider != CUDA && !ownMemory {
		return d, nil
	}
	d = deviceMemories{map[string]*deviceMemory{}, map[string]*deviceMemory{}, map[string]*deviceMemory{}, map[string]bool{}}
	if err = d.find(s, C.SlotSessionGetMemoryInfoForInputs, s.inputs, d.inputs); err == nil {
		err = d.find(s, C.SlotSessionGetMemoryInfoForOutputs, s.outputs, d.outputs)
	}
	if err != nil {
		d.close(&s.env.capi)
		return deviceMemories{}, fmt.Errorf("%w: find the memory of inputs and outputs: %w", ErrRuntime, err)
	}
	return d, nil
}

func (d *deviceMemories) find(s *Session, slot C.int, ports []Port, into map[string]*deviceMemory) error {
	if len(ports) == 0 {
		return nil
	}
	c := &s.env.capi
	infos := make([]handle, len(ports)) // the session's own
	if err := c.check(C.port_memory(c.table, slot, s.ptr, unsafe.Pointer(unsafe.SliceData(infos)), C.size_t(len(infos)))); err != nil {
		return err
	}
	for i, info := range infos {
		if info == nil {
			d.unread[ports[i].Name] = true
			continue
		}
		at, err := c.result(C.text_of(c.table, C.SlotMemoryInfoGetName, info))
		if err != nil {
			return err
		}
		name := C.GoString((*C.char)(at))
		if (name == "Cpu" || strings.HasSuffix(name, "Pinned")) && !ownMemory {
			continue
		}
		if d.all[name] == nil {
			allocator, err := c.result(C.new_allocator(c.table, s.ptr, info))
			if err != nil {
				return fmt.Errorf("%s: %w", oneLine(name), err)
			}
			d.all[name] = &deviceMemory{name, allocator}
		}
		into[ports[i].Name] = d.all[name]
	}
	return nil
}

// close frees the allocators. What they gave lives on.
func (d *deviceMemories) close(c *capi) {
	for _, m := range d.all {
		C.release(c.table, C.SlotReleaseAllocator, m.allocator)
	}
	d.all = nil
}

// give makes a value, which holds no numbers yet.
func (m *deviceMemory) give(c *capi, of onnx.DataType, dims []int64) (handle, error) {
	v, err := c.result(C.tensor_new(c.table, m.allocator, (*C.int64_t)(unsafe.SliceData(dims)), C.size_t(len(dims)), C.int(c.toElement(of))))
	if err != nil {
		if full := memoryError(err); full != nil {
			return nil, full
		}
		return nil, fmt.Errorf("%w: memory of %s: %w", ErrRuntime, oneLine(m.name), err)
	}
	return v, nil
}

// upload is a tensor that the next step reads in the place of what lies on the device.
type upload struct {
	tensor *onnx.Tensor // its own
	value  handle
	pin    goruntime.Pinner
}

// set makes a copy of t what is read next.
func (u *upload) set(c *capi, t *onnx.Tensor) error {
	if u.tensor != nil {
		copy(u.tensor.Data, t.Data)
		return nil
	}
	own := onnx.NewTensor(t.DType, t.Dims...)
	own.Name = t.Name
	copy(own.Data, t.Data)
	v, err := c.wrap(own, &u.pin)
	if err != nil {
		u.pin.Unpin()
		return err
	}
	u.tensor, u.value = own, v
	return nil
}

// free forgets the tensor: a step has read it.
func (u *upload) free(c *capi) {
	c.releaseValue(u.value)
	u.pin.Unpin()
	u.tensor, u.value = nil, nil
}

// bring copies a value out of ONNX Runtime.
func (s *Session) bring(v handle, fromDevice bool, of onnx.DataType) (*onnx.Tensor, error) {
	if fromDevice {
		return s.download(v, of)
	}
	return s.env.unwrap(v)
}

// download copies a value that lies on a device.
func (s *Session) download(v handle, of onnx.DataType) (*onnx.Tensor, error) {
	out := []handle{nil}
	if err := s.copy([]handle{v}, out, []onnx.DataType{of}); err != nil {
		return nil, err
	}
	defer s.release(out)
	return s.env.unwrap(out[0])
}

// copy copies values between memories: a session of Identities on the provider reads them where they are, and ONNX Runtime brings what comes of
// it to where to says, or to ordinary memory where that is nil.
func (s *Session) copy(from, to []handle, types []onnx.DataType) error {
	if len(from) == 0 {
		return nil
	}
	copier, err := s.copier(types)
	if err != nil {
		return err
	}
	copier.mu.RLock()
	defer copier.mu.RUnlock()
	if copier.ptr == nil {
		return errClosed
	}
	inputs, outputs := make([]handle, len(from)), make([]handle, len(from))
	for i := range from {
		inputs[i], outputs[i] = copier.cNames[copier.inputs[i].Name], copier.cNames[copier.outputs[i].Name]
	}
	return runError(s.env.run(copier.ptr, nil, inputs, from, outputs, to))
}

// copier is a session that copies tensors of these types.
func (s *Session) copier(types []onnx.DataType) (*Session, error) {
	s.copiersMu.Lock()
	defer s.copiersMu.Unlock()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ptr == nil {
		return nil, errClosed
	}
	key := fmt.Sprint(types)
	if found := s.copiers[key]; found != nil {
		return found, nil
	}
	g := onnx.NewGraph("copy")
	for i, of := range types {
		x := g.AddInput(fmt.Sprintf("x%d", i), onnx.TensorType{DType: of})
		y := g.Add("Identity", []*onnx.Value{x}, 1).Output(0)
		y.Type = x.Type
		g.AddOutput(y, fmt.Sprintf("y%d", i))
	}
	m := &onnx.Model{Graph: g}
	m.Declare(17)
	o := s.opened
	o.Strict, o.Profile, o.Save, o.Verbose, o.Placed, o.CustomOps = false, "", "", false, nil, nil
	o.Optimization = OptimizeNone
	made, err := OpenModel(m, o)
	if err != nil {
		return nil, fmt.Errorf("copy what lies on the device: %w", err)
	}
	if s.copiers == nil {
		s.copiers = map[string]*Session{}
	}
	s.copiers[key] = made
	return made, nil
}

// closeCopiers closes what copier has opened.
func (s *Session) closeCopiers() {
	s.copiersMu.Lock()
	defer s.copiersMu.Unlock()
	for _, c := range s.copiers {
		c.Close()
	}
	s.copiers = nil
}
