package diff

import (
	"graft/onnx"
)

// Report is what differs between models A and B. The JSON names are those of the command line.
//
// Equal says that both compute the same under the same signature: names of nodes, weights and values inside may differ, and
// so may what is said of the file's origin. RenamedOnly says that names, inside or of inputs and outputs, are all that
// differs, and that some do.
type Report struct {
	Equal       bool       `json:"equal"`
	RenamedOnly bool       `json:"renamed_only"`
	Model       []Change   `json:"model"`     // opsets, metadata, functions; inputs and outputs
	Notes       []Change   `json:"notes"`     // origin of the file, which Equal does not ask for
	Nodes       Counts     `json:"nodes"`     // subgraphs and functions included
	Changed     []Pair     `json:"changed"`   // nodes of both
	Removed     []Node     `json:"removed"`   // of A alone
	Added       []Node     `json:"added"`     // of B alone
	Operators   []Operator `json:"operators"` // whose number differs
	Weights     []Weight   `json:"weights"`   // that differ, or that one model has alone
	SameWeights int        `json:"same_weights"`
	Renamed     Renamed    `json:"renamed"`
}

// Change is one thing that differs. An absent side is empty.
type Change struct {
	What string `json:"what"` // "opset ai.onnx", "attribute axis", "input 1"
	A    string `json:"a"`
	B    string `json:"b"`
}

// Counts are numbers of nodes.
type Counts struct {
	A       int `json:"a"`
	B       int `json:"b"`
	Matched int `json:"matched"`
	Changed int `json:"changed"`
	Removed int `json:"removed"`
	Added   int `json:"added"`
}

// Node is a node of one model. Graph is the way to the graph that holds it, empty for the main graph.
type Node struct {
	Name  string `json:"name"`
	Op    string `json:"op"`
	Graph string `json:"graph,omitempty"`
}

// Pair is a node of both models.
type Pair struct {
	Op      string   `json:"op"`
	A       string   `json:"a"`
	B       string   `json:"b"`
	Graph   string   `json:"graph,omitempty"`
	Changes []Change `json:"changes"`
}

// Operator is how often an operator stands in each model.
type Operator struct {
	Op string `json:"op"`
	A  int    `json:"a"`
	B  int    `json:"b"`
}

// Renamed counts what has another name in B. Inputs and outputs are part of the signature; the others are not.
type Renamed struct {
	Nodes     int         `json:"nodes"`
	Values    int         `json:"values"`
	Weights   int         `json:"weights"`
	Signature [][2]string `json:"signature"` // inputs, outputs and their free dimensions
	Examples  [][2]string `json:"examples"`  // of the others
}

// Models compares two models. Neither is changed.
func Models(a, b *onnx.Model) *Report {
	r := &Report{Model: []Change{}, Notes: []Change{}, Changed: []Pair{}, Removed: []Node{}, Added: []Node{}, Operators: []Operator{},
		Weights: []Weight{}, Renamed: Renamed{Signature: [][2]string{}, Examples: [][2]string{}}}
	c := comparison{report: r, digests: newDigests(), pairs: pairs{map[*onnx.Node]*onnx.Node{}, map[*onnx.Node]*onnx.Node{}},
		weights: map[[2]*onnx.Value]bool{}, paired: map[*onnx.Value]bool{}, operators: map[string]*Operator{}}
	c.header(a, b)
	c.functions(a, b)
	if a.Graph != nil && b.Graph != nil {
		c.signature(a.Graph, b.Graph)
		c.digests.graph(a.Graph)
		c.digests.graph(b.Graph)
		c.graphs(a.Graph, b.Graph, "")
	}
	c.finish()
	same := len(r.Model)+len(r.Changed)+len(r.Removed)+len(r.Added)+len(r.Weights) == 0
	r.Equal = same && len(r.Renamed.Signature) == 0
	r.RenamedOnly = same && r.Renamed.Nodes+r.Renamed.Values+r.Renamed.Weights+len(r.Renamed.Signature) > 0
	return r
}

// comparison is the state of Models.
type comparison struct {
	report    *Report
	digests   *digests
	pairs     pairs
	weights   map[[2]*onnx.Value]bool // pairs of constants that have been compared
	paired    map[*onnx.Value]bool    // initializers in one of them
	operators map[string]*Operator
}

// operator is "Conv" or "com.microsoft::Gelu".
func operator(n *onnx.Node) string {
	name := n.Op
	if d := domainOf(n); d != "" {
		name = d + "::" + name
	}
	if n.Overload != "" {
		name += ":" + n.Overload
	}
	return name
}
