package layered

import "slices"

// Size is what room a node takes.
type Size struct{ W, H float64 }

// Edge leads from one node to another, which stands below it. Net tells edges that carry the same thing: those of one
// source and net share their bends.
type Edge struct{ From, To, Net int }

// Point is a place. Of a node it is the middle.
type Point struct{ X, Y float64 }

// Layout is where everything stands. Paths has a list of points for each edge: from the source's lower side through the
// bends to the target's upper side.
type Layout struct {
	Nodes         []Point
	Paths         [][]Point
	Width, Height float64
}

// Room between things.
const (
	gapX     = 18 // between nodes of a rank
	gapY     = 34 // between ranks
	bendWide = 10 // what a bend takes
	margin   = 20
)

// Of lays out a graph. Edges are given in an order that need not be any; one that would close a circle is drawn, but counts
// for nothing.
func Of(sizes []Size, edges []Edge) Layout {
	d := newDrawing(sizes, edges)
	d.rank()
	d.bend()
	d.order()
	d.place()
	return d.layout(edges)
}

// cell is a node, or a bend of an edge at a rank between.
type cell struct {
	w, h       float64
	rank, slot int
	x          float64
	node       bool
	up, down   []int // cells at the ranks next to it
}

type drawing struct {
	n     int // nodes; cells from n on are bends
	cells []cell
	edges []Edge // those that lead down
	ranks [][]int
	bends map[[2]int][]int // of a source and a net: the bends, rank by rank
}

func newDrawing(sizes []Size, edges []Edge) *drawing {
	d := &drawing{n: len(sizes), cells: make([]cell, len(sizes)), bends: map[[2]int][]int{}}
	for i, s := range sizes {
		d.cells[i] = cell{w: s.W, h: s.H, node: true}
	}
	for _, e := range edges {
		if e.From >= 0 && e.To >= 0 && e.From < d.n && e.To < d.n && e.From != e.To {
			d.edges = append(d.edges, e)
		}
	}
	return d
}

// rank puts every node below all that lead to it, and sources right above the first that they lead to.
func (d *drawing) rank() {
	in, out := make([]int, d.n), make([][]int, d.n)
	for _, e := range d.edges {
		in[e.To]++
		out[e.From] = append(out[e.From], e.To)
	}
	var sources, queue []int
	for i := range d.n {
		if in[i] == 0 {
			sources = append(sources, i)
		}
	}
	queue = append(queue, sources...)
	done := make([]bool, d.n)
	for len(queue) > 0 {
		i := queue[0]
		queue, done[i] = queue[1:], true
		for _, to := range out[i] {
			d.cells[to].rank = max(d.cells[to].rank, d.cells[i].rank+1)
			if in[to]--; in[to] == 0 {
				queue = append(queue, to)
			}
		}
	}
	d.edges = slices.DeleteFunc(d.edges, func(e Edge) bool { return !done[e.From] || !done[e.To] }) // circles
	for _, i := range sources {
		first := -1
		for _, to := range out[i] {
			if r := d.cells[to].rank; first < 0 || r < first {
				first = r
			}
		}
		if first > 0 {
			d.cells[i].rank = first - 1
		}
	}
}

// mostBends bounds what very long edges cost; those beyond are drawn straight.
const mostBends = 200_000

// bend gives edges over several ranks a bend at each of them, and enters who is next to whom.
func (d *drawing) bend() {
	furthest := map[[2]int]int{}
	for _, e := range d.edges {
		key := [2]int{e.From, e.Net}
		furthest[key] = max(furthest[key], d.cells[e.To].rank)
	}
	join := func(up, down int) {
		d.cells[up].down = append(d.cells[up].down, down)
		d.cells[down].up = append(d.cells[down].up, up)
	}
	for _, e := range d.edges {
		key := [2]int{e.From, e.Net}
		from := d.cells[e.From].rank
		if _, made := d.bends[key]; !made {
			var chain []int
			last := e.From
			if need := furthest[key] - from - 1; need > 0 && len(d.cells)-d.n+need <= mostBends {
				for r := from + 1; r < furthest[key]; r++ {
					d.cells = append(d.cells, cell{w: bendWide, rank: r})
					join(last, len(d.cells)-1)
					last = len(d.cells) - 1
					chain = append(chain, last)
				}
			}
			d.bends[key] = chain
		}
		above := e.From
		if between := d.cells[e.To].rank - from - 1; between > 0 {
			if len(d.bends[key]) < between {
				continue // straight
			}
			above = d.bends[key][between-1]
		}
		join(above, e.To)
	}
	for i := range d.cells {
		c := &d.cells[i]
		for len(d.ranks) <= c.rank {
			d.ranks = append(d.ranks, nil)
		}
	}
}

// layout collects the result.
func (d *drawing) layout(edges []Edge) Layout {
	l := Layout{Nodes: make([]Point, d.n), Paths: make([][]Point, len(edges))}
	left, right := 0.0, 0.0
	for i, c := range d.cells {
		if i == 0 || c.x-c.w/2 < left {
			left = c.x - c.w/2
		}
		right = max(right, c.x+c.w/2)
	}
	y := make([]float64, len(d.ranks)) // middle of each rank
	top := float64(margin)
	for r, row := range d.ranks {
		h := 0.0
		for _, i := range row {
			h = max(h, d.cells[i].h)
		}
		y[r] = top + h/2
		top += h + gapY
	}
	at := func(i int) Point { return Point{d.cells[i].x - left + margin, y[d.cells[i].rank]} }
	for i := range d.n {
		l.Nodes[i] = at(i)
	}
	for k, e := range edges {
		if e.From < 0 || e.To < 0 || e.From >= d.n || e.To >= d.n {
			continue
		}
		from, to := at(e.From), at(e.To)
		from.Y += d.cells[e.From].h / 2
		to.Y -= d.cells[e.To].h / 2
		path := []Point{from}
		if chain := d.bends[[2]int{e.From, e.Net}]; len(chain) >= d.cells[e.To].rank-d.cells[e.From].rank-1 {
			for _, i := range chain[:max(0, d.cells[e.To].rank-d.cells[e.From].rank-1)] {
				path = append(path, at(i))
			}
		}
		l.Paths[k] = append(path, to)
	}
	l.Width, l.Height = right-left+2*margin, top-gapY+margin
	return l
}
