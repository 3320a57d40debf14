package diff

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/op"
)

// digests are hashes of what values and nodes compute, under a seed that no file can foresee. Two of them are equal where
// the same operators with the same attributes are applied to the same inputs and weights; names do not count.
//
// The loose ones know weights by their dims alone and look through Cast and Identity, so that they are the same in a model
// that was trained further or converted to another precision.
type digests struct {
	seed   maphash.Seed
	exact  map[*onnx.Value]uint64
	loose  map[*onnx.Value]uint64
	nodes  map[*onnx.Node]hashes
	bodies map[*onnx.Graph]hashes
	inputs map[*onnx.Value]string // what a graph's input is known by in both models
}

// hashes are those of a node: by what comes before it, and by what comes behind.
type hashes struct{ exact, loose, exactBack, looseBack uint64 }

func newDigests() *digests {
	return &digests{seed: maphash.MakeSeed(), exact: map[*onnx.Value]uint64{}, loose: map[*onnx.Value]uint64{},
		nodes: map[*onnx.Node]hashes{}, bodies: map[*onnx.Graph]hashes{}, inputs: map[*onnx.Value]string{}}
}

// mix is a hash of a few words.
type mix struct{ maphash.Hash }

func (d *digests) begin(tag string) *mix {
	m := &mix{}
	m.SetSeed(d.seed)
	return m.text(tag)
}

func (m *mix) word(x uint64) *mix {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], x)
	_, _ = m.Write(b[:])
	return m
}

func (m *mix) text(s string) *mix {
	m.word(uint64(len(s)))
	_, _ = m.WriteString(s)
	return m
}

// tensor is the hash of a tensor: of its elements, or of its dims alone.
func (d *digests) tensor(t *onnx.Tensor, exact bool) uint64 {
	m := d.begin("tensor")
	if exact {
		m.word(uint64(t.DType))
	}
	for _, n := range t.Dims {
		m.word(uint64(n))
	}
	if exact {
		m.word(uint64(len(t.Data)))
		_, _ = m.Write(t.Data)
		for _, s := range t.Strings {
			m.text(string(s))
		}
	}
	return m.Sum64()
}

func (d *digests) sparse(s *onnx.SparseTensor, exact bool) uint64 {
	m := d.begin("tensor") // the loose hash is that of a dense tensor of the same dims
	if exact {
		m.text("sparse").word(d.tensor(s.Values, true)).word(d.tensor(s.Indices, true))
	}
	for _, n := range s.Dims {
		m.word(uint64(n))
	}
	return m.Sum64()
}

// graph computes the forward hashes of g's values and nodes, and of the graphs inside, and gives that of g as a whole.
func (d *digests) graph(g *onnx.Graph) hashes {
	for i, v := range g.Inputs() {
		if v.IsInitializer() {
			continue
		}
		m := d.begin("input")
		if key, ok := d.inputs[v]; ok {
			m.text(key)
		} else {
			m.word(uint64(i))
		}
		d.exact[v] = m.Sum64()
		d.loose[v] = d.exact[v]
	}
	for _, v := range g.Initializers() {
		if v.Const != nil {
			d.exact[v], d.loose[v] = d.tensor(v.Const, true), d.tensor(v.Const, false)
		} else {
			d.exact[v], d.loose[v] = d.sparse(v.Sparse, true), d.sparse(v.Sparse, false)
		}
	}
	var all hashes
	for _, n := range g.Nodes() {
		h := d.node(n)
		all.exact += h.exact
		all.loose += h.loose
	}
	exact, loose := d.begin("graph").word(all.exact), d.begin("graph").word(all.loose)
	for _, v := range g.Outputs() {
		exact.word(d.exact[v])
		loose.word(d.loose[v])
	}
	whole := hashes{exact: exact.Sum64(), loose: loose.Sum64()}
	d.bodies[g] = whole
	return whole
}

// node computes the forward hashes of a node, whose inputs have theirs, and of its outputs.
func (d *digests) node(n *onnx.Node) hashes {
	for _, sub := range n.Subgraphs() {
		d.graph(sub)
	}
	exact, loose := d.signature(n, true), d.signature(n, false)
	for _, v := range n.Inputs() {
		exact.word(d.exact[v]) // 0 for an absent one
		loose.word(d.loose[v])
	}
	h := hashes{exact: exact.Sum64(), loose: loose.Sum64()}
	d.nodes[n] = h
	for i, v := range n.Outputs() {
		if v == nil {
			continue
		}
		if t := constantOf(n); t != nil {
			d.exact[v], d.loose[v] = d.tensor(t, true), d.tensor(t, false)
			continue
		}
		d.exact[v] = d.begin("output").word(h.exact).word(uint64(i)).Sum64()
		d.loose[v] = d.begin("output").word(h.loose).word(uint64(i)).Sum64()
		if (n.Is("Cast") || n.Is("Identity")) && n.Input(0) != nil {
			d.loose[v] = d.loose[n.Input(0)]
		}
	}
	return h
}

