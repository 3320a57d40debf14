package onnx

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"google.golang.org/protobuf/encoding/protowire"

	"graft/onnx/internal/onnxpb"
)

const (
	largeFile = 1 << 20  // from this size on a file is read by largeReader
	largeData = 64 << 10 // from this size on raw_data is read into place
	rawData   = 9        // TensorProto.raw_data

	floatData, doubleData = 4, 10 // packed, they are what raw_data would be
)

// errNotCut says that a file is better read as a whole, which gives the error if there is one.
var errNotCut = errors.New("not read in parts")

// largeReader reads a model file so that the data of large tensors, raw or packed floats, stays where it is, in a file that is mapped, or is in
// memory once. What it leaves is a file in which a mark of 24 bytes stands in place of such data. The marks begin with a random
// key, so that no file can contain one.
type largeReader struct {
	file    *io.SectionReader
	in      *bufio.Reader
	at      int64 // place in the file of what in gives next
	mapping *mapping
	key     [16]byte
	parts   []part // by the number in its mark
	put     int    // parts that are back in place
}

// part is the data of a tensor, and the field that it is.
type part struct {
	data  []byte
	field protowire.Number
}

// decodeLarge decodes the size bytes of a file, mapped where asked and possible; external is as in decode. errNotCut leaves the file to decode.
func decodeLarge(file *os.File, size int64, mapped bool, external func(*onnxpb.ModelProto) error) (*Model, error) {
	r := &largeReader{file: io.NewSectionReader(file, 0, size)}
	r.in = bufio.NewReaderSize(r.file, 64<<10)
	if _, err := rand.Read(r.key[:]); err != nil {
		return nil, errNotCut
	}
	if mapped {
		r.mapping = mapFile(file, size)
	}
	m, err := r.decode(size, external)
	switch {
	case err != nil || len(r.parts) == 0:
		r.mapping.release()
	case r.mapping != nil:
		m.mappings = append(m.mappings, r.mapping)
	}
	return m, err
}

func (r *largeReader) decode(size int64, external func(*onnxpb.ModelProto) error) (*Model, error) {
	root := kinds()[(&onnxpb.ModelProto{}).ProtoReflect().Descriptor().FullName()]
	rest, err := r.message(root, uint64(size), 0)
	if err != nil {
		return nil, errNotCut
	}
	restored := false
	m, err := decode(rest, func(pb *onnxpb.ModelProto) error {
		if err := tensors(pb, r.restore); err != nil {
			return err
		}
		if r.put != len(r.parts) { // a field that stands twice
			return errNotCut
		}
		restored = true
		return external(pb)
	})
	if err != nil && !restored { // what it says of places is about the marks
		return nil, errNotCut
	}
	return m, err
}

// message reads a message of size bytes and gives it with marks in place of large raw data.
func (r *largeReader) message(k *kind, size uint64, depth int) ([]byte, error) {
	if depth > maxMessageDepth {
		return nil, errNotCut
	}
	var out []byte
	for size > 0 {
		tag, err := r.varint(&size)
		if err != nil {
			return nil, err
		}
		num, typ := protowire.DecodeTag(tag)
		start := len(out)
		out = protowire.AppendVarint(out, tag)
		var n uint64
		switch typ {
		case protowire.VarintType:
			v, err := r.varint(&size)
			if err != nil {
				return nil, err
			}
			out = protowire.AppendVarint(out, v)
			continue
		case protowire.Fixed32Type:
			n = 4
		case protowire.Fixed64Type:
			n = 8
		case protowire.BytesType:
			if n, err = r.varint(&size); err != nil {
				return nil, err
			}
		default:
			return nil, errNotCut
		}
		if n > size {
			return nil, errNotCut
		}
		size -= n
		sub := k.sub[num]
		switch {
		case typ == protowire.BytesType && sub != nil && n >= largeData:
			inner, err := r.message(sub, n, depth+1)
			if err != nil {
				return nil, err
			}
			out = protowire.AppendBytes(out, inner)
		case typ == protowire.BytesType && k.name == "TensorProto" && (num == rawData || num == floatData || num == doubleData) && n >= largeData:
			data, err := r.data(int64(n))
			if err != nil {
				return nil, err
			}
			out = protowire.AppendTag(out[:start], rawData, protowire.BytesType)
			out = protowire.AppendBytes(out, binary.LittleEndian.AppendUint64(r.key[:], uint64(len(r.parts))))
			r.parts = append(r.parts, part{data, num})
		default:
			if typ == protowire.BytesType {
				out = protowire.AppendVarint(out, n)
			}
			at := len(out)
			out = append(out, make([]byte, n)...)
			if _, err := io.ReadFull(r.in, out[at:]); err != nil {
				return nil, err
			}
			r.at += int64(n)
		}
	}
	return out, nil
}

// data gives the next n bytes of the file and goes behind them.
func (r *largeReader) data(n int64) (data []byte, err error) {
	if r.mapping == nil {
		data = alignedBytes(n)
		_, err = io.ReadFull(r.in, data)
		r.at += n
		return data, err
	}
	data = r.mapping.data[r.at : r.at+n : r.at+n]
	if r.at += n; n <= int64(r.in.Buffered()) {
		_, err = r.in.Discard(int(n))
		return data, err
	}
	_, err = r.file.Seek(r.at, io.SeekStart)
	r.in.Reset(r.file)
	return data, err
}

// varint reads a number of the encoding and takes its bytes from left.
func (r *largeReader) varint(left *uint64) (uint64, error) {
	var v uint64
	for shift := uint(0); shift < 70 && *left > 0; shift += 7 {
		b, err := r.in.ReadByte()
		if err != nil {
			return 0, err
		}
		*left--
		r.at++
		if v |= uint64(b&0x7f) << shift; b < 0x80 {
			if shift == 63 && b > 1 {
				return 0, errNotCut
			}
			return v, nil
		}
	}
	return 0, errNotCut
}

// restore puts the data in place of a mark.
func (r *largeReader) restore(t *onnxpb.TensorProto, _ string) error {
	if len(t.RawData) != len(r.key)+8 || !bytes.HasPrefix(t.RawData, r.key[:]) {
		return nil
	}
	i := binary.LittleEndian.Uint64(t.RawData[len(r.key):])
	if i >= uint64(len(r.parts)) {
		return errNotCut
	}
	if !r.parts[i].fits(t) {
		return errNotCut
	}
	t.RawData = r.parts[i].data
	r.put++
	return nil
}

// fits reports whether a typed field may be taken for raw data: it holds what type and dims of its tensor ask for.
func (p part) fits(t *onnxpb.TensorProto) bool {
	d := DataType(t.GetDataType())
	switch p.field {
	case floatData:
		if d != Float && d != Complex64 {
			return false
		}
	case doubleData:
		if d != Double && d != Complex128 {
			return false
		}
	default:
		return true
	}
	n, err := ElementCount(t.Dims)
	if err != nil {
		return false
	}
	size, fits := dataBytes(n, d)
	return fits && size == int64(len(p.data))
}
