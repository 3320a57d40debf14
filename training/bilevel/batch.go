package bilevel

import "gonum.org/v1/gonum/floats"

// batch is the samples that are still iterated, one a row of each matrix.
type batch[T Float] struct {
	operator *Operator
	beta     T
	w, gram  []T // gram is nil where products with W are cheaper

	ids    []int     // numbers of the samples
	energy []float64 // ½|y|²
	y      []T       // rows by columns of W
	wy     []T       // W y: rows by rows of W
	u      []T       // dual
	z      []T       // W(y - Wᵀu) at the last look
	x      []T       // scratch, as y
}

func newBatch[T Float](s *Solution[T]) *batch[T] {
	o := s.operator
	b := &batch[T]{
		operator: o, beta: T(s.beta), w: asFloat[T](o.w), gram: asFloat[T](o.gram()),
		y: convert[T](s.y), u: convert[T](s.dual), energy: make([]float64, s.Samples),
		wy: make([]T, len(s.dual)), z: make([]T, len(s.dual)), x: make([]T, len(s.y)),
	}
	for i := range s.Samples {
		b.ids = append(b.ids, i)
		y := s.y[i*o.cols : (i+1)*o.cols]
		b.energy[i] = floats.Dot(y, y) / 2
	}
	multiplyT(b.wy, b.y, b.w, s.Samples, o.cols, o.rows)
	b.residual(b.z, b.u)
	return b
}

// asFloat is v itself where it is of the type already.
func asFloat[T Float](v []float64) []T {
	if v, ok := any(v).([]T); ok {
		return v
	}
	if v == nil {
		return nil
	}
	return convert[T](v)
}

func (b *batch[T]) row(of []T, r int) []T {
	n := len(of) / len(b.ids)
	return of[r*n : (r+1)*n]
}

// residual is z = W(y - Wᵀu), the gradient of the dual objective.
func (b *batch[T]) residual(z, u []T) {
	rows, k, n := len(b.ids), b.operator.rows, b.operator.cols
	if b.gram != nil {
		multiply(z, u, b.gram, rows, k, k)
		for i, v := range b.wy {
			z[i] = v - z[i]
		}
		return
	}
	multiply(b.x, u, b.w, rows, k, n)
	for i, v := range b.y {
		b.x[i] = v - b.x[i]
	}
	multiplyT(z, b.x, b.w, rows, n, k)
}

func (b *batch[T]) gap(r int) float64 { return gap(float64(b.beta), b.row(b.u, r), b.row(b.z, r)) }

// store writes the duals of the rows that are not kept on; those of exact rows are there already.
func (b *batch[T]) store(dual []float64, exact []bool, keep []int) {
	k := b.operator.rows
	for r, id := range b.ids {
		if len(keep) > 0 && keep[0] == r {
			keep = keep[1:]
			continue
		}
		if !exact[r] {
			for i, u := range b.row(b.u, r) {
				dual[id*k+i] = float64(u)
			}
		}
	}
}

// keep leaves the named rows alone, which ascend.
func (b *batch[T]) keep(rows []int) {
	for _, m := range []*[]T{&b.y, &b.wy, &b.u, &b.z, &b.x} {
		*m = keepRows(*m, len(b.ids), rows)
	}
	for to, from := range rows {
		b.ids[to], b.energy[to] = b.ids[from], b.energy[from]
	}
	b.ids, b.energy = b.ids[:len(rows)], b.energy[:len(rows)]
}

func keepRows[T any](m []T, of int, rows []int) []T {
	n := len(m) / of
	for to, from := range rows {
		copy(m[to*n:(to+1)*n], m[from*n:(from+1)*n])
	}
	return m[:len(rows)*n]
}
