package onnx

import (
	"slices"
	"strings"
	"testing"
)

// TestUses: the list of readers stays true and in order, whatever is taken out of it.
func TestUses(t *testing.T) {
	g := NewGraph("")
	v, w := g.AddInput("v", TypeOf(Float, 1)), g.AddInput("w", TypeOf(Float, 1))
	want := map[*Value][]Use{}
	var nodes []*Node
	read := func(x *Value, n *Node, i int) {
		for _, y := range []*Value{v, w} {
			want[y] = slices.DeleteFunc(want[y], func(u Use) bool { return u == Use{n, i} })
		}
		n.SetInput(i, x)
		if x != nil {
			want[x] = append(want[x], Use{n, i})
		}
	}
	for i := range 50 {
		n := g.Add("Add", nil, 1)
		nodes = append(nodes, n)
		read(v, n, 0)
		read([]*Value{v, w, nil}[i%3], n, 1)
	}
	for i, n := range nodes {
		read([]*Value{w, nil, v}[i%3], n, i%2)
		if i%5 == 0 {
			read(v, n, 2)
		}
		for _, x := range []*Value{v, w} {
			if got := x.Uses(); !slices.Equal(got, want[x]) || x.NumUses() != len(got) {
				t.Fatalf("after node %d: %d uses of %s, want %d", i, x.NumUses(), x.Name, len(want[x]))
			}
		}
	}
}

// TestRemove: nodes that are removed one by one are gone, and the others keep their order.
func TestRemove(t *testing.T) {
	g := NewGraph("")
	x := g.AddInput("x", TypeOf(Float, 1))
	var kept, removed []*Node
	for i := range 100 {
		n := g.Add("Relu", []*Value{x}, 1)
		if i%7 == 0 {
			kept = append(kept, n)
		} else {
			removed = append(removed, n)
		}
	}
	for i, n := range removed {
		if err := g.Remove(n); err != nil {
			t.Fatal(err)
		}
		if got := len(g.Nodes()); got != 99-i {
			t.Fatalf("%d nodes after %d were removed", got, i+1)
		}
	}
	last := g.Add("Neg", []*Value{x}, 1)
	if got := g.Nodes(); !slices.Equal(got, append(kept, last)) || x.NumUses() != len(got) {
		t.Errorf("%d nodes and %d uses are left, want %d", len(got), x.NumUses(), len(kept)+1)
	}
	if err := g.Remove(removed[0]); err == nil {
		t.Error("a node was removed twice")
	}
}

// TestRemoveUnusedKeepsHandedOut: a value that nothing reads but that a branch gives out as its output is used.
func TestRemoveUnusedKeepsHandedOut(t *testing.T) {
	g := NewGraph("")
	x, c := g.AddInput("x", TypeOf(Float, 1)), g.AddInput("c", TypeOf(Bool))
	y := g.Add("Relu", []*Value{x}, 1).Output(0)
	w := g.AddInitializer("w", FromSlice([]float32{1}))
	branches := []*Graph{NewGraph("a"), NewGraph("b")}
	branches[0].AddOutput(y, "")
	branches[1].AddOutput(w, "")
	n := g.Add("If", []*Value{c}, 1, Attr{Name: "then_branch", Value: branches[0]}, Attr{Name: "else_branch", Value: branches[1]})
	g.AddOutput(n.Output(0), "z")
	if nodes, initializers := g.RemoveUnused(); nodes != 0 || initializers != 0 {
		t.Errorf("%d nodes and %d initializers were removed", nodes, initializers)
	}
}

func TestOrderByDepth(t *testing.T) {
	g := NewGraph("order")
	x := g.AddInput("x", TypeOf(Float, 2))
	add := func(name string, in ...*Value) *Value {
		v := g.Add("Add", in, 1).Output(0)
		v.Name = name
		return v
	}
	a := add("a", x, x)
	b := add("b", a, a)
	c := add("c", b, b)
	mask := add("mask", a, x)
	late := add("late", x, x)
	y := add("y", c, mask)
	g.AddOutput(add("z", y, late), "")
	var first []string
	for range 2 { // the second time nothing moves
		g.OrderByDepth()
		var names []string
		for _, n := range g.Nodes() {
			names = append(names, n.Output(0).Name)
		}
		if got, want := strings.Join(names, " "), "a late b mask c y z"; got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
		if first == nil {
			first = names
		}
	}
	if n := g.Add("Add", []*Value{x, x}, 1); g.Nodes()[len(first)] != n {
		t.Error("a node that is added afterwards is not the last")
	}
}
