//go:build cgo

package runtime

import (
	"fmt"
	goruntime "runtime"
	"slices"

	"graft/onnx"
)

// feed is an input, with the value made of the tensor last fed.
type feed struct {
	port   *Port
	tensor *onnx.Tensor
	data   *byte
	length int
	dims   []int64
	value  handle
	pin    goruntime.Pinner
	held   *onnx.Tensor // what every step reads, see State.Hold; nil: it is fed
	device bool         // held, and the value lies on a device
}

// Hold has every step from the next one on read t at an input, which is not fed then. t is not to change; where the provider reads the input on
// a device a copy lies there, so that nothing passes to it in a step.
func (st *State) Hold(input string, t *onnx.Tensor) error {
	s := st.session
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ptr == nil || st.closed {
		return errClosed
	}
	i, ok := st.fed[input]
	if !ok {
		return unknownPort("input", input, s.inputs)
	}
	f, c := &st.feeds[i], &s.env.capi
	f.release(c)
	if err := f.set(c, t); err != nil {
		return err
	}
	f.held = t
	d := st.devices.inputs[input]
	if d == nil {
		return nil
	}
	to, err := d.give(c, t.DType, t.Dims)
	if err == nil {
		err = s.copy([]handle{f.value}, []handle{to}, []onnx.DataType{t.DType})
	}
	f.free(c)
	f.value, f.device = to, true
	if err != nil {
		f.release(c)
		return fmt.Errorf("hold %q: %w", input, err)
	}
	s.marks.Add(1)
	return nil
}

// release forgets what is held or was fed.
func (f *feed) release(c *capi) {
	f.free(c)
	f.held, f.device = nil, false
}

// set makes t the value of the feed.
func (f *feed) set(c *capi, t *onnx.Tensor) error {
	if t != nil && t == f.tensor && f.value != nil && t.DType == f.port.Type.DType && t.DType != onnx.String &&
		len(t.Data) == f.length && firstByte(t) == f.data && slices.Equal(t.Dims, f.dims) {
		return nil
	}
	if t == nil {
		return fmt.Errorf("%w: input %q (%v) is not fed", ErrFeed, f.port.Name, f.port.Type)
	}
	if err := checkFeed(f.port, t); err != nil {
		return err
	}
	f.free(c)
	v, err := c.wrap(t, &f.pin)
	if err != nil {
		f.pin.Unpin()
		return fmt.Errorf("feed %q: %w", f.port.Name, err)
	}
	f.value = v
	f.dims = append(f.dims[:0], t.Dims...)
	if aligned(t) {
		f.tensor, f.data, f.length = t, firstByte(t), len(t.Data)
	}
	return nil
}

func (f *feed) free(c *capi) {
	c.releaseValue(f.value)
	f.pin.Unpin()
	f.value, f.tensor, f.data = nil, nil, nil
}

func firstByte(t *onnx.Tensor) *byte {
	if len(t.Data) == 0 {
		return nil
	}
	return &t.Data[0]
}
