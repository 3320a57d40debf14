package onnx

import (
	"encoding/binary"
	"unsafe"

	"graft/onnx/internal/onnxpb"
)

// tensor reads a tensor and normalises its elements to Data or Strings. It is nil, with a problem noted, when the message
// contradicts itself. where names the place for messages.
func (d *decoder) tensor(pb *onnxpb.TensorProto, where string) *Tensor {
	t := &Tensor{Name: pb.GetName(), DType: DataType(pb.GetDataType()), Dims: pb.Dims, Doc: pb.GetDocString()}
	before := len(d.problems)
	d.elements(pb, t, where)
	if len(d.problems) > before {
		return nil
	}
	pb.Name, pb.DataType, pb.Dims, pb.DocString, pb.RawData, pb.StringData = nil, nil, nil, nil, nil, nil
	pb.DataLocation, pb.ExternalData = nil, nil // resolved, or left over from a tool that took the data in
	if t.DType.Valid() {
		pb.FloatData, pb.Int32Data, pb.Int64Data, pb.DoubleData, pb.Uint64Data = nil, nil, nil, nil, nil
	}
	t.extra = rest(pb)
	return t
}

func (d *decoder) elements(pb *onnxpb.TensorProto, t *Tensor, where string) {
	bad := func(format string, args ...any) {
		d.problem("%s %q: "+format, append([]any{where, t.Name}, args...)...)
	}
	if len(t.Dims) > maxRank {
		bad("rank %d, at most %d", len(t.Dims), maxRank)
		return
	}
	n, err := ElementCount(t.Dims)
	if err != nil {
		bad("%v", err)
		return
	}
	if pb.Segment != nil {
		bad("it is a segment of a larger tensor, which is not supported")
		return
	}
	field, count, sources := typedField(pb)
	if len(pb.RawData) > 0 {
		sources++
	}
	if sources > 1 {
		bad("its data is in raw_data (%d bytes) and in %s (%d elements): only one is allowed", len(pb.RawData), field, count)
		return
	}
	if !t.DType.Valid() {
		if t.DType == Undefined {
			bad("no element type")
			return
		}
		t.Data = pb.RawData // a later standard's type: carried along, typed fields in extra
		return
	}
	size, fits := dataBytes(n, t.DType)
	switch want := fieldOf(t.DType); {
	case t.DType == String && len(pb.RawData) > 0:
		bad("strings in raw_data")
	case t.DType != String && !fits:
		bad("dims %s overflow", dimsText(t.Dims))
	case len(pb.RawData) > 0:
		if int64(len(pb.RawData)) != size {
			bad("%d bytes of data, %v %s asks for %d", len(pb.RawData), t.DType, dimsText(t.Dims), size)
			return
		}
		t.Data = aligned(pb.RawData)
	case field == "" && n == 0:
		t.Data = []byte{}
		if t.DType == String {
			t.Data = nil
		}
	case field == "":
		bad("no data, %v %s asks for %d elements", t.DType, dimsText(t.Dims), n)
	case field != want:
		bad("%v elements in %s, they belong in %s", t.DType, field, want)
	case int64(count) != perField(t.DType, n):
		bad("%d elements in %s, %v %s asks for %d", count, field, t.DType, dimsText(t.Dims), perField(t.DType, n))
	case !typedData(pb, t):
		bad("an element of int32_data does not fit %v", t.DType)
	}
	if t.DType == Bool {
		for _, b := range t.Data {
			if b > 1 {
				bad("a bool element is %d, neither 0 nor 1", b)
				return
			}
		}
	}
}

// typedField names the typed field that has elements, how many, and how many such fields there are.
func typedField(pb *onnxpb.TensorProto) (name string, count, fields int) {
	for _, f := range []struct {
		name string
		n    int
	}{
		{"float_data", len(pb.FloatData)}, {"int32_data", len(pb.Int32Data)}, {"string_data", len(pb.StringData)},
		{"int64_data", len(pb.Int64Data)}, {"double_data", len(pb.DoubleData)}, {"uint64_data", len(pb.Uint64Data)},
	} {
		if f.n > 0 {
			name, count, fields = f.name, f.n, fields+1
		}
	}
	return name, count, fields
}

