package diff

import "graft/onnx"

// Values are the values that paired nodes of two main graphs make, in the first one's order. Inputs count as the same in
// their order where they have other names.
func Values(a, b *onnx.Graph) [][2]*onnx.Value {
	c := comparison{report: &Report{}, digests: newDigests(), pairs: pairs{map[*onnx.Node]*onnx.Node{}, map[*onnx.Node]*onnx.Node{}}}
	c.signature(a, b)
	c.digests.graph(a)
	c.digests.graph(b)
	c.digests.match(&c.pairs, a, b)
	var list [][2]*onnx.Value
	for _, n := range a.Nodes() {
		m := c.pairs.toB[n]
		if m == nil {
			continue
		}
		for i, v := range n.Outputs() {
			if w := m.Output(i); v != nil && w != nil {
				list = append(list, [2]*onnx.Value{v, w})
			}
		}
	}
	return list
}
