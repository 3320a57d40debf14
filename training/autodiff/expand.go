package autodiff

import (
	"errors"
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// maxExpansions bounds how often expressions are written out that are made of operators which are expressions again.
const maxExpansions = 8

// expand puts expressions in the place of the nodes between xs and ys whose row is one, and gives what ys and xs have
// become. A replaced node stays in the graph until nothing refers to it: sweep and RemoveUnused take it out.
func expand(g *onnx.Graph, ys, xs []*onnx.Value) (newYs, newXs []*onnx.Value, err error) {
	ys, xs = slices.Clone(ys), slices.Clone(xs)
	b := op.NewBuilder(g)
	for range maxExpansions {
		t := newTrace(g, ys, xs)
		var failed []error
		found := false
		for _, n := range t.order {
			write := rules[n.Op].expand
			if write == nil || !n.Is(n.Op) || !t.visits(n) {
				continue
			}
			found = true
			values := write(b.In("expression of "+n.String()), n)
			if err := b.TakeErr(); err != nil {
				failed = append(failed, err)
				continue
			}
			for i, v := range values {
				old := n.Output(i)
				if old == nil || v == nil {
					continue
				}
				for _, list := range [][]*onnx.Value{ys, xs} {
					for j := range list {
						if list[j] == old {
							list[j] = v
						}
					}
				}
				if err := g.ReplaceUses(old, v); err != nil {
					return nil, nil, fmt.Errorf("differentiate: expression of %v: %w", n, err)
				}
			}
		}
		if failed != nil {
			return nil, nil, fmt.Errorf("differentiate: %w", errors.Join(failed...))
		}
		if !found {
			return ys, xs, nil
		}
	}
	return nil, nil, fmt.Errorf("differentiate: expressions of expressions, more than %d deep", maxExpansions)
}
