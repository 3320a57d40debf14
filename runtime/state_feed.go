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
	if aligned(t) {
		f.tensor, f.data, f.length, f.dims = t, firstByte(t), len(t.Data), append(f.dims[:0], t.Dims...)
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
