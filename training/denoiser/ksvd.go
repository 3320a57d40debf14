package denoiser

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"graft/training/signal"
)

// DictionaryConfig says how LearnDictionary learns.
type DictionaryConfig struct {
	Iterations int     // 0: 10, as published for pictures
	Sparsity   int     // most atoms of a signal; 0: as many as the length
	Deviation  float64 // a signal wants no more atoms where this is the root mean square of what is left over
}

// LearnDictionary is K-SVD (Aharon, Elad, Bruckstein, IEEE TSP 54(11) 2006) from a first dictionary: in turn the atoms of each signal
// are found by orthogonal matching pursuit, and then one atom after the other is made anew with its weights, these and it the largest
// singular value and its vectors of what the others leave over of the signals that have it:
//
//	E = Y - sum_{j != k} d[j] x[j], restricted to those signals;  d[k] x[k] = argmin |E - d x|^2
//
// by power iterations from the atom that was. An atom that fewer than two signals have, or that is like another (product 0.99 and
// more), is replaced by the signal of which most is left over, as the authors do.
func LearnDictionary(y signal.Set, first Dictionary, c DictionaryConfig) (Dictionary, error) {
	if err := y.Check(); err != nil {
		return Dictionary{}, fmt.Errorf("K-SVD: %w", err)
	}
	if err := first.check(y.Length); err != nil {
		return Dictionary{}, fmt.Errorf("K-SVD: %w", err)
	}
	if c.Iterations < 0 || c.Sparsity < 0 || !(c.Deviation >= 0) || math.IsInf(c.Deviation, 0) {
		return Dictionary{}, fmt.Errorf("K-SVD: %d iterations, %d atoms a signal, deviation %g", c.Iterations, c.Sparsity, c.Deviation)
	}
	if c.Iterations == 0 {
		c.Iterations = 10
	}
	d := first
	d.Values = slices.Clone(first.Values)
	for i := range c.Iterations {
		s := d.sparsify(y, c.Sparsity, c.Deviation*c.Deviation*float64(y.Length))
		users := d.users(s)
		for k := range d.Count {
			d.renew(k, users[k], s)
		}
		if i < c.Iterations-1 {
			d.replace(users, s, y)
		}
	}
	return d, nil
}

// use is a signal that has an atom, and the atom's place among the signal's.
type use struct{ signal, place int }

func (d Dictionary) users(s sparse) [][]use {
	users := make([][]use, d.Count)
	for i, atoms := range s.atom {
		for place, k := range atoms {
			users[k] = append(users[k], use{i, place})
		}
	}
	return users
}

// renew makes an atom and its weights anew, and what is left over with them.
func (d Dictionary) renew(k int, users []use, s sparse) {
	const most, enough = 10, 1e-6
	if len(users) == 0 {
		return
	}
	atom := signal.Set(d).Row(k)
	for _, u := range users { // what the others leave over
		floats.AddScaled(s.left.Row(u.signal), s.weight[u.signal][u.place], atom)
	}
	next := make([]float64, len(atom))
	for range most {
		clear(next)
		for _, u := range users {
			left := s.left.Row(u.signal)
			floats.AddScaled(next, floats.Dot(left, atom), left)
		}
		if !unit(next) {
			break
		}
		moved := floats.Distance(next, atom, math.Inf(1))
		copy(atom, next)
		if moved < enough {
			break
		}
	}
	for _, u := range users {
		left := s.left.Row(u.signal)
		s.weight[u.signal][u.place] = floats.Dot(left, atom)
		floats.AddScaled(left, -s.weight[u.signal][u.place], atom)
	}
}

// replace puts signals of which most is left over in the place of atoms that are of little use.
func (d Dictionary) replace(users [][]use, s sparse, y signal.Set) {
	const fewest, like = 2, 0.99
	worst := s.worst()
	for k := range d.Count {
		atom := signal.Set(d).Row(k)
		twin := false
		for j := range k {
			twin = twin || math.Abs(floats.Dot(atom, signal.Set(d).Row(j))) > like
		}
		if !twin && len(users[k]) >= fewest {
			continue
		}
		for len(worst) > 0 {
			candidate := slices.Clone(y.Row(worst[0]))
			worst = worst[1:]
			if unit(candidate) {
				copy(atom, candidate)
				break
			}
		}
	}
}
