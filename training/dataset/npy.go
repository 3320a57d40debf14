package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

const (
	npyMagic      = "\x93NUMPY"
	maxNpyHeader  = 64 << 10
	maxNpyRank    = 64
	npyHeaderStep = 64 // the data begin at a multiple of this
)

// npyTypes are the element types that are read and written, by NumPy's code without the byte order.
var npyTypes = map[string]onnx.DataType{
	"f4": onnx.Float, "f8": onnx.Double, "f2": onnx.Float16, "b1": onnx.Bool,
	"i1": onnx.Int8, "i2": onnx.Int16, "i4": onnx.Int32, "i8": onnx.Int64,
	"u1": onnx.Uint8, "u2": onnx.Uint16, "u4": onnx.Uint32, "u8": onnx.Uint64,
	"c8": onnx.Complex64, "c16": onnx.Complex128,
}

// ReadNpy reads one array in NumPy's .npy format, versions 1 to 3, from the size bytes of src, which it must fill. Big-endian
// numbers and column-major order are converted. Arrays of objects, records and text are refused. name stands in errors.
func ReadNpy(src io.ReaderAt, size int64, name string) (*onnx.Tensor, error) {
	t, err := readNpy(limits.NewReader(src, size))
	if err != nil {
		return nil, limits.InFile(name, err)
	}
	return t, nil
}

func readNpy(r *limits.Reader) (*onnx.Tensor, error) {
	magic, err := r.String(8, "npy header")
	if err != nil {
		return nil, err
	}
	if magic[:6] != npyMagic || magic[6] < 1 || magic[6] > 3 || magic[7] != 0 {
		return nil, limits.Refuse("npy header", "begins with %s, no .npy file of version 1 to 3", limits.Name(magic))
	}
	var length uint32
	if magic[6] == 1 {
		var n uint16
		n, err = r.U16("npy header length")
		length = uint32(n)
	} else {
		length, err = r.U32("npy header length")
	}
	if err != nil {
		return nil, err
	}
	if length > maxNpyHeader {
		return nil, limits.Refuse("npy header", "%d bytes declared, at most %d", length, maxNpyHeader)
	}
	text, err := r.String(uint64(length), "npy header")
	if err != nil {
		return nil, err
	}
	h, err := parseNpyHeader(text)
	if err != nil {
		return nil, err
	}
	dtype, bigEndian, err := npyType(h.descr)
	if err != nil {
		return nil, err
	}
	n, ok := limits.Bytes(h.shape, dtype.Bits())
	if !ok {
		return nil, limits.Refuse("npy shape", "%v of %v overflows", dtype, h.shape)
	}
	if n != r.Remaining() {
		return nil, limits.Refuse("npy data", "%v of shape %v takes %d bytes, %d are there", dtype, h.shape, n, r.Remaining())
	}
	t := onnx.NewTensor(dtype, h.shape...)
	if err := r.Fill(t.Data, "npy data"); err != nil {
		return nil, err
	}
	width := dtype.Bits() / 8
	if bigEndian {
		part := width
		if dtype == onnx.Complex64 || dtype == onnx.Complex128 {
			part = width / 2
		}
		for i := 0; i < len(t.Data); i += part {
			slices.Reverse(t.Data[i : i+part])
		}
	}
	if h.fortran && len(h.shape) > 1 {
		rows := onnx.NewTensor(dtype, h.shape...)
		rowMajor(rows.Data, t.Data, h.shape, width)
		t = rows
	}
	if dtype == onnx.Bool {
		return t, limits.Bools(t.Data, "npy data")
	}
	return t, nil
}

// npyType reads a type code such as "<f4".
func npyType(descr string) (d onnx.DataType, bigEndian bool, err error) {
	if descr != "" && strings.IndexByte("<>|=", descr[0]) >= 0 {
		d = npyTypes[descr[1:]]
		bigEndian = descr[0] == '>'
		if d == onnx.Undefined && descr[1:] != "" {
			switch descr[1] {
			case 'O':
				return 0, false, limits.Refuse("npy type", "%s holds Python objects, which are pickled code", limits.Name(descr)).
					WithHint("save plain numbers")
			case 'U', 'S', 'V', 'M', 'm':
				return 0, false, limits.Refuse("npy type", "%s is text, raw bytes or time, only numbers and bools are read", limits.Name(descr))
			}
		}
	}
	if d == onnx.Undefined || descr[0] == '=' || descr[0] == '|' && d.Bits() > 8 {
		return 0, false, limits.Refuse("npy type", "%s is not known", limits.Name(descr))
	}
	return d, bigEndian, nil
}

// rowMajor copies the column-major src to dst.
func rowMajor(dst, src []byte, dims []int64, width int) {
	strides := make([]int, len(dims))
	step := width
	for i, d := range dims {
		strides[i] = step
		step *= int(d)
	}
	index := make([]int64, len(dims))
	for at, to := 0, 0; to < len(dst); to += width {
		copy(dst[to:to+width], src[at:])
		for axis := len(dims) - 1; axis >= 0; axis-- {
			index[axis]++
			at += strides[axis]
			if index[axis] < dims[axis] {
				break
			}
			at -= int(dims[axis]) * strides[axis]
			index[axis] = 0
		}
	}
}

// WriteNpy writes t in version 1 of the format, little endian and row-major.
func WriteNpy(w io.Writer, t *onnx.Tensor) error {
	code := ""
	for c, d := range npyTypes {
		if d == t.DType {
			code = c
		}
	}
	if code == "" {
		return fmt.Errorf("write npy: tensor %s: NumPy has no %v", limits.Name(t.Name), t.DType)
	}
	if err := t.Check(); err != nil {
		return fmt.Errorf("write npy: %w", err)
	}
	order := "<"
	if t.DType.Bits() == 8 {
		order = "|"
	}
	var shape strings.Builder
	for i, d := range t.Dims {
		if i > 0 {
			shape.WriteByte(' ')
		}
		fmt.Fprintf(&shape, "%d,", d)
	}
	sizes := shape.String()
	if len(t.Dims) > 1 {
		sizes = strings.TrimSuffix(sizes, ",")
	}
	header := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }", order, code, sizes)
	pad := npyHeaderStep - (len(npyMagic)+4+len(header)+1)%npyHeaderStep
	header += strings.Repeat(" ", pad%npyHeaderStep) + "\n"
	if len(t.Dims) > maxNpyRank || len(header) > maxNpyHeader-1 {
		return fmt.Errorf("write npy: tensor %s has rank %d, at most %d", limits.Name(t.Name), len(t.Dims), maxNpyRank)
	}
	var b bytes.Buffer
	b.WriteString(npyMagic + "\x01\x00")
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	b.WriteString(header)
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	_, err := w.Write(t.Data)
	return err
}
