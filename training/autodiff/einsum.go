package autodiff

import (
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// y = sum over products of x1, x2, ...: dxi = the same sum with dy in the place of xi and xi's axes as the result's. An axis
// that neither dy nor another operand has was summed over for xi alone: all its elements have the same cotangent. Where a
// letter stands twice in a term, only the diagonal has one.
func gradEinsum(b *Builder, n *onnx.Node, dy []*onnx.Value) []*onnx.Value {
	terms, result, err := op.EinsumTerms(n)
	if err != nil {
		b.Fail("%w", err)
		return nil
	}
	out := make([]*onnx.Value, len(terms))
	for i, term := range terms {
		if !b.Wants(i) {
			continue
		}
		operands, letters := []*onnx.Value{dy[0]}, [][]rune{result}
		for j, x := range n.Inputs() {
			if j != i {
				operands, letters = append(operands, x), append(letters, terms[j])
			}
		}
		out[i] = b.einsumInput(n.Input(i), term, operands, letters)
	}
	return out
}

// einsumInput is the cotangent of the operand x, whose axes are a term, from dy and the other operands.
func (b *Builder) einsumInput(x *onnx.Value, term []rune, operands []*onnx.Value, letters [][]rune) *onnx.Value {
	var there, missing []rune // the term's letters, each once, that the others have or have not
	for i, l := range term {
		switch has := slices.ContainsFunc(letters, func(t []rune) bool { return slices.Contains(t, l) }); {
		case slices.Contains(term[:i], l):
		case has:
			there = append(there, l)
		default:
			missing = append(missing, l)
		}
	}
	parts := make([]string, len(letters))
	for i, t := range letters {
		parts[i] = string(t)
	}
	d := operands[0]
	if len(operands) > 1 || !slices.Equal(there, letters[0]) {
		d = b.Einsum(strings.Join(parts, ",")+"->"+string(there), operands...)
	}
	var axes []int64 // of the term: those that d has not, because their letters are missing or have been there before
	var twice [][2]int
	for i, l := range term {
		switch before := slices.Index(term[:i], l); {
		case before >= 0:
			axes, twice = append(axes, int64(i)), append(twice, [2]int{before, i})
		case slices.Contains(missing, l):
			axes = append(axes, int64(i))
		}
	}
	if len(axes) > 0 {
		d = b.Unsqueeze(d, axes...)
	}
	for _, pair := range twice {
		d = b.Mul(d, b.diagonal(x, pair[0], pair[1]))
	}
	return b.reduceTo(b.spread1(d, x), x)
}

// spread1 broadcasts d along the axes where its size is, or may be, 1 and x's larger.
func (b *Builder) spread1(d, x *onnx.Value) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	one := onnx.Dim{Size: 1}
	for i, dim := range x.Type.Shape {
		got := d.Type.Shape[i]
		same := got == dim && dim != onnx.UnknownDim
		if !same && dim != one && (got == one || !got.Known()) {
			return b.Expand(d, b.shapeOf(x))
		}
	}
	return d
}

// diagonal is 1 where two axes of x have the same place and 0 elsewhere, of size 1 along the other axes.
func (b *Builder) diagonal(x *onnx.Value, first, second int) *onnx.Value {
	if b.Err() != nil {
		return nil
	}
	numbers := func(axis int) *onnx.Value {
		dims := make([]int64, len(x.Type.Shape))
		for i := range dims {
			dims[i] = 1
		}
		dims[axis] = -1
		return b.Reshape(b.iota(b.size(x, axis)), dims...)
	}
	return b.castLike(b.Equal(numbers(first), numbers(second)), x)
}