// constantOf is the tensor that a Constant node gives; nil for any other node.
func constantOf(n *onnx.Node) *onnx.Tensor {
	if !n.Is("Constant") || n.Output(0) == nil {
		return nil
	}
	return op.ConstantOf(n.Output(0))
}

// signature begins the hash of a node with its operator and attributes.
func (d *digests) signature(n *onnx.Node, exact bool) *mix {
	m := d.begin("node").text(domainOf(n)).text(n.Op).text(n.Overload)
	attrs := slices.SortedFunc(slices.Values(n.Attrs), func(a, b onnx.Attr) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range attrs {
		if !exact && n.Is("Cast") {
			continue
		}
		m.text(a.Name).text(a.Ref)
		d.attr(m, a.Value, exact)
	}
	return m
}

// attr adds the value of an attribute to a hash.
func (d *digests) attr(m *mix, value any, exact bool) {
	switch v := value.(type) {
	case int64:
		m.text("int").word(uint64(v))
	case float32:
		m.text("float").word(uint64(math.Float32bits(v)))
	case string:
		m.text("string").text(v)
	case []int64:
		m.text("ints").word(uint64(len(v)))
		for _, x := range v {
			m.word(uint64(x))
		}
	case []float32:
		m.text("floats").word(uint64(len(v)))
		for _, x := range v {
			m.word(uint64(math.Float32bits(x)))
		}
	case []string:
		m.text("strings").word(uint64(len(v)))
		for _, s := range v {
			m.text(s)
		}
	case *onnx.Tensor:
		if v != nil {
			m.word(d.tensor(v, exact))
		}
	case []*onnx.Tensor:
		m.text("tensors").word(uint64(len(v)))
		for _, t := range v {
			m.word(d.tensor(t, exact))
		}
	case *onnx.Graph:
		d.body(m, v, exact)
	case []*onnx.Graph:
		m.text("graphs").word(uint64(len(v)))
		for _, g := range v {
			d.body(m, g, exact)
		}
	case onnx.TensorType:
		m.text(v.String())
	case onnx.Opaque:
		m.text(string(v))
	}
}

func (d *digests) body(m *mix, g *onnx.Graph, exact bool) {
	if h := d.bodies[g]; exact {
		m.word(h.exact)
	} else {
		m.word(h.loose)
	}
}

// backward adds to the hashes of g's nodes those by what comes behind: operator, attributes, weights, and for each output
// who reads it and where, up to the graph's outputs.
func (d *digests) backward(g *onnx.Graph) {
	handed := map[*onnx.Value][]uint64{}
	for i, v := range g.Outputs() {
		handed[v] = append(handed[v], uint64(i))
	}
	for _, n := range slices.Backward(g.Nodes()) {
		exact, loose := d.signature(n, true), d.signature(n, false)
		for i, v := range n.Inputs() {
			if v != nil && (v.IsInitializer() || v.Producer() != nil && v.Producer().Is("Constant")) {
				exact.word(uint64(i)).word(d.exact[v])
				loose.word(uint64(i)).word(d.loose[v])
			}
		}
		for i, v := range n.Outputs() {
			if v == nil {
				continue
			}
			var sumExact, sumLoose uint64 // the order of readers is nobody's choice
			for _, u := range v.Uses() {
				h := d.nodes[u.Node]
				sumExact += d.begin("use").word(h.exactBack).word(uint64(u.Index)).Sum64()
				sumLoose += d.begin("use").word(h.looseBack).word(uint64(u.Index)).Sum64()
			}
			exact.word(uint64(i)).word(sumExact)
			loose.word(uint64(i)).word(sumLoose)
			for _, place := range handed[v] {
				exact.text("handed").word(place)
				loose.text("handed").word(place)
			}
		}
		h := d.nodes[n]
		h.exactBack, h.looseBack = exact.Sum64(), loose.Sum64()
		d.nodes[n] = h
	}
}

func domainOf(n *onnx.Node) string {
	if n.Domain == "ai.onnx" {
		return ""
	}
	return n.Domain
}
