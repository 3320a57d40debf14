package runtime

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"graft/onnx"
)

// Tolerance says when two tensors are equal: |a-b| <= Abs + Rel*max|a| for every element, the maximum being over the whole
// of a.
type Tolerance struct {
	Abs, Rel float64
}

// Comparison is how two sets of tensors differ. The JSON names are those of the command line.
type Comparison struct {
	Equal   bool         `json:"equal"`
	Outputs []Difference `json:"outputs"` // by name, in alphabetical order
	MaxAbs  Real         `json:"max_abs"` // the largest of all outputs
}

// Difference is how one tensor of both sets differs. MaxAbs is max|a-b|, MaxRel is max|a-b| / max|a| (0 where the tensors
// are the same, infinite where a is all zeros), Cosine is a·b/(|a||b|), 1 when both are all zeros. A NaN equals a NaN in the
// same place, an infinity one of its sign; anything else against them is infinitely far.
type Difference struct {
	Name   string `json:"name"`
	MaxAbs Real   `json:"max_abs"`
	MaxRel Real   `json:"max_rel"`
	Cosine Real   `json:"cosine"`
	Equal  bool   `json:"equal"`
	Reason string `json:"reason,omitempty"` // why the numbers cannot be compared
}

// Real is a number that JSON shows as null when it is not finite.
type Real float64

// MarshalJSON writes the number, or null.
func (r Real) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(r)) || math.IsInf(float64(r), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(r))
}

// Compare holds b against a, tensor by tensor of the same name. A tensor that only one of them has is a difference, and so
// are other dims; element types may differ, for the numbers are what is compared.
func Compare(a, b map[string]*onnx.Tensor, tol Tolerance) Comparison {
	c := Comparison{Equal: true, Outputs: []Difference{}}
	names := slices.Sorted(maps.Keys(a))
	for name := range b {
		if a[name] == nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		d := difference(a[name], b[name], tol)
		d.Name = name
		c.Outputs = append(c.Outputs, d)
		c.Equal = c.Equal && d.Equal
		c.MaxAbs = max(c.MaxAbs, d.MaxAbs)
	}
	return c
}

func difference(a, b *onnx.Tensor, tol Tolerance) Difference {
	apart := Difference{MaxAbs: Real(math.Inf(1)), MaxRel: Real(math.Inf(1)), Cosine: Real(math.NaN())}
	switch {
	case a == nil:
		apart.Reason = "only the second has it"
		return apart
	case b == nil:
		apart.Reason = "only the first has it"
		return apart
	case !slices.Equal(a.Dims, b.Dims):
		apart.Reason = fmt.Sprintf("shapes differ: %v and %v", a.Dims, b.Dims)
		return apart
	case a.DType == onnx.String || b.DType == onnx.String:
		if a.DType == b.DType && slices.Equal(a.Strings, b.Strings) {
			return Difference{Cosine: 1, Equal: true}
		}
		apart.Reason = "the texts differ"
		return apart
	case a.DType == b.DType && bytes.Equal(a.Data, b.Data):
		return Difference{Cosine: 1, Equal: true}
	}
	x, xok := a.Reals()
	y, yok := b.Reals()
	if !xok || !yok {
		apart.Reason = fmt.Sprintf("%v and %v cannot be compared", a.DType, b.DType)
		return apart
	}
	return distance(x, y, tol)
}

// distance compares two series of the same length.
func distance(x, y []float64, tol Tolerance) Difference {
	var largest, diff, dot, xx, yy float64
	for i, a := range x {
		b := y[i]
		if a == b || math.IsNaN(a) && math.IsNaN(b) {
			if !math.IsInf(a, 0) && !math.IsNaN(a) {
				largest = max(largest, math.Abs(a))
				dot, xx, yy = dot+a*b, xx+a*a, yy+b*b
			}
			continue
		}
		d := math.Abs(a - b)
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		diff = max(diff, d)
		if !math.IsInf(a, 0) && !math.IsNaN(a) {
			largest = max(largest, math.Abs(a))
		}
		dot, xx, yy = dot+a*b, xx+a*a, yy+b*b
	}
	d := Difference{MaxAbs: Real(diff), Cosine: 1, Equal: diff <= tol.Abs+tol.Rel*largest}
	switch {
	case diff == 0:
	case largest == 0:
		d.MaxRel = Real(math.Inf(1))
	default:
		d.MaxRel = Real(diff / largest)
	}
	switch {
	case xx == 0 && yy == 0:
	case xx == 0 || yy == 0:
		d.Cosine = 0
	default:
		d.Cosine = Real(dot / (math.Sqrt(xx) * math.Sqrt(yy)))
	}
	return d
}
