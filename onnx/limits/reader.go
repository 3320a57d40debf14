package limits

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

// Reader reads a byte range from front to back. Every read is checked against the bytes that are left before anything is
// allocated. Errors name the field, the offset and what is left.
type Reader struct {
	src      io.ReaderAt
	off, end int64
	window   []byte // bytes read ahead, of the range that ends at windowEnd
	winOff   int64
	buffer   []byte
}

// windowSize is how much a Reader reads ahead.
const windowSize = 32 << 10

// NewReader reads size bytes of src from its beginning.
func NewReader(src io.ReaderAt, size int64) *Reader { return &Reader{src: src, end: max(size, 0)} }

// OverBytes reads b.
func OverBytes(b []byte) *Reader { return NewReader(bytes.NewReader(b), int64(len(b))) }

// Offset is the position of the next byte, counted from the beginning of the source.
func (r *Reader) Offset() int64 { return r.off }

// Remaining is the number of bytes that are left.
func (r *Reader) Remaining() int64 { return r.end - r.off }

// Need refuses unless n bytes are left.
func (r *Reader) Need(n uint64, field string) error {
	if n > uint64(r.Remaining()) {
		return Refuse(field, "%d bytes declared at byte %d, %d left", n, r.off, r.Remaining())
	}
	return nil
}

// Bytes reads n bytes into a fresh slice.
func (r *Reader) Bytes(n uint64, field string) ([]byte, error) {
	if err := r.Need(n, field); err != nil {
		return nil, err
	}
	if n > math.MaxInt {
		return nil, Refuse(field, "%d bytes declared at byte %d do not fit in memory", n, r.off)
	}
	b := make([]byte, n)
	return b, r.Fill(b, field)
}

// String reads n bytes as a string; whether it is UTF-8 is the caller's to check.
func (r *Reader) String(n uint64, field string) (string, error) {
	b, err := r.Bytes(n, field)
	return string(b), err
}

// Fill reads len(dst) bytes into dst.
func (r *Reader) Fill(dst []byte, field string) error {
	if err := r.Need(uint64(len(dst)), field); err != nil {
		return err
	}
	if len(dst) <= windowSize {
		b, err := r.peek(len(dst), field)
		if err != nil {
			return err
		}
		r.off += int64(copy(dst, b))
		return nil
	}
	if err := ReadAt(r.src, dst, r.off, field); err != nil {
		return err
	}
	r.off += int64(len(dst))
	return nil
}

// Skip goes n bytes on.
func (r *Reader) Skip(n uint64, field string) error {
	if err := r.Need(n, field); err != nil {
		return err
	}
	r.off += int64(n)
	return nil
}

// Line reads up to and without the next newline, which must be among the next max+1 bytes.
func (r *Reader) Line(max int, field string) (string, error) {
	n := int(min(int64(max)+1, r.Remaining(), windowSize))
	b, err := r.peek(n, field)
	if err != nil {
		return "", err
	}
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return "", Refuse(field, "no end of line within %d bytes at byte %d", n, r.off)
	}
	r.off += int64(i) + 1
	return string(b[:i]), nil
}

// U8 reads one byte.
func (r *Reader) U8(field string) (byte, error) {
	b, err := r.take(1, field)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// U16 reads a little-endian 16-bit number.
func (r *Reader) U16(field string) (uint16, error) {
	b, err := r.take(2, field)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint16(b), nil
}

// U32 reads a little-endian 32-bit number.
func (r *Reader) U32(field string) (uint32, error) {
	b, err := r.take(4, field)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

// U64 reads a little-endian 64-bit number.
func (r *Reader) U64(field string) (uint64, error) {
	b, err := r.take(8, field)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

func (r *Reader) take(n int, field string) ([]byte, error) {
	b, err := r.peek(n, field)
	r.off += int64(len(b))
	return b, err
}

// peek gives the next n <= windowSize bytes; they are valid until the next read.
func (r *Reader) peek(n int, field string) ([]byte, error) {
	if err := r.Need(uint64(n), field); err != nil {
		return nil, err
	}
	if at := r.off - r.winOff; at >= 0 && at+int64(n) <= int64(len(r.window)) {
		return r.window[at : at+int64(n)], nil
	}
	want := int(min(r.Remaining(), windowSize))
	if r.buffer == nil {
		r.buffer = make([]byte, want)
	}
	window := r.buffer[:want]
	r.window = nil
	if err := ReadAt(r.src, window, r.off, field); err != nil {
		return nil, err
	}
	r.window, r.winOff = window, r.off
	return window[:n], nil
}

// ReadAt fills dst from src at off. A source that ends early, as a file cut short after it was opened, is refused.
func ReadAt(src io.ReaderAt, dst []byte, off int64, field string) error {
	if len(dst) == 0 {
		return nil
	}
	n, err := src.ReadAt(dst, off)
	switch {
	case n == len(dst):
		return nil
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Refuse(field, "the file ends at byte %d, %d bytes were expected at byte %d", off+int64(n), len(dst), off)
	}
	return err
}
