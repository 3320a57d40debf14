package rewrite

import (
	"slices"
	"strconv"

	"graft/onnx"
)

// symbols are the names of dimensions that the parts so far have.
type symbols map[string]bool

// separate renames the symbols of part k that earlier parts have: the same symbol is the same size throughout a model, and two
// models know nothing of each other. A dimension of an input that is fed takes the symbol of what feeds it.
func (s symbols) separate(g *onnx.Graph, k int, feeds []feedOf) {
	own := symbols{}
	own.collect(g)
	by := map[string]string{}
	for _, f := range feeds {
		if f.link.To != k || len(f.in.Type.Shape) != len(f.out.Type.Shape) {
			continue
		}
		for i, d := range f.in.Type.Shape {
			if from := f.out.Type.Shape[i].Symbol; d.Symbol != "" && from != "" && by[d.Symbol] == "" {
				by[d.Symbol] = from
			}
		}
	}
	for symbol := range own {
		if by[symbol] != "" || !s[symbol] {
			continue
		}
		fresh := symbol
		for n := 1; s[fresh] || own[fresh]; n++ {
			fresh = symbol + "_" + strconv.Itoa(n)
		}
		by[symbol] = fresh
		s[fresh] = true
	}
	if len(by) > 0 {
		eachType(g, func(v *onnx.Value) {
			v.Type.Shape = slices.Clone(v.Type.Shape)
			for i := range v.Type.Shape {
				if to := by[v.Type.Shape[i].Symbol]; to != "" {
					v.Type.Shape[i].Symbol = to
				}
			}
		})
	}
	s.collect(g)
}

// collect adds the symbols of g.
func (s symbols) collect(g *onnx.Graph) {
	eachType(g, func(v *onnx.Value) {
		for _, d := range v.Type.Shape {
			if d.Symbol != "" {
				s[d.Symbol] = true
			}
		}
	})
}

// eachType calls f with every value of g, and of the graphs inside its nodes, that has a shape.
func eachType(g *onnx.Graph, f func(*onnx.Value)) {
	visit := func(v *onnx.Value) {
		if v != nil && len(v.Type.Shape) > 0 {
			f(v)
		}
	}
	for _, v := range g.Inputs() {
		visit(v)
	}
	for _, n := range g.Nodes() {
		for _, o := range n.Outputs() {
			visit(o)
		}
		for _, sub := range n.Subgraphs() {
			eachType(sub, f)
		}
	}
}
