package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"graft/onnx"
	"graft/onnx/limits"
)

// Write writes tensors in the given order, with metadata sorted by key; the same arguments give the same bytes. The data
// begin at a multiple of 8 bytes. Nothing is written when a tensor cannot be.
func Write(w io.Writer, tensors []*onnx.Tensor, metadata map[string]string) error {
	entries := make([]Entry, len(tensors))
	for i, t := range tensors {
		entries[i] = Entry{Name: t.Name, DType: t.DType, Dims: t.Dims}
		if size, ok := limits.Bytes(t.Dims, t.DType.Bits()); ok && int64(len(t.Data)) != size {
			return fmt.Errorf("write safetensors: tensor %s: %d bytes of data, %v of shape %s takes %d",
				limits.Name(t.Name), len(t.Data), t.DType, dims(t.Dims), size)
		}
	}
	return WriteEach(w, entries, metadata, func(i int) (*onnx.Tensor, error) { return tensors[i], nil })
}

// WriteEach is Write with one tensor in memory at a time: entries say what there will be, their byte ranges are not looked
// at, and read gives tensor i when its turn comes.
func WriteEach(w io.Writer, entries []Entry, metadata map[string]string, read func(i int) (*onnx.Tensor, error)) error {
	header, err := header(entries, metadata)
	if err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for i, e := range entries {
		t, err := read(i)
		if err != nil {
			return err
		}
		if size, _ := limits.Bytes(e.Dims, e.DType.Bits()); t.DType != e.DType || !slices.Equal(t.Dims, e.Dims) || int64(len(t.Data)) != size {
			return fmt.Errorf("write safetensors: tensor %s is %v, %v of shape %s was announced", limits.Name(e.Name), t.Type(), e.DType, dims(e.Dims))
		}
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

// Size is the number of bytes that WriteEach writes.
func Size(entries []Entry, metadata map[string]string) (int64, error) {
	header, err := header(entries, metadata)
	if err != nil {
		return 0, fmt.Errorf("write safetensors: %w", err)
	}
	n := int64(len(header))
	for _, e := range entries {
		size, _ := limits.Bytes(e.Dims, e.DType.Bits())
		n += size
	}
	return n, nil
}

// Encode is Write into memory.
func Encode(tensors []*onnx.Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	err := Write(&b, tensors, metadata)
	return b.Bytes(), err
}

// Sort orders tensors as the format's first implementation does: wide elements first, then by name. So every tensor is
// aligned to its element's width in the file.
func Sort(tensors []*onnx.Tensor) {
	slices.SortStableFunc(tensors, func(a, b *onnx.Tensor) int {
		return cmp.Or(cmp.Compare(b.DType.Bits(), a.DType.Bits()), cmp.Compare(a.Name, b.Name))
	})
}

// header is the length and the padded JSON.
func header(tensors []Entry, metadata map[string]string) ([]byte, error) {
	b := append(make([]byte, 8), '{')
	if len(metadata) > 0 {
		b = append(b, `"__metadata__":{`...)
		for i, key := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(key) || !utf8.ValidString(metadata[key]) {
				return nil, fmt.Errorf("metadata %s is not UTF-8", limits.Name(key))
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(appendString(b, key), ':'), appendString(nil, metadata[key])...)
		}
		b = append(b, '}')
	}
	seen := make(map[string]bool, len(tensors))
	at := int64(0)
	for _, t := range tensors {
		dtype, ok := names[t.DType]
		size, whole := limits.Bytes(t.Dims, t.DType.Bits())
		switch {
		case t.Name == "__metadata__" || len(t.Name) > maxName || !utf8.ValidString(t.Name) || strings.ContainsFunc(t.Name, unicode.IsControl):
			return nil, fmt.Errorf("tensor name %s is not allowed", limits.Name(t.Name))
		case seen[t.Name]:
			return nil, fmt.Errorf("tensor %s twice", limits.Name(t.Name))
		case !ok:
			return nil, fmt.Errorf("tensor %s: the format has no element type for %v", limits.Name(t.Name), t.DType)
		case !whole:
			return nil, fmt.Errorf("tensor %s: %v of shape %s does not end on a byte", limits.Name(t.Name), t.DType, dims(t.Dims))
		}
		seen[t.Name] = true
		if len(b) > 9 {
			b = append(b, ',')
		}
		b = appendString(b, t.Name)
		shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Dims), "[]"), " ", ",")
		b = fmt.Appendf(b, `:{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}`, dtype, shape, at, at+size)
		at += size
	}
	if len(seen) > maxCount-1 || len(metadata) > maxCount || at > maxInteger {
		return nil, fmt.Errorf("%d tensors and %d metadata entries in %d bytes are more than the format takes", len(seen), len(metadata), at)
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	if len(b)-8 > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, at most %d", len(b)-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}

// appendString appends s, which is UTF-8, as a JSON string.
func appendString(b []byte, s string) []byte {
	q, _ := json.Marshal(s) // a string always marshals
	return append(b, q...)
}
