package op

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
)

// Einsum adds up products of the inputs' elements as the equation says: "ij,jk->ik".
func (b *Builder) Einsum(equation string, xs ...*onnx.Value) *onnx.Value {
	return b.node("Einsum", xs, onnx.Str("equation", equation))
}

// EinsumTerms gives the letters of each input and of the output of an Einsum, one an axis: letters of their own stand for
// the axes behind "...", and the output's are there when the equation leaves them out. The inputs' ranks must be known.
func EinsumTerms(n *onnx.Node) (in [][]rune, out []rune, err error) {
	equation := strings.ReplaceAll(onnx.AttrOr(n, "equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(terms) != n.NumInputs() {
		return nil, nil, fmt.Errorf("equation %q has %d terms for %d inputs", equation, len(terms), n.NumInputs())
	}
	count := map[rune]int{}
	places, hidden := make([]int, len(terms)), make([]int, len(terms))
	for i, term := range terms {
		letters, dots, err := einsumTerm(term)
		if err != nil {
			return nil, nil, fmt.Errorf("equation %q: %w", equation, err)
		}
		for _, l := range letters {
			count[l]++
		}
		rank := len(shapeOf(n, i))
		hidden[i] = rank - len(letters)
		if !shapeOf(n, i).Ranked() || hidden[i] < 0 || hidden[i] > 0 && dots < 0 {
			return nil, nil, fmt.Errorf("equation %q: term %q for shape %v", equation, term, shapeOf(n, i))
		}
		in, places[i] = append(in, letters), dots
	}
	rest := freeLetters(count, slices.Max(hidden))
	if len(rest) < slices.Max(hidden) {
		return nil, nil, fmt.Errorf("equation %q has more axes than there are letters", equation)
	}
	for i := range in {
		if places[i] >= 0 {
			in[i] = slices.Insert(in[i], places[i], rest[len(rest)-hidden[i]:]...)
		}
	}
	if !explicit {
		for l, c := range count {
			if c == 1 {
				out = append(out, l)
			}
		}
		slices.Sort(out)
		if strings.Contains(left, "...") {
			out = append(slices.Clone(rest), out...)
		}
		return in, out, nil
	}
	out, dots, err := einsumTerm(right)
	if err != nil {
		return nil, nil, fmt.Errorf("equation %q: %w", equation, err)
	}
	if dots >= 0 {
		out = slices.Insert(out, dots, rest...)
	}
	return in, out, nil
}

// freeLetters lists letters that are not taken, as many of the wanted as there are.
func freeLetters(taken map[rune]int, wanted int) []rune {
	var free []rune
	for _, l := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		if taken[l] == 0 && len(free) < wanted {
			free = append(free, l)
		}
	}
	return free
}
