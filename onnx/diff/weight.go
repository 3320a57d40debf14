package diff

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"

	"graft/onnx"
)

// Weight is a constant that differs, or that one model has alone. Norms are Euclidean: of A's elements, B's, and their
// difference where the dims agree. Changed counts elements that differ.
type Weight struct {
	A        string `json:"a"` // name; empty where A has it not
	B        string `json:"b"`
	TypeA    string `json:"type_a,omitempty"` // "float [64 3 7 7]"
	TypeB    string `json:"type_b,omitempty"`
	NormA    Real   `json:"norm_a"`
	NormB    Real   `json:"norm_b"`
	NormDiff Real   `json:"norm_diff"` // null where they cannot be subtracted
	MaxAbs   Real   `json:"max_abs"`
	Changed  int64  `json:"changed"`
	Total    int64  `json:"total"` // elements
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

// weight compares two constants, once.
func (c *comparison) weight(v, w *onnx.Value, t, u *onnx.Tensor) {
	if c.weights[[2]*onnx.Value{v, w}] {
		return
	}
	c.weights[[2]*onnx.Value{v, w}] = true
	again := c.paired[v] || c.paired[w]
	c.paired[v], c.paired[w] = true, true
	if v.Const != nil && w.Const != nil && !again {
		c.rename(&c.report.Renamed.Weights, v.Name, w.Name)
	}
	if t.DType == u.DType && slices.Equal(t.Dims, u.Dims) && bytes.Equal(t.Data, u.Data) && slices.Equal(t.Strings, u.Strings) {
		c.report.SameWeights++
		return
	}
	c.report.Weights = append(c.report.Weights, distance(v.Name, w.Name, t, u))
}

// sparseWeight compares two sparse initializers by their parts.
func (c *comparison) sparseWeight(v, w *onnx.Value) {
	if c.weights[[2]*onnx.Value{v, w}] {
		return
	}
	c.weights[[2]*onnx.Value{v, w}] = true
	c.paired[v], c.paired[w] = true, true
	c.rename(&c.report.Renamed.Weights, v.Name, w.Name)
	if c.digests.exact[v] == c.digests.exact[w] {
		c.report.SameWeights++
		return
	}
	d := distance(v.Name, w.Name, v.Sparse.Values, w.Sparse.Values)
	d.TypeA, d.TypeB = "sparse "+v.Type.String(), "sparse "+w.Type.String()
	c.report.Weights = append(c.report.Weights, d)
}

// loneWeights lists the initializers that no pair of nodes has brought together: those of one name are compared, the others
// one model has alone. Initializers that nothing reads are no part of what is computed.
func (c *comparison) loneWeights(a, b *onnx.Graph) {
	byName := map[string]*onnx.Value{}
	for _, w := range b.Initializers() {
		if !c.paired[w] {
			byName[w.Name] = w
		}
	}
	for _, v := range a.Initializers() {
		if c.paired[v] {
			continue
		}
		if w := byName[v.Name]; w != nil && v.Const != nil && w.Const != nil && v.Const.DType == w.Const.DType &&
			slices.Equal(v.Const.Dims, w.Const.Dims) {
			c.weight(v, w, v.Const, w.Const)
			continue
		}
		if v.NumUses() > 0 {
			c.report.Weights = append(c.report.Weights, lone(v, true))
		}
	}
	for _, w := range b.Initializers() {
		if !c.paired[w] && w.NumUses() > 0 {
			c.report.Weights = append(c.report.Weights, lone(w, false))
		}
	}
}

// lone is the row of a weight that one model has alone.
func lone(v *onnx.Value, first bool) Weight {
	t := v.Const
	if t == nil {
		t = v.Sparse.Values
	}
	values, ok := t.Reals()
	norm := Real(math.NaN())
	if ok {
		norm = Real(euclid(values))
	}
	w := Weight{NormDiff: Real(math.NaN()), MaxAbs: Real(math.NaN()), Changed: t.Len(), Total: t.Len(), NormA: norm, NormB: Real(math.NaN()),
		A: v.Name, TypeA: v.Type.String()}
	if !first {
		w.A, w.TypeA, w.B, w.TypeB, w.NormA, w.NormB = "", "", v.Name, v.Type.String(), w.NormB, norm
	}
	return w
}

// distance is the row of a weight of both.
func distance(a, b string, t, u *onnx.Tensor) Weight {
	nan := Real(math.NaN())
	w := Weight{A: a, B: b, TypeA: t.Type().String(), TypeB: u.Type().String(), NormA: nan, NormB: nan, NormDiff: nan, MaxAbs: nan,
		Changed: max(t.Len(), u.Len()), Total: max(t.Len(), u.Len())}
	x, xok := t.Reals()
	y, yok := u.Reals()
	if xok {
		w.NormA = Real(euclid(x))
	}
	if yok {
		w.NormB = Real(euclid(y))
	}
	if !xok || !yok || !slices.Equal(t.Dims, u.Dims) || len(x) != len(y) {
		return w
	}
	w.Changed, w.MaxAbs = 0, 0
	for i := range x {
		d := math.Abs(x[i] - y[i])
		if x[i] == y[i] || math.IsNaN(x[i]) && math.IsNaN(y[i]) {
			x[i] = 0
			continue
		}
		w.Changed++
		w.MaxAbs = max(w.MaxAbs, Real(d))
		x[i] = d
	}
	w.NormDiff = Real(euclid(x))
	return w
}

func euclid(values []float64) float64 {
	sum := 0.0
	for _, x := range values {
		sum += x * x
	}
	return math.Sqrt(sum)
}
