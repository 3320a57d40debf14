package layered

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestOf holds random graphs to what a layout promises: edges lead down, nodes do not overlap, all is inside the page.
func TestOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "nodes")
		sizes := make([]Size, n)
		for i := range sizes {
			sizes[i] = Size{float64(rapid.IntRange(10, 200).Draw(t, "w")), float64(rapid.IntRange(10, 60).Draw(t, "h"))}
		}
		var edges []Edge
		for range rapid.IntRange(0, 80).Draw(t, "edges") {
			a, b := rapid.IntRange(0, n-1).Draw(t, "a"), rapid.IntRange(0, n-1).Draw(t, "b")
			if a != b {
				edges = append(edges, Edge{min(a, b), max(a, b), rapid.IntRange(0, 1).Draw(t, "net")})
			}
		}
		l := Of(sizes, edges)
		for i, p := range l.Nodes {
			if math.IsNaN(p.X) || p.X-sizes[i].W/2 < -1e-6 || p.X+sizes[i].W/2 > l.Width+1e-6 || p.Y-sizes[i].H/2 < 0 || p.Y+sizes[i].H/2 > l.Height {
				t.Fatalf("node %d at %v of %v by %v", i, p, l.Width, l.Height)
			}
			for j := range i {
				q := l.Nodes[j]
				if math.Abs(p.X-q.X) < (sizes[i].W+sizes[j].W)/2-1e-6 && math.Abs(p.Y-q.Y) < (sizes[i].H+sizes[j].H)/2-1e-6 {
					t.Fatalf("nodes %d and %d overlap at %v and %v", i, j, p, q)
				}
			}
		}
		for k, e := range edges {
			path := l.Paths[k]
			if len(path) < 2 || path[0].X != l.Nodes[e.From].X || path[len(path)-1].X != l.Nodes[e.To].X {
				t.Fatalf("edge %v has the path %v", e, path)
			}
			for i := 1; i < len(path); i++ {
				if path[i].Y <= path[i-1].Y {
					t.Fatalf("edge %v leads up: %v", e, path)
				}
			}
		}
	})
}

// TestCrossings has two pairs of chains that a drawing in the order of the nodes would cross.
func TestCrossings(t *testing.T) {
	sizes := make([]Size, 8)
	for i := range sizes {
		sizes[i] = Size{50, 20}
	}
	l := Of(sizes, []Edge{{0, 3, 0}, {1, 2, 0}, {2, 5, 0}, {3, 4, 0}, {4, 6, 0}, {5, 7, 0}})
	for _, chain := range [][]int{{0, 3, 4, 6}, {1, 2, 5, 7}} {
		for _, i := range chain {
			if math.Abs(l.Nodes[i].X-l.Nodes[chain[0]].X) > 1e-6 {
				t.Errorf("chain %v bends at %d: %v", chain, i, l.Nodes)
			}
		}
	}
}

// TestCircle: what closes a circle is drawn somewhere and counts for nothing.
func TestCircle(t *testing.T) {
	if l := Of(make([]Size, 3), []Edge{{0, 1, 0}, {1, 2, 0}, {2, 1, 0}, {5, 0, 0}, {1, 1, 0}}); len(l.Paths) != 5 || len(l.Nodes) != 3 {
		t.Errorf("%+v", l)
	}
	if l := Of(nil, nil); len(l.Nodes) != 0 {
		t.Errorf("%+v", l)
	}
}

func BenchmarkOf(b *testing.B) {
	const n = 2000
	sizes, edges := make([]Size, n), []Edge{}
	for i := range sizes {
		sizes[i] = Size{80, 30}
		if i > 0 {
			edges = append(edges, Edge{i - 1 - i%3*min(i-1, 1), i, 0}, Edge{i * 7 / 8, i, 0})
		}
	}
	for b.Loop() {
		Of(sizes, edges)
	}
}
