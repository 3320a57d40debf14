package masking

import (
	"slices"

	"graft/onnx"
)

// Role is what a parameter does with a channel.
type Role uint8

// Roles. Filter to Shift make the channel; Reader is what is multiplied with it.
const (
	Filter Role = iota // weights that the channel is a product of
	Bias               // what is added to that product
	Scale              // what the channel is multiplied with, as by a norm
	Shift              // what is added to it, as by a norm
	Reader             // weights of the nodes that read it
)

// Member is what one parameter has of a group's channels.
type Member struct {
	Parameter string
	Dims      []int64
	Axis      int
	Role      Role
	At        [][]int // for every channel the positions along Axis: several where a channel has several places, as behind a Flatten
}

// Group is channels that can go one by one, each with all that makes it and all that reads it: where values meet in a sum, a
// product or a depthwise convolution, the channels of all of them. When the slices of a channel are zero in every member,
// nothing that the network computes depends on it, and Compact takes it out.
type Group struct {
	Name    string // of the first parameter that makes the channels, or of the graph input that they are of
	Count   int
	Members []Member
	Heads   bool     // the channels are heads of attention, each of several positions of the projections
	Inputs  []string // graph inputs that the channels are of, or are added to
}

// Groups finds the channels that can go from a graph whose types have been inferred, by the rules that Compact goes by. What
// meets an operator without a rule stays whole and is in no group, and so is what the graph hands out. The channels of graph
// inputs stay too, but for those named: CompactInputs cuts them.
//
// Groups are in the order of the nodes that make them. The graph stays as it is.
func Groups(g *onnx.Graph, inputs ...string) []*Group {
	g, _ = g.Clone()
	g.RemoveUnused()
	nodes := g.Nodes()
	j := &joiner{compactor: newCompactor(g, nodes, false), first: map[*onnx.Value]int{}}
	for _, v := range g.Inputs() {
		if v.IsInitializer() || !slices.Contains(inputs, v.Name) {
			j.fix(v)
			continue
		}
		for i := range j.of(v).count() {
			j.slots = append(j.slots, slot{j.at(v, i), part{value: v, role: given}, i})
		}
	}
	for _, v := range g.Outputs() {
		j.fix(v)
	}
	for _, n := range nodes {
		j.rules[n].join(j, n)
	}
	return j.groups()
}

// Elements calls f with the flat index of every element of the member that belongs to channel i.
func (m *Member) Elements(i int, f func(element int)) {
	outer, inner := around(m.Dims, m.Axis)
	for o := range outer {
		for _, at := range m.At[i] {
			from := (o*int(m.Dims[m.Axis]) + at) * inner
			for e := range inner {
				f(from + e)
			}
		}
	}
}
