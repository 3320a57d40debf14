package degrade

import (
	"math"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/training/setting"
)

var gaussian = Row{Name: "gaussian", Doc: "white noise, then clipped",
	Settings: []setting.Setting{{Name: "sigma", Usage: "standard deviation on the [0, 1] scale", Default: 0.1, High: 10}},
	Make: func(v setting.Values, clean *onnx.Tensor, seed uint64) (*Observation, error) {
		y := clean.Clone()
		draw := make([]float32, y.Len())
		noise.Normal(draw, noise.NewKey(seed, "degrade/gaussian", 0))
		for i, z := range draw {
			y.Float32s()[i] += float32(v["sigma"]) * z
		}
		clip(y)
		return seen(y), nil
	}}

var poisson = Row{Name: "poisson", Doc: "photon noise: counts of the given mean where the picture is 1, divided by it, then clipped",
	Settings: []setting.Setting{{Name: "peak", Usage: "photons of a white pixel", Default: 30, Low: 0.1, High: 1e6}},
	Make: func(v setting.Values, clean *onnx.Tensor, seed uint64) (*Observation, error) {
		y := clean.Clone()
		key := noise.NewKey(seed, "degrade/poisson", 0)
		for i, x := range y.Float32s() {
			y.Float32s()[i] = float32(photons(max(0, float64(x))*v["peak"], float64(noise.Float(key, uint32(i)))) / v["peak"])
		}
		clip(y)
		return seen(y), nil
	}}

// photons is the count below which a Poisson variable of a mean falls with probability u: by summation, and from a mean of 500 on
// by the normal approximation of the square root (Anscombe).
func photons(mean, u float64) float64 {
	const many = 500
	if mean >= many {
		z := math.Sqrt2 * math.Erfinv(2*u-1)
		root := math.Sqrt(mean) + z/2
		return math.Max(0, math.Round(root*root-0.25))
	}
	p := math.Exp(-mean)
	sum, k := p, 0.0
	for ; sum < u && k < 10*many; sum += p {
		k++
		p *= mean / k
	}
	return k
}

var saltAndPepper = Row{Name: "salt-and-pepper", Doc: "pixels that are white or black instead",
	Settings: []setting.Setting{{Name: "amount", Usage: "fraction of the pixels", Default: 0.05, High: 1}},
	Make: func(v setting.Values, clean *onnx.Tensor, seed uint64) (*Observation, error) {
		y := clean.Clone()
		places := clean.Dims[2] * clean.Dims[3]
		for i, u := range uniform(places, seed, "salt-and-pepper") {
			if float64(u) >= v["amount"] {
				continue
			}
			value := float32(0)
			if float64(u) < v["amount"]/2 {
				value = 1
			}
			for c := range clean.Dims[1] {
				y.Float32s()[c*places+int64(i)] = value
			}
		}
		return seen(y), nil
	}}
