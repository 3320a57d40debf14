package diff

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
)

// attributes compares two lists of attributes by name. Graphs among them are left to others where inside is set.
func (c *comparison) attributes(a, b []onnx.Attr, inside bool) []Change {
	own := [2]map[string]*onnx.Attr{{}, {}}
	for i, list := range [][]onnx.Attr{a, b} {
		for j := range list {
			own[i][list[j].Name] = &list[j]
		}
	}
	var changes []Change
	for _, name := range keys(own[0], own[1]) {
		x, y := own[0][name], own[1][name]
		if x != nil && y != nil {
			_, graphX := x.Value.(*onnx.Graph)
			_, graphY := y.Value.(*onnx.Graph)
			if graphX && graphY && inside || c.sameAttribute(x, y) {
				continue
			}
		}
		changes = append(changes, Change{"attribute " + name, attributeText(x), attributeText(y)})
	}
	return changes
}

func (c *comparison) sameAttribute(x, y *onnx.Attr) bool {
	first, second := c.digests.begin("attribute").text(x.Ref), c.digests.begin("attribute").text(y.Ref)
	c.digests.attr(first, x.Value, true)
	c.digests.attr(second, y.Value, true)
	return first.Sum64() == second.Sum64()
}

// attributeText is the value in a few words.
func attributeText(a *onnx.Attr) string {
	if a == nil {
		return "(absent)"
	}
	if a.Ref != "" {
		return "the function's " + a.Ref
	}
	switch v := a.Value.(type) {
	case *onnx.Tensor:
		if v != nil {
			return tensorText(v)
		}
	case []*onnx.Tensor:
		return fmt.Sprintf("%d tensors", len(v))
	case *onnx.Graph:
		if v != nil {
			return fmt.Sprintf("a graph of %d nodes", v.NumNodes())
		}
	case []*onnx.Graph:
		return fmt.Sprintf("%d graphs", len(v))
	case onnx.Opaque:
		return fmt.Sprintf("%d bytes", len(v))
	}
	return fmt.Sprint(a.Value)
}

// tensorText is a small tensor's elements, or the type of a large one.
func tensorText(t *onnx.Tensor) string {
	const most = 8
	values, ok := t.Reals()
	if t.Len() > most || !ok {
		return t.Type().String()
	}
	parts := slices.Collect(func(yield func(string) bool) {
		for _, x := range values {
			if !yield(fmt.Sprintf("%g", x)) {
				return
			}
		}
	})
	return t.Type().String() + " {" + strings.Join(parts, ", ") + "}"
}
