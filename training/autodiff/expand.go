package autodiff

import (
	"fmt"
	"slices"

	"graft/onnx"
	"graft/onnx/op"
)

// maxExpansions bounds how often expressions are written out that are made of operators which are expressions again.
const maxExpansions = 8

// expand puts expressions in the place of the nodes between xs and ys whose row is one, and gives what ys and xs have
// become. A replaced node stays in the graph until nothing refers to it: sweep and RemoveUnused take it out. failed says which
// nodes have no expression, and why.
func (o Options) expand(b *op.Builder, ys, xs []*onnx.Value) (newYs, newXs []*onnx.Value, failed []error, err error) {
	ys, xs = slices.Clone(ys), slices.Clone(xs)
	g := b.Graph()
	tried := map[*onnx.Node]bool{}
	for range maxExpansions {
		t := newTrace(g, ys, xs)
		found := false
		for _, n := range t.order {
			write := o.row(n).expand
			if write == nil || tried[n] || !n.Is(n.Op) || !t.visits(n) {
				continue
			}
			found, tried[n] = true, true
			if err := absent(n); err != nil {
				failed = append(failed, err)
				continue
			}
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
					return nil, nil, failed, fmt.Errorf("expression of %v: %w", n, err)
				}
			}
		}
		if !found {
			return ys, xs, failed, nil
		}
	}
	return nil, nil, failed, fmt.Errorf("expressions of expressions, more than %d deep", maxExpansions)
}
