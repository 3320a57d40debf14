package gguf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"slices"

	"graft/onnx"
)

// The types that are written.
const (
	F32  Type = 0
	F16  Type = 1
	Q8_0 Type = 8
)

const writeAlignment = 32

// WriteEach writes a file of version 3 with one tensor in memory at a time: entries say names, types (F32, F16, Q8_0) and dims, their
// offsets and sizes are not looked at, and read gives tensor i, float of those dims, when its turn comes. Keys are of the types that
// Key has.
func WriteEach(w io.Writer, keys []Key, entries []Entry, read func(i int) (*onnx.Tensor, error)) error {
	head, err := header(keys, entries)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<20)
	out.Write(head)
	for i, e := range entries {
		t, err := read(i)
		if err != nil {
			return err
		}
		if t.DType != onnx.Float || !slices.Equal(t.Dims, e.Dims) {
			return fmt.Errorf("write tensor %q: is %v %v, wants float %v", e.Name, t.DType, t.Dims, e.Dims)
		}
		n, err := encode(out, e.Type, onnx.Read[float32](t))
		if err != nil {
			return err
		}
		out.Write(make([]byte, padding(n)))
	}
	return out.Flush()
}

// Size is the number of bytes that WriteEach writes.
func Size(keys []Key, entries []Entry) (int64, error) {
	head, err := header(keys, entries)
	n := int64(len(head))
	for _, e := range entries {
		size := bytesOf(e)
		n += size + padding(size)
	}
	return n, err
}

func padding(n int64) int64 { return (writeAlignment - n%writeAlignment) % writeAlignment }

// bytesOf is the size of a tensor's data.
func bytesOf(e Entry) int64 {
	n, _ := onnx.ElementCount(e.Dims)
	f := formats[e.Type]
	return n / f.block * f.bytes
}

// header is everything in front of the data, padded.
func header(keys []Key, entries []Entry) ([]byte, error) {
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) } // a Buffer takes everything
	text := func(s string) { put(uint64(len(s))); b.WriteString(s) }
	b.WriteString("GGUF")
	put(uint32(3))
	put(uint64(len(entries)))
	put(uint64(len(keys)))
	for _, k := range keys {
		text(k.Name)
		if err := putValue(&b, k.Value); err != nil {
			return nil, fmt.Errorf("write metadata %q: %w", k.Name, err)
		}
	}
	at := int64(0)
	for _, e := range entries {
		f, known := formats[e.Type]
		switch count, err := onnx.ElementCount(e.Dims); {
		case !known || e.Type != F32 && e.Type != F16 && e.Type != Q8_0:
			return nil, fmt.Errorf("write tensor %q: %v is read, not written", e.Name, e.Type)
		case err != nil || count == 0 || len(e.Dims) == 0 || len(e.Dims) > maxRank:
			return nil, fmt.Errorf("write tensor %q: shape %v does not go into the format", e.Name, e.Dims)
		case e.Dims[len(e.Dims)-1]%f.block != 0:
			return nil, fmt.Errorf("write tensor %q: rows of %d elements are not whole blocks of %d", e.Name, e.Dims[len(e.Dims)-1], f.block)
		}
		text(e.Name)
		put(uint32(len(e.Dims)))
		for _, d := range slices.Backward(e.Dims) {
			put(uint64(d))
		}
		put(uint32(e.Type))
		put(uint64(at))
		size := bytesOf(e)
		at += size + padding(size)
	}
	b.Write(make([]byte, padding(int64(b.Len()))))
	return b.Bytes(), nil
}

// kinds are the numbers of types by Go's.
var kinds = map[reflect.Kind]uint32{reflect.Uint8: kindU8, reflect.Int8: kindI8, reflect.Uint16: kindU16, reflect.Int16: kindI16, reflect.Uint32: kindU32,
	reflect.Int32: kindI32, reflect.Float32: kindF32, reflect.Bool: kindBool, reflect.String: kindString, reflect.Uint64: kindU64, reflect.Int64: kindI64,
	reflect.Float64: kindF64}

func putValue(b *bytes.Buffer, value any) error {
	v := reflect.ValueOf(value)
	one := func(v reflect.Value) {
		if v.Kind() == reflect.String {
			binary.Write(b, binary.LittleEndian, uint64(v.Len()))
			b.WriteString(v.String())
			return
		}
		binary.Write(b, binary.LittleEndian, v.Interface())
	}
	if value == nil {
		return fmt.Errorf("has no value")
	}
	if v.Kind() != reflect.Slice {
		kind, ok := kinds[v.Kind()]
		if !ok {
			return fmt.Errorf("%T has no type in the format", value)
		}
		binary.Write(b, binary.LittleEndian, kind)
		one(v)
		return nil
	}
	kind, ok := kinds[v.Type().Elem().Kind()]
	if !ok {
		return fmt.Errorf("%T has no type in the format", value)
	}
	binary.Write(b, binary.LittleEndian, uint32(kindArray))
	binary.Write(b, binary.LittleEndian, kind)
	binary.Write(b, binary.LittleEndian, uint64(v.Len()))
	if v.Type().Elem().Kind() != reflect.String {
		return binary.Write(b, binary.LittleEndian, value)
	}
	for i := range v.Len() {
		one(v.Index(i))
	}
	return nil
}

// encode writes elements as a type, and gives the bytes.
func encode(w *bufio.Writer, t Type, x []float32) (n int64, err error) {
	f := formats[t]
	buffer := make([]byte, 0, chunk)
	for len(x) > 0 {
		k := min(int64(len(x)), chunk/f.bytes*f.block)
		buffer = encoders[t](buffer[:0], x[:k])
		x = x[k:]
		n += int64(len(buffer))
		if _, err := w.Write(buffer); err != nil {
			return n, err
		}
	}
	return n, nil
}

var encoders = map[Type]func(dst []byte, x []float32) []byte{F32: encodeF32, F16: encodeF16, Q8_0: encodeQ80}
