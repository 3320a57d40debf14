package op

import (
	"fmt"
	"math"

	"graft/onnx"
)

// A rule gives the types of a node's outputs. Rules see ranks of at most maxRank and sizes of at most maxSize: Infer
// refuses nodes beyond that, and outputs as well.
type rule = func(n *onnx.Node) ([]onnx.TensorType, error)

const (
	maxRank  = 1024
	maxDims  = 1 << 20        // of all inputs together
	maxSize  = int64(1) << 48 // of one dimension
	maxParam = int64(1) << 31 // of one stride, pad, dilation or kernel size
)

// typeOf is the type of the i-th input, unknown when it is absent.
func typeOf(n *onnx.Node, i int) onnx.TensorType {
	if v := n.Input(i); v != nil {
		return v.Type
	}
	return onnx.TensorType{}
}

func dtypeOf(n *onnx.Node, i int) onnx.DataType { return typeOf(n, i).DType }
func shapeOf(n *onnx.Node, i int) onnx.Shape    { return typeOf(n, i).Shape }

// elementOfType is the tensor type inside all containers.
func elementOfType(t onnx.TensorType) onnx.TensorType {
	for t.Of != nil {
		t = t.Of.Elem
	}
	return t
}

// one is the result of an operator with one output.
func one(d onnx.DataType, s onnx.Shape) []onnx.TensorType {
	return []onnx.TensorType{{DType: d, Shape: s}}
}

func unknownShape(rank int) onnx.Shape {
	s := make(onnx.Shape, rank)
	for i := range s {
		s[i] = onnx.UnknownDim
	}
	return s
}

func size(n int64) onnx.Dim { return onnx.Dim{Size: n} }

// sameAsInput: one output with the type of the first input.
func sameAsInput(n *onnx.Node) ([]onnx.TensorType, error) {
	return one(dtypeOf(n, 0), shapeOf(n, 0).Clone()), nil
}

// axisOf puts an axis that may count from the end into 0..rank-1.
func axisOf(axis int64, rank int) (int, error) {
	if axis < -int64(rank) || axis >= int64(rank) {
		return 0, fmt.Errorf("axis %d is outside rank %d", axis, rank)
	}
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), nil
}

// axesOf is axisOf for a list without repetition, as a set.
func axesOf(axes []int64, rank int) (map[int]bool, error) {
	set := map[int]bool{}
	if len(axes) > rank {
		return nil, fmt.Errorf("%d axes for rank %d", len(axes), rank)
	}
	for _, a := range axes {
		i, err := axisOf(a, rank)
		if err != nil {
			return nil, err
		}
		if set[i] {
			return nil, fmt.Errorf("axis %d is listed twice", a)
		}
		set[i] = true
	}
	return set, nil
}

// factors multiplies the known dimensions and lists the others. A zero among them leaves nothing else.
func factors(dims []onnx.Dim) (n int64, rest []onnx.Dim, err error) {
	n = 1
	for _, d := range dims {
		if d == size(0) {
			return 0, nil, nil
		}
	}
	for _, d := range dims {
		if !d.Known() {
			rest = append(rest, d)
			continue
		}
		if n > math.MaxInt64/d.Size {
			return 0, nil, fmt.Errorf("product of %v overflows", onnx.Shape(dims))
		}
		n *= d.Size
	}
	return n, rest, nil
}

// product multiplies dimensions: unknown when one is, unless another is 0.
func product(dims []onnx.Dim) (onnx.Dim, error) {
	n, rest, err := factors(dims)
	switch {
	case err != nil:
		return onnx.UnknownDim, err
	case len(rest) == 0:
		return size(n), nil
	case len(rest) > maxFactors:
		return onnx.UnknownDim, nil
	}
	d := rest[0]
	for _, r := range rest[1:] {
		d = productDim(d, r)
	}
	if n == 1 {
		return d, nil
	}
	return productDim(d, size(n)), nil
}

// total adds dimensions up.
func total(dims []onnx.Dim) (onnx.Dim, error) {
	n, rest := int64(0), size(0)
	for _, d := range dims {
		switch {
		case d.Known():
			if n += d.Size; n > maxSize {
				return onnx.UnknownDim, fmt.Errorf("the sum of %d sizes is too large", len(dims))
			}
		case rest == size(0):
			rest = d
		case rest != onnx.UnknownDim:
			rest = sumDim(rest, d)
		}
	}
	return shiftedDim(rest, n), nil
}

// mul is a*b for numbers that are not negative.
func mul(a, b int64) (int64, bool) {
	if a < 0 || b < 0 || (b != 0 && a > math.MaxInt64/b) {
		return 0, false
	}
	return a * b, true
}

// intsOf reads a list of integers that is input i of n, or the attribute name in older forms. given says whether either
// is there, known whether its elements are known.
func intsOf(n *onnx.Node, i int, name string) (v []int64, given, known bool) {
	if in := n.Input(i); in != nil {
		v, known = ConstantInts(in)
		return v, true, known
	}
	if a, ok := n.Attr(name); ok {
		v, known = a.Value.([]int64)
		return v, true, known
	}
	return nil, false, true
}

// checkType refuses what rules are not made for.
func checkType(what string, t onnx.TensorType) error {
	t = elementOfType(t)
	if len(t.Shape) > maxRank {
		return fmt.Errorf("%s has rank %d, at most %d is possible", what, len(t.Shape), maxRank)
	}
	total := int64(1)
	for _, d := range t.Shape {
		if d.Symbol == "" && d.Size < -1 {
			return fmt.Errorf("%s has a dimension of size %d", what, d.Size)
		}
		if !d.Known() {
			continue
		}
		if d.Size > maxSize {
			return fmt.Errorf("%s %v is too large", what, t.Shape)
		}
		if total == 0 || d.Size == 0 {
			total = 0
			continue
		}
		if total > (math.MaxInt64/16)/d.Size {
			return fmt.Errorf("%s %v is too large", what, t.Shape)
		}
		total *= d.Size
	}
	return nil
}
