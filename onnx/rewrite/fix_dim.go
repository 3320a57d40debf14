package rewrite

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/onnx/op"
)

// FixDim gives a free dimension of the inputs a size. name is its symbol, which then has that size everywhere, or INPUT:AXIS.
// What the file says of the shapes inside is inferred anew.
func FixDim(m *onnx.Model, name string, size int64) error {
	g := m.Graph
	fixed := onnx.Dim{Size: size}
	found := 0
	put := func(v *onnx.Value, axis int) {
		v.Type.Shape = slices.Clone(v.Type.Shape)
		v.Type.Shape[axis] = fixed
		found++
	}
	var symbols []string
	for _, v := range g.Inputs() {
		for i, d := range v.Type.Shape {
			switch {
			case d.Symbol != "" && d.Symbol == name:
				put(v, i)
			case d.Symbol != "":
				symbols = append(symbols, d.Symbol)
			case d == onnx.UnknownDim:
				symbols = append(symbols, fmt.Sprintf("%s:%d", v.Name, i))
			}
		}
	}
	if at := strings.LastIndex(name, ":"); found == 0 && at > 0 {
		axis, err := strconv.Atoi(name[at+1:])
		for _, v := range g.Inputs() {
			if v.Name != name[:at] || err != nil || axis < 0 || axis >= len(v.Type.Shape) {
				continue
			}
			if d := v.Type.Shape[axis]; d.Symbol != "" {
				return FixDim(m, d.Symbol, size)
			} else if d.Known() {
				return fmt.Errorf("fix %s: it is %d already", limits.Name(name), d.Size)
			}
			put(v, axis)
		}
	}
	if found == 0 {
		slices.Sort(symbols)
		return fmt.Errorf("fix %s: no input has such a free dimension: there are %s", limits.Name(name), limits.Names(slices.Compact(symbols), 8))
	}
	outputs := map[*onnx.Value]onnx.Shape{}
	for _, v := range g.Outputs() {
		s := slices.Clone(v.Type.Shape)
		for i, d := range s {
			if d.Symbol == name {
				s[i] = fixed
			}
		}
		outputs[v] = s
	}
	forgetTypes(g)
	op.InferModel(m)
	for v, s := range outputs {
		if !v.Type.Shape.Ranked() {
			v.Type.Shape = s
		}
	}
	return nil
}
