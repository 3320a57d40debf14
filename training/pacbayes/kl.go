package pacbayes

import "math"

type float interface{ float32 | float64 }

// KL is the divergence of the posterior N(w, exp(2p)) from the prior N(w0, exp(2b)), in nats, where groups are how many
// elements in turn share an element of b:
//
//	1/2 sum_l [ exp(-2 b_l) (sum exp(2 p) + |w - w0|^2) - 2 sum p + 2 b_l |l| - |l| ],
//
// with the sums over the elements of group l, in float64.
func KL[W, P, B float](w, w0 []W, p []P, b []B, groups []int64) float64 {
	total, at := 0.0, 0
	for l, n := range groups {
		scale := float64(b[l])
		kl := 0.0
		for i := at; i < at+int(n); i++ {
			d, s := float64(w[i])-float64(w0[i]), float64(p[i])-scale
			// each element's part is not negative: nothing large is taken from something large
			kl += math.Expm1(2*s) - 2*s + d*d*math.Exp(-2*scale)
		}
		total += kl / 2
		at += int(n)
	}
	return total
}

// scale is the standard deviation that K is asked of: exp of the mean of b.
func scale[F float](b []F) float64 {
	sum := 0.0
	for _, x := range b {
		sum += float64(x)
	}
	return math.Exp(sum / float64(len(b)))
}
