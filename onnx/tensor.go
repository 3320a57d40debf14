package onnx

import (
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// Tensor is a dense array. Data holds the elements in row-major order, little endian, as ONNX's raw_data does; types
// narrower than a byte are packed, low bits first. String tensors keep their elements in Strings.
type Tensor struct {
	Name    string // as in the file; an initializer's name is its Value's
	DType   DataType
	Dims    []int64
	Data    []byte
	Strings []string
	Doc     string
	extra   Opaque // fields of the file that the IR does not know
}

// Element is a Go type that has an ONNX element type of the same layout.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | bool
}

// NewTensor is a tensor of zeros. Sizes must not be negative.
func NewTensor(d DataType, dims ...int64) *Tensor {
	t := &Tensor{DType: d, Dims: slices.Clone(dims)}
	n, err := ElementCount(dims)
	if err != nil || (d.Bits() == 0 && d != String) {
		panic(fmt.Sprintf("onnx.NewTensor(%v, %v): no such tensor", d, dims))
	}
	if d == String {
		t.Strings = make([]string, n)
		return t
	}
	t.Data = alignedBytes((n*int64(d.Bits()) + 7) / 8)
	return t
}

// FromSlice is a tensor over a copy of values. The element type follows from T. Without dims the tensor is a vector.
func FromSlice[T Element](values []T, dims ...int64) *Tensor {
	if len(dims) == 0 {
		dims = []int64{int64(len(values))}
	}
	t := NewTensor(elementType[T](), dims...)
	if copy(View[T](t), values) != len(values) || t.Len() != int64(len(values)) {
		panic(fmt.Sprintf("onnx.FromSlice: %d values for dims %v", len(values), dims))
	}
	return t
}

// Scalar is a tensor of rank 0.
func Scalar[T Element](v T) *Tensor {
	t := NewTensor(elementType[T]())
	View[T](t)[0] = v
	return t
}

// View gives t's elements as a slice that aliases them. T must be the Go type of t's element type (uint16 for float16 and
// bfloat16, uint8 for 8-bit floats); anything else is a programming error and panics.
func View[T Element](t *Tensor) []T {
	var zero T
	if int(unsafe.Sizeof(zero))*8 != t.DType.Bits() || !sameLayout(elementType[T](), t.DType) {
		panic(fmt.Sprintf("onnx.View: %T over a tensor of %v", zero, t.DType))
	}
	if len(t.Data) == 0 {
		return nil
	}
	if uintptr(unsafe.Pointer(unsafe.SliceData(t.Data)))%unsafe.Alignof(zero) != 0 {
		aligned := alignedBytes(int64(len(t.Data)))
		copy(aligned, t.Data)
		t.Data = aligned
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(t.Data))), len(t.Data)/int(unsafe.Sizeof(zero)))
}

// Read gives t's elements for reading alone. It is View but that what cannot be viewed in place, a part of a mapped file that is
// not aligned, is a copy that t does not keep: a model that is only looked at stays in its file.
func Read[T Element](t *Tensor) []T {
	u := *t
	if address(t.Data)%unsafe.Alignof(*new(T)) != 0 && t.Mapped() {
		u.Data = alignedBytes(int64(len(t.Data)))
		if err := t.ReadData(u.Data); err != nil {
			copy(u.Data, t.Data)
		}
	}
	return View[T](&u)
}

// Float32s gives the elements of a float tensor, aliased. Nil when t is not one.
func (t *Tensor) Float32s() []float32 {
	if t == nil || t.DType != Float {
		return nil
	}
	return View[float32](t)
}

// Int64s gives the elements of an int64 tensor, aliased. Nil when t is not one.
func (t *Tensor) Int64s() []int64 {
	if t == nil || t.DType != Int64 {
		return nil
	}
	return View[int64](t)
}

// Len is the number of elements.
func (t *Tensor) Len() int64 {
	n := int64(1)
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// Shape is the tensor's shape.
func (t *Tensor) Shape() Shape { return NewShape(t.Dims...) }

// Type is the tensor's type.
func (t *Tensor) Type() TensorType { return TensorType{DType: t.DType, Shape: t.Shape()} }

// Clone is a copy that shares nothing.
func (t *Tensor) Clone() *Tensor {
	c := *t
	c.Dims = slices.Clone(t.Dims)
	c.Strings = slices.Clone(t.Strings)
	if t.Data != nil {
		c.Data = alignedBytes(int64(len(t.Data)))
		if err := t.ReadData(c.Data); err != nil {
			copy(c.Data, t.Data)
		}
	}
	return &c
}

// Check says whether the data has the size that type and dims ask for.
func (t *Tensor) Check() error {
	n, err := ElementCount(t.Dims)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if t.DType == String {
		if int64(len(t.Strings)) != n {
			return fmt.Errorf("tensor %q: %d strings, dims %v ask for %d", t.Name, len(t.Strings), t.Dims, n)
		}
		return nil
	}
	bits := int64(t.DType.Bits())
	if bits == 0 {
		return fmt.Errorf("tensor %q: element type %v is not known", t.Name, t.DType)
	}
	if n > (math.MaxInt64-7)/bits {
		return fmt.Errorf("tensor %q: dims %v overflow", t.Name, t.Dims)
	}
	if want := (n*bits + 7) / 8; int64(len(t.Data)) != want {
		return fmt.Errorf("tensor %q: %d bytes of data, %v %v asks for %d", t.Name, len(t.Data), t.DType, t.Dims, want)
	}
	return nil
}

// ElementCount is the product of dims, checked for negative sizes and overflow.
func ElementCount(dims []int64) (int64, error) {
	n := int64(1)
	for _, d := range dims {
		if d < 0 {
			return 0, fmt.Errorf("negative dimension in %v", dims)
		}
	}
	for _, d := range dims {
		if d == 0 {
			return 0, nil
		}
	}
	for _, d := range dims {
		if n > math.MaxInt64/d {
			return 0, fmt.Errorf("dims %v overflow", dims)
		}
		n *= d
	}
	return n, nil
}

func elementType[T Element]() DataType {
	var zero T
	switch any(zero).(type) {
	case float32:
		return Float
	case float64:
		return Double
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	}
	return Undefined
}

// sameLayout reports whether values of type d may be viewed as values of the Go type of g.
func sameLayout(g, d DataType) bool {
	switch d {
	case Float16, BFloat16:
		return g == Uint16
	case Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float8E8M0:
		return g == Uint8
	case Bool:
		return g == Bool || g == Uint8
	}
	return g == d
}

// alignedBytes allocates n zero bytes at an address that suits every element type.
func alignedBytes(n int64) []byte {
	if n == 0 {
		return []byte{}
	}
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), n)
}
