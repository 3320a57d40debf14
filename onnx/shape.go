package onnx

import (
	"slices"
	"strconv"
	"strings"
)

// Dim is one dimension of a shape: a size, a symbol (the same symbol is the same size throughout a model), or unknown.
type Dim struct {
	Size   int64  // meaningful when Symbol is empty; -1 is unknown
	Symbol string // "batch", "sequence"
}

// UnknownDim is a dimension of which nothing is known.
var UnknownDim = Dim{Size: -1}

// Known reports whether d has a size.
func (d Dim) Known() bool { return d.Symbol == "" && d.Size >= 0 }

// String is the size, the symbol or "?".
func (d Dim) String() string {
	switch {
	case d.Symbol != "":
		return d.Symbol
	case d.Size < 0:
		return "?"
	}
	return strconv.FormatInt(d.Size, 10)
}

// Shape is a list of dimensions. The nil Shape has unknown rank; an empty Shape that is not nil is a scalar's.
type Shape []Dim

// NewShape is a shape of known sizes; without arguments a scalar's.
func NewShape(sizes ...int64) Shape {
	s := make(Shape, len(sizes))
	for i, n := range sizes {
		s[i] = Dim{Size: n}
	}
	return s
}

// Ranked reports whether the rank is known.
func (s Shape) Ranked() bool { return s != nil }

// Static reports whether the rank and every size are known.
func (s Shape) Static() bool {
	return s != nil && !slices.ContainsFunc(s, func(d Dim) bool { return !d.Known() })
}

// Sizes are the dimensions of a static shape; ok is false when a size or the rank is unknown.
func (s Shape) Sizes() (sizes []int64, ok bool) {
	if !s.Static() {
		return nil, false
	}
	sizes = make([]int64, len(s))
	for i, d := range s {
		sizes[i] = d.Size
	}
	return sizes, true
}

// Equal reports whether both have the same rank and the same sizes and symbols. Two unknown dimensions are equal.
func (s Shape) Equal(t Shape) bool { return s.Ranked() == t.Ranked() && slices.Equal(s, t) }

// Clone is a copy that shares nothing.
func (s Shape) Clone() Shape { return slices.Clone(s) }

// String is "[1 32 H (W + 1)]", or "[...]" when the rank is unknown.
func (s Shape) String() string {
	if s == nil {
		return "[...]"
	}
	parts := make([]string, len(s))
	for i, d := range s {
		if parts[i] = d.String(); strings.Contains(parts[i], " ") {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// TensorType is what is known of a value before it runs.
type TensorType struct {
	DType DataType // Undefined: unknown, or not a tensor
	Shape Shape
	Of    *Container // what a sequence or an optional holds, which has no element type and no shape of its own; nil: a tensor
}

// TypeOf is a tensor type of known sizes.
func TypeOf(d DataType, sizes ...int64) TensorType {
	return TensorType{DType: d, Shape: NewShape(sizes...)}
}

// String is "float [1 3 H W]" or "seq(float [1 3 H W])".
func (t TensorType) String() string {
	if t.Of != nil {
		return t.Of.Kind.String() + "(" + t.Of.Elem.String() + ")"
	}
	return t.DType.String() + " " + t.Shape.String()
}
