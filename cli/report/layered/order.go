package layered

import (
	"cmp"
	"slices"
)

const sweeps = 12

// order puts the cells of each rank in an order with few crossings: first as a walk from the top meets them, then rank by
// rank by the mean place of their neighbours, down and up in turn; the best order seen stays.
func (d *drawing) order() {
	d.walk()
	best := d.crossings()
	kept := d.slots()
	for i := range sweeps {
		if best == 0 {
			break
		}
		if i%2 == 0 {
			for r := 1; r < len(d.ranks); r++ {
				d.sortRank(r, func(c *cell) []int { return c.up })
			}
		} else {
			for r := len(d.ranks) - 2; r >= 0; r-- {
				d.sortRank(r, func(c *cell) []int { return c.down })
			}
		}
		if n := d.crossings(); n < best {
			best, kept = n, d.slots()
		}
	}
	for i, s := range kept {
		d.cells[i].slot = s
	}
	for _, row := range d.ranks {
		slices.SortFunc(row, func(a, b int) int { return d.cells[a].slot - d.cells[b].slot })
	}
}

// walk enters every cell into its rank, depth first from the top.
func (d *drawing) walk() {
	seen := make([]bool, len(d.cells))
	var stack []int
	roots := make([]int, len(d.cells))
	for i := range roots {
		roots[i] = i
	}
	slices.SortStableFunc(roots, func(a, b int) int { return d.cells[a].rank - d.cells[b].rank })
	for _, root := range roots {
		stack = append(stack[:0], root)
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if seen[i] {
				continue
			}
			seen[i] = true
			c := &d.cells[i]
			c.slot = len(d.ranks[c.rank])
			d.ranks[c.rank] = append(d.ranks[c.rank], i)
			for _, next := range slices.Backward(c.down) {
				if !seen[next] {
					stack = append(stack, next)
				}
			}
		}
	}
}

func (d *drawing) slots() []int {
	list := make([]int, len(d.cells))
	for i := range d.cells {
		list[i] = d.cells[i].slot
	}
	return list
}

// sortRank orders a rank by the mean slot of the neighbours on one side; cells without any keep their place among the rest.
func (d *drawing) sortRank(r int, side func(*cell) []int) {
	row := d.ranks[r]
	mean := make(map[int]float64, len(row))
	for place, i := range row {
		c := &d.cells[i]
		sum := 0.0
		for _, k := range side(c) {
			sum += float64(d.cells[k].slot)
		}
		mean[i] = float64(place)
		if n := len(side(c)); n > 0 {
			mean[i] = sum / float64(n)
		}
	}
	slices.SortStableFunc(row, func(a, b int) int { return cmp.Compare(mean[a], mean[b]) })
	for place, i := range row {
		d.cells[i].slot = place
	}
}

// crossings counts the pairs of edges that cross, rank by rank.
func (d *drawing) crossings() int {
	total := 0
	var ends []int
	for r := 0; r+1 < len(d.ranks); r++ {
		ends = ends[:0]
		for _, i := range d.ranks[r] {
			from := len(ends)
			for _, k := range d.cells[i].down {
				ends = append(ends, d.cells[k].slot)
			}
			slices.Sort(ends[from:])
		}
		total += inversions(ends, len(d.ranks[r+1]))
	}
	return total
}

// inversions counts the pairs of a list, of numbers below n, whose first is larger, with a Fenwick tree.
func inversions(list []int, n int) int {
	tree := make([]int, n+1)
	total := 0
	for seen, x := range list {
		notAbove := 0
		for i := x + 1; i > 0; i -= i & -i {
			notAbove += tree[i]
		}
		total += seen - notAbove
		for i := x + 1; i <= n; i += i & -i {
			tree[i]++
		}
	}
	return total
}
