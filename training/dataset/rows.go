package dataset

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// Rows gives the samples of one array by their number. Goroutines may gather different samples at the same time.
type Rows interface {
	Len() int64
	// Sample is the element type and the dims of one sample.
	Sample() (onnx.DataType, []int64)
	// Gather writes the picked samples to dst, one behind the other; dst has room for just these.
	Gather(dst []byte, picked []uint32) error
}

// Column is an array of a data set.
type Column struct {
	Name string // of the array; empty where the format has no names
	Kind Kind
	Rows Rows
}

// Kind says what a column holds, as far as the format tells.
type Kind int

const (
	Named   Kind = iota // to be known by its name
	Samples             // what a model with one input is given
	Answers             // labels or targets
)

// TensorRows are the samples of a tensor along its first axis, which it must have.
func TensorRows(t *onnx.Tensor) (Rows, error) {
	switch {
	case len(t.Dims) == 0:
		return nil, limits.Refuse("array "+limits.Name(t.Name), "is a scalar, it has no samples")
	case t.DType.Bits()%8 != 0 || t.DType.Bits() == 0:
		return nil, limits.Refuse("array "+limits.Name(t.Name), "is %v, which has no whole bytes", t.DType)
	}
	return tensorRows{t}, nil
}

type tensorRows struct{ t *onnx.Tensor }

func (r tensorRows) Len() int64                       { return r.t.Dims[0] }
func (r tensorRows) Sample() (onnx.DataType, []int64) { return r.t.DType, r.t.Dims[1:] }

func (r tensorRows) Gather(dst []byte, picked []uint32) error {
	if len(picked) == 0 {
		return nil
	}
	width := len(dst) / len(picked)
	for i, at := range picked {
		copy(dst[i*width:(i+1)*width], r.t.Data[int(at)*width:])
	}
	return nil
}

// Tensor is the tensor behind rows that TensorRows has made; nil for others.
func Tensor(r Rows) *onnx.Tensor {
	if t, ok := r.(tensorRows); ok {
		return t.t
	}
	return nil
}

// Reshaped gives the samples other dims of as many elements.
func Reshaped(r Rows, dims []int64) (Rows, error) {
	dtype, from := r.Sample()
	a, err := onnx.ElementCount(from)
	if err != nil {
		return nil, err
	}
	b, err := onnx.ElementCount(dims)
	if err != nil {
		return nil, err
	}
	if a != b {
		return nil, fmt.Errorf("samples of %v %v do not become %v", dtype, from, dims)
	}
	if slices.Equal(from, dims) {
		return r, nil
	}
	if t := Tensor(r); t != nil {
		c := *t
		c.Dims = append([]int64{t.Dims[0]}, dims...)
		return tensorRows{&c}, nil
	}
	return reshapedRows{r, slices.Clone(dims)}, nil
}

type reshapedRows struct {
	Rows
	dims []int64
}

func (r reshapedRows) Sample() (onnx.DataType, []int64) {
	dtype, _ := r.Rows.Sample()
	return dtype, r.dims
}

// Part is the samples with the given numbers.
func Part(r Rows, numbers []uint32) Rows { return partRows{r, numbers} }

type partRows struct {
	Rows
	numbers []uint32
}

func (r partRows) Len() int64 { return int64(len(r.numbers)) }

func (r partRows) Gather(dst []byte, picked []uint32) error {
	of := make([]uint32, len(picked))
	for i, p := range picked {
		of[i] = r.numbers[p]
	}
	return r.Rows.Gather(dst, of)
}
