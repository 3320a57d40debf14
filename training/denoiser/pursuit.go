package denoiser

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"graft/training/signal"
)

// pursuit finds which few atoms of a dictionary a signal is a sum of: orthogonal matching pursuit (Pati, Rezaiifar, Krishnaprasad
// 1993) on the atoms' products (Rubinstein, Zibulevsky, Elad, Technion CS-2008-08), in place for one signal at a time.
type pursuit struct {
	atoms signal.Set
	gram  []float64 // products of atoms with each other
	most  int       // atoms
	rest  float64   // squared length of what is left over at which it stops

	atom   []int     // found
	factor []float64 // lower triangle L with L L' the products of the atoms found
	z      []float64 // L z = products of the atoms found with the signal
	weight []float64 // L'weight = z
	now    []float64 // products of all atoms with what is left over
}

func newPursuit(d Dictionary, gram []float64, most int, rest float64) *pursuit {
	n := d.Length
	if most < 1 || most > min(n, d.Count) {
		most = min(n, d.Count)
	}
	return &pursuit{atoms: signal.Set(d), gram: gram, most: most, rest: rest, factor: make([]float64, most*most), z: make([]float64, most),
		weight: make([]float64, most), now: make([]float64, d.Count)}
}

// find leaves in atom and weight what the signal is taken for, from its products with all atoms and its squared length.
func (p *pursuit) find(products []float64, energy float64) {
	p.atom = p.atom[:0]
	copy(p.now, products)
	left := energy
	for len(p.atom) < p.most && left > p.rest {
		best, value := 0, -1.0
		for i, v := range p.now {
			if v = math.Abs(v); v > value {
				best, value = i, v
			}
		}
		if value <= 1e-10*math.Sqrt(energy) || !p.extend(best, products[best]) {
			break
		}
		last := p.z[len(p.atom)-1]
		left -= last * last
		p.solve()
		copy(p.now, products)
		for k, i := range p.atom {
			floats.AddScaled(p.now, -p.weight[k], p.gram[i*len(p.now):(i+1)*len(p.now)])
		}
	}
}

// extend adds an atom to the factor: its row is w with L w = products with the atoms found, and sqrt(1 - w'w). An atom that is a sum
// of those is not added.
func (p *pursuit) extend(atom int, with float64) bool {
	k := len(p.atom)
	row := p.factor[k*p.most : k*p.most+k+1]
	rest := 1.0
	for i, other := range p.atom {
		v := p.gram[atom*len(p.now)+other] - floats.Dot(row[:i], p.factor[i*p.most:i*p.most+i])
		row[i] = v / p.factor[i*p.most+i]
		rest -= row[i] * row[i]
	}
	if rest <= 1e-10 {
		return false
	}
	row[k] = math.Sqrt(rest)
	p.z[k] = (with - floats.Dot(row[:k], p.z[:k])) / row[k]
	p.atom = append(p.atom, atom)
	return true
}

func (p *pursuit) solve() {
	n := len(p.atom)
	for i := n - 1; i >= 0; i-- {
		v := p.z[i]
		for j := i + 1; j < n; j++ {
			v -= p.factor[j*p.most+i] * p.weight[j]
		}
		p.weight[i] = v / p.factor[i*p.most+i]
	}
}

// sum puts what was found in the place of a signal.
func (p *pursuit) sum(to []float64) {
	for i := range to {
		to[i] = 0
	}
	for k, i := range p.atom {
		floats.AddScaled(to, p.weight[k], p.atoms.Row(i))
	}
}

// sparse is what signals are taken for, and what is left over.
type sparse struct {
	atom   [][]int
	weight [][]float64
	left   signal.Set
}

// sparsify finds the atoms of all signals, most to each, fewer where the squared length of what is left over is at most rest.
func (d Dictionary) sparsify(y signal.Set, most int, rest float64) sparse {
	const chunk = 128
	gram := product(signal.Set(d), signal.Set(d))
	s := sparse{make([][]int, y.Count), make([][]float64, y.Count), signal.Set{Count: y.Count, Length: y.Length, Values: slices.Clone(y.Values)}}
	share((y.Count+chunk-1)/chunk, func(from, to int) {
		p := newPursuit(d, gram, most, rest)
		for c := from; c < to; c++ {
			part := y.Part(c*chunk, min((c+1)*chunk, y.Count))
			products := product(part, signal.Set(d))
			for i := range part.Count {
				row := part.Row(i)
				p.find(products[i*d.Count:(i+1)*d.Count], floats.Dot(row, row))
				at := c*chunk + i
				s.atom[at], s.weight[at] = slices.Clone(p.atom), slices.Clone(p.weight[:len(p.atom)])
				for k, a := range p.atom {
					floats.AddScaled(s.left.Row(at), -p.weight[k], signal.Set(d).Row(a))
				}
			}
		}
	})
	return s
}

// worst are the signals of which most is left over, those first.
func (s sparse) worst() []int {
	size, order := make([]float64, s.left.Count), make([]int, s.left.Count)
	for i := range order {
		size[i], order[i] = floats.Dot(s.left.Row(i), s.left.Row(i)), i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(size[b], size[a]), a-b) })
	return order
}
