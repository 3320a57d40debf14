package pacbayes

import "math"

// binaryKL is the divergence between coins that fall with q and with p.
func binaryKL(q, p float64) float64 {
	part := func(a, b float64) float64 {
		if a == 0 {
			return 0
		}
		return a * math.Log(a/b)
	}
	return part(q, p) + part(1-q, 1-p)
}

// KLInverse is the largest p with binaryKL(q, p) <= c, and not less than it: the upper end of the last interval of a bisection.
func KLInverse(q, c float64) float64 {
	q = min(max(q, 0), 1)
	if !(c < math.Inf(1)) {
		return 1
	}
	low, high := q, 1.0
	for range 100 {
		middle := (low + high) / 2
		if middle == low || middle == high {
			break
		}
		if binaryKL(q, middle) > c {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}