// fieldOf names the typed field that the standard gives an element type.
func fieldOf(t DataType) string {
	switch t {
	case Float, Complex64:
		return "float_data"
	case Double, Complex128:
		return "double_data"
	case Int64:
		return "int64_data"
	case Uint32, Uint64:
		return "uint64_data"
	case String:
		return "string_data"
	}
	return "int32_data"
}

// perField is the number of entries that n elements take in their typed field: complex numbers take two, narrow ones share
// a byte.
func perField(t DataType, n int64) int64 {
	switch {
	case t == Complex64 || t == Complex128:
		return 2 * n
	case t != String && t.Bits() < 8:
		n, _ = dataBytes(n, t)
	}
	return n
}

// typedData fills t from its typed field; false when an element does not fit its type.
func typedData(pb *onnxpb.TensorProto, t *Tensor) bool {
	switch {
	case len(pb.FloatData) > 0:
		t.Data = bytesOf(pb.FloatData)
	case len(pb.DoubleData) > 0:
		t.Data = bytesOf(pb.DoubleData)
	case len(pb.Int64Data) > 0:
		t.Data = bytesOf(pb.Int64Data)
	case len(pb.Uint64Data) > 0 && t.DType == Uint64:
		t.Data = bytesOf(pb.Uint64Data)
	case len(pb.Uint64Data) > 0:
		t.Data = alignedBytes(4 * int64(len(pb.Uint64Data)))
		for i, v := range pb.Uint64Data {
			if v > 1<<32-1 {
				return false
			}
			binary.LittleEndian.PutUint32(t.Data[4*i:], uint32(v))
		}
	case len(pb.StringData) > 0:
		t.Strings = make([]string, len(pb.StringData))
		for i, s := range pb.StringData {
			t.Strings[i] = string(s)
		}
	case t.DType == Int32:
		t.Data = bytesOf(pb.Int32Data)
	case t.DType.Bits() == 16: // integers, or the bits of float16 and bfloat16
		t.Data = alignedBytes(2 * int64(len(pb.Int32Data)))
		for i, v := range pb.Int32Data {
			if v < -1<<15 || v > 1<<16-1 {
				return false
			}
			binary.LittleEndian.PutUint16(t.Data[2*i:], uint16(v))
		}
	default: // integers, the bits of 8-bit floats, or bytes of packed narrow ones
		t.Data = alignedBytes(int64(len(pb.Int32Data)))
		for i, v := range pb.Int32Data {
			if v < -1<<7 || v > 1<<8-1 {
				return false
			}
			t.Data[i] = byte(v)
		}
	}
	return true
}

// bytesOf gives the memory of a slice of numbers.
func bytesOf[T float32 | float64 | int32 | int64 | uint64](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

// aligned is data itself, or a copy at an address that suits every element type. What lies in a mapped file stays there: View
// copies it when it is looked at as numbers.
func aligned(data []byte) []byte {
	if address(data)%8 == 0 {
		return data
	}
	if m, _ := mappingOf(data); m != nil {
		return data
	}
	c := alignedBytes(int64(len(data)))
	copy(c, data)
	return c
}

// sparse reads a sparse tensor and checks that every index is inside it. It is nil, with a problem noted, when it is not.
func (d *decoder) sparse(pb *onnxpb.SparseTensorProto, where string) *SparseTensor {
	if pb.Values == nil || pb.Indices == nil {
		d.problem("%s: a sparse tensor lacks its values or its indices", where)
		return nil
	}
	t := &SparseTensor{Dims: pb.Dims}
	t.Values = d.tensor(pb.Values, where+": values of")
	t.Indices = d.tensor(pb.Indices, where+": indices of")
	if t.Values == nil || t.Indices == nil {
		return nil
	}
	if err := t.check(); err != nil {
		d.problem("%s %q: %v", where, t.Values.Name, err)
		return nil
	}
	pb.Values, pb.Indices, pb.Dims = nil, nil, nil
	t.extra = rest(pb)
	return t
}
