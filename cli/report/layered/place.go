package layered

import "slices"

const rounds = 24

// place gives every cell its x. Each rank in turn moves towards its neighbours, as far as the order and the room that each
// cell takes allow: the sum of squared distances from where each would like to be is the least possible.
func (d *drawing) place() {
	for _, row := range d.ranks {
		x := 0.0
		for k, i := range row {
			if k > 0 {
				x += d.apart(row[k-1], i)
			}
			d.cells[i].x = x
		}
		middle := x / 2
		for _, i := range row {
			d.cells[i].x -= middle
		}
	}
	for round := range rounds {
		if round%2 == 0 {
			for r := range d.ranks {
				d.settle(r, round)
			}
		} else {
			for r := range slices.Backward(d.ranks) {
				d.settle(r, round)
			}
		}
	}
}

// apart is how far the middles of two neighbours of a rank stand from each other at the least.
func (d *drawing) apart(a, b int) float64 {
	return d.cells[a].w/2 + d.cells[b].w/2 + gapX
}

// block is a run of cells that touch each other.
type block struct {
	sum, weight float64
	count       int
}

// settle moves a rank. Early rounds look to one side, later ones to both.
func (d *drawing) settle(r, round int) {
	row := d.ranks[r]
	blocks := make([]block, 0, len(row))
	offset := make([]float64, len(row))
	for k, i := range row {
		if k > 0 {
			offset[k] = offset[k-1] + d.apart(row[k-1], i)
		}
		want, weight := d.wish(i, round)
		blocks = append(blocks, block{(want - offset[k]) * weight, weight, 1})
		// Isotonic regression: neighbours that would overlap become one block at their mean.
		for n := len(blocks); n > 1 && blocks[n-2].sum*blocks[n-1].weight > blocks[n-1].sum*blocks[n-2].weight; n = len(blocks) {
			a, b := blocks[n-2], blocks[n-1]
			blocks = append(blocks[:n-2], block{a.sum + b.sum, a.weight + b.weight, a.count + b.count})
		}
	}
	k := 0
	for _, b := range blocks {
		for range b.count {
			d.cells[row[k]].x = b.sum/b.weight + offset[k]
			k++
		}
	}
}

// wish is where a cell would like to be, and how much: bends want their edge straight more than nodes want to be in the
// middle of what they read.
func (d *drawing) wish(i, round int) (x, weight float64) {
	c := &d.cells[i]
	sides := [][]int{c.up, c.down}
	switch {
	case round >= rounds/2:
	case round%2 == 0:
		sides = sides[:1]
	default:
		sides = sides[1:]
	}
	const straight = 8
	sum, total := 0.0, 0.0
	for _, side := range sides {
		for _, k := range side {
			w := 1.0
			if !c.node && !d.cells[k].node {
				w = straight
			} else if c.node != d.cells[k].node {
				w = 2
			}
			sum += w * d.cells[k].x
			total += w
		}
	}
	if total == 0 {
		return c.x, 0.1
	}
	return sum / total, total
}
