package rewrite

import (
	"fmt"
	"strconv"

	"graft/onnx"
)

var sharePatterns = []pattern{
	{"common subexpressions", nil, 0, commonNode},
}

// commonNode lets the readers of a node read the one before it that computes the same.
func commonNode(s *site, n *onnx.Node) []*onnx.Value {
	if variable[n.Op] || len(n.Subgraphs()) > 0 {
		return nil
	}
	key := keyOf(n)
	if key == "" {
		return nil
	}
	first := s.same[key]
	if first == nil || first.Graph() != s.Graph() || first == n {
		s.same[key] = n
		return nil
	}
	for i, o := range n.Outputs() {
		if o != nil && !s.mayAlias(o, first.Output(i)) {
			return nil
		}
	}
	return first.Outputs()
}

// keyOf says what a node computes: operator, attributes, what it reads and which of its outputs it gives. Empty when it
// cannot be said.
func keyOf(n *onnx.Node) string {
	k := append([]byte(n.Op), 0)
	for _, v := range n.Inputs() {
		k = fmt.Appendf(k, "%p,", v)
	}
	for _, o := range n.Outputs() {
		k = strconv.AppendBool(k, o != nil)
	}
	for _, a := range n.Attrs { // files of one exporter list them in one order
		if a.Ref != "" {
			return ""
		}
		k = append(append(k, 0), a.Name...)
		switch v := a.Value.(type) {
		case int64, float32, string, []int64, []float32, []string:
			k = fmt.Appendf(k, "%T%q", v, fmt.Sprint(v))
		case *onnx.Tensor:
			if v == nil || v.Len() > 64 || v.Strings != nil {
				return ""
			}
			k = fmt.Appendf(k, "%v%v%x", v.DType, v.Dims, v.Data)
		default:
			return ""
		}
	}
	return string(k)
}
