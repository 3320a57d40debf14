package pickle

import (
	"encoding/binary"

	"graft/onnx"
	"graft/onnx/limits"
)

var le = binary.LittleEndian

const (
	maxTensors = 250_000
	maxRank    = 64 // of PyTorch itself
)

// storage is a range of bytes that tensors view. Its content is read when the pickle has been accepted.
type storage struct {
	kind  storageKind
	key   string
	bytes int64
	read  func(dst []byte) error // set once the place of the bytes is known
	same  *storage               // the storage whose content this one shares under another type
}

// tensor is a view of a storage.
type tensor struct {
	storage        *storage
	dtype          onnx.DataType
	offset         int64 // in elements
	sizes, strides *tuple
	made           *onnx.Tensor
}

// elementBytes is the width of an element; every type of the allow-list has whole bytes.
func elementBytes(d onnx.DataType) int64 { return int64(d.Bits() / 8) }

// newStorage checks that elements of kind fit into 63 bits.
func (m *machine) newStorage(kind storageKind, key string, elements int64) (*storage, error) {
	n, ok := limits.MulInt(elements, elementBytes(kind.dtype()))
	if !ok || n < 0 {
		return nil, m.refuse("storage %s of %d elements", limits.Name(key), elements)
	}
	return &storage{kind: kind, key: key, bytes: n}, nil
}

// view checks that every element of the view lies in the storage.
func (m *machine) view(s *storage, d onnx.DataType, args []any) (any, error) {
	if err := m.tensors.Spend(1, m.where); err != nil {
		return nil, err
	}
	offset, ok := args[1].(int64)
	sizes, ok2 := args[2].(*tuple)
	strides, ok3 := args[3].(*tuple)
	if !ok || !ok2 || !ok3 || offset < 0 {
		return nil, m.refuse("a tensor with offset %s, sizes %s and strides %s", kindOf(args[1]), kindOf(args[2]), kindOf(args[3]))
	}
	if len(sizes.items) != len(strides.items) || len(sizes.items) > maxRank {
		return nil, m.refuse("a tensor with %d sizes and %d strides, at most %d", len(sizes.items), len(strides.items), maxRank)
	}
	if len(args) > 4 {
		if _, isBool := args[4].(bool); !isBool {
			return nil, m.refuse("a tensor whose requires_grad is %s", kindOf(args[4]))
		}
		if hooks, isDict := args[5].(*dict); !isDict && args[5] != nil || isDict && len(hooks.keys) > 0 {
			return nil, m.refuse("a tensor with hooks")
		}
	}
	last, empty := offset, false
	for i := range sizes.items {
		n, ok := sizes.items[i].(int64)
		step, ok2 := strides.items[i].(int64)
		if !ok || !ok2 || n < 0 || step < 0 {
			return nil, m.refuse("a tensor with a negative size or stride, or one that is no integer")
		}
		if n == 0 {
			empty = true
			continue
		}
		reach, ok := limits.MulInt(n-1, step)
		if !ok {
			return nil, m.refuse("a tensor whose strides overflow")
		}
		if last, ok = limits.AddInt(last, reach); !ok {
			return nil, m.refuse("a tensor whose strides overflow")
		}
	}
	t := &tensor{storage: s, dtype: d, offset: offset, sizes: sizes, strides: strides}
	if _, ok := limits.Bytes(integers(sizes), d.Bits()); !ok {
		return nil, m.refuse("a tensor whose size overflows")
	}
	if elements := s.bytes / elementBytes(d); !empty && last >= elements {
		return nil, m.refuse("a tensor reaches to element %d of storage %s, which has %d", last, limits.Name(s.key), elements)
	}
	return t, nil
}

// integers are the items of a tuple that has been checked to hold integers only.
func integers(t *tuple) []int64 {
	list := make([]int64, len(t.items))
	for i, v := range t.items {
		list[i] = v.(int64)
	}
	return list
}

// content is the storage's bytes, read once.
func (x *exporter) content(s *storage) ([]byte, error) {
	for s.same != nil {
		s = s.same
	}
	if b, ok := x.contents[s]; ok {
		return b, nil
	}
	field := "storage " + limits.Name(s.key)
	if s.read == nil {
		return nil, limits.Refuse(field, "the file does not hold it")
	}
	if err := x.memory.Spend(s.bytes, field); err != nil {
		return nil, err
	}
	t := onnx.NewTensor(onnx.Uint8, s.bytes) // aligned for every element type
	if err := s.read(t.Data); err != nil {
		return nil, err
	}
	x.contents[s] = t.Data
	return t.Data, nil
}

// tensor makes t dense. The first tensor that is a whole storage takes the storage's bytes; every other one is a copy.
func (x *exporter) tensor(t *tensor) (*onnx.Tensor, error) {
	if t.made != nil {
		return t.made, nil
	}
	data, err := x.content(t.storage)
	if err != nil {
		return nil, err
	}
	dims, strides := integers(t.sizes), integers(t.strides)
	n, _ := limits.Bytes(dims, t.dtype.Bits()) // checked in view
	field := "storage " + limits.Name(t.storage.key)
	if err := x.memory.Spend(int64(16*len(dims)), field); err != nil {
		return nil, err
	}
	width := elementBytes(t.dtype)
	dense := contiguous(dims, strides)
	if dense && n > 0 && n == int64(len(data)) && !x.taken[&data[0]] {
		x.taken[&data[0]] = true
		t.made = &onnx.Tensor{DType: t.dtype, Dims: dims, Data: data}
	} else {
		if err := x.memory.Spend(n, field); err != nil {
			return nil, err
		}
		t.made = onnx.NewTensor(t.dtype, dims...)
		switch {
		case n == 0:
		case dense:
			copy(t.made.Data, data[t.offset*width:])
		default:
			gather(t.made.Data, data[t.offset*width:], dims, strides, width)
		}
	}
	if t.dtype == onnx.Bool {
		return t.made, limits.Bools(t.made.Data, field)
	}
	return t.made, nil
}

// contiguous reports whether the strides are those of a dense row-major array.
func contiguous(dims, strides []int64) bool {
	step := int64(1)
	for i := len(dims) - 1; i >= 0; i-- {
		if dims[i] != 1 && strides[i] != step {
			return false
		}
		step *= dims[i]
	}
	return true
}

// gather copies the view of src with the given strides into dst. No size is zero.
func gather(dst, src []byte, dims, strides []int64, width int64) {
	index := make([]int64, len(dims))
	for at, to := int64(0), int64(0); ; {
		copy(dst[to:to+width], src[at*width:])
		to += width
		axis := len(dims) - 1
		for ; axis >= 0; axis-- {
			index[axis]++
			at += strides[axis]
			if index[axis] < dims[axis] {
				break
			}
			at -= index[axis] * strides[axis]
			index[axis] = 0
		}
		if axis < 0 {
			return
		}
	}
}
