package masking

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
)

// joiner finds which channels of all values go together: a union-find over the channels of values, with the slices of parameters
// that belong to them.
type joiner struct {
	*compactor
	first  map[*onnx.Value]int // the number of a value's channel 0
	parent []int32
	fixed  []bool // of a root: the channel stays
	slots  []slot
	heads  []int // channels that are heads of attention
}

// part is an axis of a parameter, or of a graph input, and what it is for.
type part struct {
	value *onnx.Value
	axis  int
	role  Role
}

// given is the role of a graph input's channels.
const given Role = 255

// slot says that a position of a part belongs to a channel.
type slot struct {
	channel  int
	part     part
	position int
}

// at is the number of a value's channel.
func (j *joiner) at(v *onnx.Value, i int) int {
	first, seen := j.first[v]
	if !seen {
		first = len(j.parent)
		j.first[v] = first
		for range j.of(v).count() {
			j.parent = append(j.parent, int32(len(j.parent)))
			j.fixed = append(j.fixed, false)
		}
	}
	return first + i
}

func (j *joiner) root(i int) int {
	for int(j.parent[i]) != i {
		j.parent[i] = j.parent[j.parent[i]]
		i = int(j.parent[i])
	}
	return i
}

func (j *joiner) unite(a, b int) {
	a, b = j.root(a), j.root(b)
	if a == b {
		return
	}
	a, b = min(a, b), max(a, b)
	j.parent[b] = int32(a)
	j.fixed[a] = j.fixed[a] || j.fixed[b]
}

// fix keeps all channels of a value.
func (j *joiner) fix(v *onnx.Value) {
	for i := range j.of(v).count() {
		j.fixed[j.root(j.at(v, i))] = true
	}
}

// same unites the channels of two values one by one.
func (j *joiner) same(a, b *onnx.Value) {
	for i := range min(j.of(a).count(), j.of(b).count()) {
		j.unite(j.at(a, i), j.at(b, i))
	}
}

// slot enters that position i of a parameter's axis belongs to channel i of v, for every channel.
func (j *joiner) slot(parameter *onnx.Value, axis int, role Role, v *onnx.Value) {
	for i := range j.of(v).count() {
		j.slots = append(j.slots, slot{j.at(v, i), part{parameter, axis, role}, i})
	}
}

// groups gathers the channels that may go by the parts that they have: those of the same parts, as many positions in each, are a group.
func (j *joiner) groups() []*Group {
	channels, order := map[int][]slot{}, []int(nil)
	for _, s := range j.slots {
		root := j.root(s.channel)
		if j.fixed[root] {
			continue
		}
		if channels[root] == nil {
			order = append(order, root)
		}
		channels[root] = append(channels[root], s)
	}
	numbers := map[part]int{}
	for _, s := range j.slots {
		if _, seen := numbers[s.part]; !seen {
			numbers[s.part] = len(numbers)
		}
	}
	var list []*Group
	by := map[string]*Group{}
	heads := map[int]bool{}
	for _, i := range j.heads {
		heads[j.root(i)] = true
	}
	for _, root := range order {
		of := channels[root]
		slices.SortFunc(of, func(a, b slot) int {
			return cmp.Or(cmp.Compare(numbers[a.part], numbers[b.part]), cmp.Compare(a.position, b.position))
		})
		if !slices.ContainsFunc(of, func(s slot) bool { return s.part.role == Filter || s.part.role == given }) {
			continue // nothing that can be taken away makes it
		}
		var key strings.Builder
		for _, s := range of {
			fmt.Fprint(&key, numbers[s.part], " ")
		}
		g := by[key.String()]
		if g == nil {
			g = &Group{Heads: heads[root]}
			by[key.String()] = g
			list = append(list, g)
		}
		g.add(of)
	}
	return list
}

// add appends a channel whose slots are ordered by their part, in the same order for every channel.
func (g *Group) add(of []slot) {
	g.Count++
	var m *Member
	next := 0
	for i, s := range of {
		v := s.part.value
		if s.part.role == given {
			if g.Count == 1 {
				g.Inputs = append(g.Inputs, v.Name)
			}
			continue
		}
		if i == 0 || s.part != of[i-1].part {
			if g.Count == 1 {
				g.Members = append(g.Members, Member{Parameter: v.Name, Dims: slices.Clone(v.Const.Dims), Axis: s.part.axis, Role: s.part.role})
			}
			m = &g.Members[next]
			next++
			m.At = append(m.At, nil)
		}
		m.At[g.Count-1] = append(m.At[g.Count-1], s.position)
	}
	if g.Name == "" {
		g.Name = g.name()
	}
}

func (g *Group) name() string {
	for _, m := range g.Members {
		if m.Role == Filter {
			return m.Parameter
		}
	}
	if len(g.Inputs) > 0 {
		return g.Inputs[0]
	}
	return g.Members[0].Parameter
}
