package onnx

// Declare makes m import an opset of the default domain and gives it the oldest version of the file format that has both that
// opset and what the graph holds, from 4 on, with which initializers need not be inputs. Functions and element types are taken
// to be no younger than the opset.
func (m *Model) Declare(opset int64) {
	m.SetOpset("", opset)
	m.IRVersion = irOfOpset(opset)
	if m.Graph != nil && m.Graph.remarked() {
		m.IRVersion = max(m.IRVersion, 10)
	}
}

// irOfOpset is the version of the file format that came with an opset of the default domain.
func irOfOpset(opset int64) int64 {
	switch {
	case opset <= 9:
		return 4
	case opset <= 10:
		return 5
	case opset <= 11:
		return 6
	case opset <= 14:
		return 7
	case opset <= 18:
		return 8
	case opset <= 20:
		return 9
	case opset <= 22:
		return 10
	case opset <= 23:
		return 11
	case opset <= 24:
		return 12
	}
	return 13
}

// remarked reports whether g, a node or a graph inside it carries metadata, as files do from version 10 of the format on.
func (g *Graph) remarked() bool {
	if len(g.Metadata) > 0 {
		return true
	}
	for _, n := range g.live() {
		if len(n.Metadata) > 0 {
			return true
		}
		for _, sub := range n.Subgraphs() {
			if sub.remarked() {
				return true
			}
		}
	}
	return false
}
