package denoiser

import (
	"fmt"
	"math"
	"slices"
)

// TVConfig sets total variation denoising up.
type TVConfig struct {
	Weight      float64 // of the variation
	Anisotropic bool    // sum of absolute differences along both axes; otherwise of their Euclidean lengths
	Iterations  int     // 0: until the duality gap is at most Gap of the objective, 1,000 at most
	Gap         float64 // 0: 1e-4
}

// TV gives argmin_x 1/2 |x - y|^2 + Weight TV(x) for each plane y (Rudin, Osher, Fatemi 1992), by fast gradient projection on
// the dual (Beck, Teboulle 2009). Differences over the border are 0. A single row or column makes it the one-dimensional form.
func TV(y Planes, c TVConfig) (Planes, error) {
	if err := y.check("total variation"); err != nil {
		return Planes{}, err
	}
	if !(c.Weight >= 0) || math.IsInf(c.Weight, 0) || c.Iterations < 0 || !(c.Gap >= 0) {
		return Planes{}, fmt.Errorf("total variation: weight %g, %d iterations, gap %g", c.Weight, c.Iterations, c.Gap)
	}
	x, fields := y.empty(), newDuals(y)
	for i, d := range fields {
		tvPlane(y.plane(i), x.plane(i), y.Height, y.Width, c, d)
	}
	return x, nil
}

// TVForNoise is TV with the weight at which what is taken off has the noise's variance (discrepancy principle; Morozov 1966),
// found by bisection.
func TVForNoise(y Planes, sigma float64, c TVConfig) (Planes, float64, error) {
	if !(sigma >= 0) || math.IsInf(sigma, 0) {
		return Planes{}, 0, fmt.Errorf("total variation: noise of %g", sigma)
	}
	if err := y.check("total variation"); err != nil {
		return Planes{}, 0, err
	}
	low, high := 0.0, 4*sigma
	x, fields := y.empty(), newDuals(y)
	for range 14 {
		c.Weight = (low + high) / 2
		removed := 0.0
		for i, d := range fields { // each begins where the weight before has ended
			tvPlane(y.plane(i), x.plane(i), y.Height, y.Width, c, d)
		}
		for i, v := range y.Pix {
			d := float64(v) - float64(x.Pix[i])
			removed += d * d
		}
		if removed < sigma*sigma*float64(len(y.Pix)) {
			low = c.Weight
		} else {
			high = c.Weight
		}
	}
	return x, c.Weight, nil
}

// dual is the field (p, q) of a plane: p belongs to differences down, q to differences to the right.
type dual struct{ p, q []float64 }

// tvPlane fills out, from a field that it leaves at the solution's.
func tvPlane(y, out []float32, h, w int, c TVConfig, now dual) {
	const most, look = 1000, 10
	n := h * w
	steps, gap := c.Iterations, c.Gap
	if steps == 0 {
		steps = most
	}
	if gap == 0 {
		gap = 1e-4
	}
	x := make([]float64, n)
	primal := func(d dual) { // x = y - weight * divergence
		for i := range h {
			for j := range w {
				at := i*w + j
				v := d.p[at] + d.q[at]
				if i > 0 {
					v -= d.p[at-w]
				}
				if j > 0 {
					v -= d.q[at-1]
				}
				x[at] = float64(y[at]) + c.Weight*v
			}
		}
	}
	before, ahead := dual{slices.Clone(now.p), slices.Clone(now.q)}, dual{slices.Clone(now.p), slices.Clone(now.q)}
	t := 1.0
	if c.Weight > 0 {
		for step := 1; step <= steps; step++ {
			primal(ahead)
			ascend(x, h, w, 1/(8*c.Weight), ahead, now, c.Anisotropic)
			next := (1 + math.Sqrt(1+4*t*t)) / 2
			for i := range n {
				ahead.p[i] = now.p[i] + (t-1)/next*(now.p[i]-before.p[i])
				ahead.q[i] = now.q[i] + (t-1)/next*(now.q[i]-before.q[i])
			}
			copy(before.p, now.p)
			copy(before.q, now.q)
			t = next
			if c.Iterations == 0 && step%look == 0 {
				primal(now)
				if objective, distance := dualityGap(x, y, h, w, c); distance <= gap*objective {
					break
				}
			}
		}
	}
	primal(now)
	for i, v := range x {
		out[i] = float32(v)
	}
}

func newDuals(y Planes) []dual {
	list := make([]dual, y.Channels)
	for i := range list {
		n := y.Height * y.Width
		list[i] = dual{make([]float64, n), make([]float64, n)}
	}
	return list
}

// ascend steps from a field along the differences of x, and projects onto the unit balls of the variation's dual norm.
func ascend(x []float64, h, w int, rate float64, from, to dual, anisotropic bool) {
	for i := range h {
		for j := range w {
			at := i*w + j
			p, q := 0.0, 0.0
			if i+1 < h {
				p = from.p[at] + rate*(x[at+w]-x[at])
			}
			if j+1 < w {
				q = from.q[at] + rate*(x[at+1]-x[at])
			}
			if anisotropic {
				p, q = max(-1, min(1, p)), max(-1, min(1, q))
			} else if l := math.Sqrt(p*p + q*q); l > 1 {
				p, q = p/l, q/l
			}
			to.p[at], to.q[at] = p, q
		}
	}
}

// dualityGap gives the primal objective at x, and how far the dual one is below it, for x = y + weight * adjoint: the dual
// objective is then 1/2 |y|^2 - 1/2 |x|^2.
func dualityGap(x []float64, y []float32, h, w int, c TVConfig) (objective, gap float64) {
	variation, fit, lower := 0.0, 0.0, 0.0
	for i := range h {
		for j := range w {
			at := i*w + j
			down, right := 0.0, 0.0
			if i+1 < h {
				down = x[at+w] - x[at]
			}
			if j+1 < w {
				right = x[at+1] - x[at]
			}
			if c.Anisotropic {
				variation += math.Abs(down) + math.Abs(right)
			} else {
				variation += math.Sqrt(down*down + right*right)
			}
			v := float64(y[at])
			fit += (x[at] - v) * (x[at] - v)
			lower += v*v - x[at]*x[at]
		}
	}
	objective = fit/2 + c.Weight*variation
	return objective, objective - lower/2
}
