package op

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
)

// inferEinsum reads the equation: a letter an axis, "..." for axes that broadcast, "->" before the output. Without an
// output the letters that occur once follow in alphabetical order.
func inferEinsum(n *onnx.Node) ([]onnx.TensorType, error) {
	d, err := sameTypes(n, 0, n.NumInputs())
	if err != nil {
		return nil, err
	}
	equation := strings.ReplaceAll(onnx.AttrOr(n, "equation", ""), " ", "")
	if len(equation) > 4096 {
		return nil, fmt.Errorf("equation of %d characters", len(equation))
	}
	left, right, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if len(terms) != n.NumInputs() {
		return nil, fmt.Errorf("equation %q has %d terms for %d inputs", equation, len(terms), n.NumInputs())
	}
	dims, count := map[rune]onnx.Dim{}, map[rune]int{}
	rest, ranked := onnx.NewShape(), true // what "..." stands for
	behind := -1                          // how many axes
	for i, term := range terms {
		x := shapeOf(n, i)
		letters, dots, err := einsumTerm(term)
		if err != nil {
			return nil, fmt.Errorf("equation %q: %w", equation, err)
		}
		for _, l := range letters {
			count[l]++
			if _, ok := dims[l]; !ok {
				dims[l] = size(1)
			}
		}
		if !x.Ranked() {
			for _, l := range letters {
				dims[l], _ = broadcastDim(dims[l], onnx.UnknownDim)
			}
			ranked = ranked && dots < 0
			continue
		}
		hidden := len(x) - len(letters)
		if hidden < 0 || (hidden > 0 && dots < 0) {
			return nil, fmt.Errorf("equation %q: term %q for rank %d", equation, term, len(x))
		}
		for j, l := range letters {
			at := j
			if dots >= 0 && j >= dots {
				at += hidden
			}
			m, ok := broadcastDim(dims[l], x[at])
			if !ok {
				return nil, fmt.Errorf("equation %q: axis %c is %v and %v", equation, l, dims[l], x[at])
			}
			dims[l] = m
		}
		if dots >= 0 {
			if behind >= 0 && hidden != behind {
				return nil, fmt.Errorf("equation %q: ... is %d axes and %d", equation, behind, hidden)
			}
			behind = hidden
			if rest, err = broadcastShapes(rest, x[dots:dots+hidden]); err != nil {
				return nil, err
			}
		}
	}
	if !explicit {
		var once []rune
		for l, c := range count {
			if c == 1 {
				once = append(once, l)
			}
		}
		slices.Sort(once)
		right = string(once)
		if strings.Contains(left, "...") {
			right = "..." + right
		}
	}
	letters, dots, err := einsumTerm(right)
	if err != nil {
		return nil, fmt.Errorf("equation %q: %w", equation, err)
	}
	if dots >= 0 && !ranked {
		return one(d, nil), nil
	}
	s := onnx.NewShape()
	for j := 0; j <= len(letters); j++ {
		if j == dots {
			s = append(s, rest...)
		}
		if j < len(letters) {
			dim, ok := dims[letters[j]]
			if !ok {
				return nil, fmt.Errorf("equation %q: no input has axis %c", equation, letters[j])
			}
			s = append(s, dim)
		}
	}
	return one(d, s), nil
}

// einsumTerm splits a term into its letters and the place of "..." among them, -1 when there is none.
func einsumTerm(term string) (letters []rune, dots int, err error) {
	dots = -1
	if i := strings.Index(term, "..."); i >= 0 {
		dots = i
		term = term[:i] + term[i+3:]
	}
	for _, l := range term {
		if (l < 'a' || l > 'z') && (l < 'A' || l > 'Z') {
			return nil, 0, fmt.Errorf("%q is not an axis", l)
		}
		letters = append(letters, l)
	}
	return letters, dots, nil
}
