package curvature

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"graft/onnx/noise"
)

// Estimate is a mean over random vectors with its standard error.
type Estimate struct{ Mean, SE float64 }

// Sums are what random vectors say of a matrix.
type Sums struct {
	Trace     Estimate // of v'Hv
	Frobenius Estimate // the root of the mean of |Hv|², its error to first order
	Probes    int
}

// Hutchinson draws vectors of ones and minus ones: the mean of v'Hv is the trace, that of |Hv|² the square of the Frobenius norm.
// The standard errors are those of so many probes, two at least.
func Hutchinson(n int, product Product, probes int, seed uint64) (*Sums, error) {
	if n < 1 || probes < 2 {
		return nil, errors.New("hutchinson: wants a matrix with rows, and 2 probes or more")
	}
	traces, squares := make([]float64, probes), make([]float64, probes)
	drawn, v := make([]float32, n), make([]float64, n)
	for k := range probes {
		noise.Uniform(drawn, noise.NewKey(seed, "hutchinson", uint64(k)))
		for i, u := range drawn {
			v[i] = math.Copysign(1, float64(u)-0.5)
		}
		w, err := multiply(product, v)
		if err != nil {
			return nil, err
		}
		traces[k], squares[k] = floats.Dot(v, w), floats.Dot(w, w)
	}
	s := &Sums{Trace: estimate(traces), Frobenius: estimate(squares), Probes: probes}
	if root := math.Sqrt(s.Frobenius.Mean); root > 0 {
		s.Frobenius = Estimate{root, s.Frobenius.SE / (2 * root)}
	}
	return s, nil
}

func estimate(values []float64) Estimate {
	mean, deviation := stat.MeanStdDev(values, nil)
	return Estimate{mean, stat.StdErr(deviation, float64(len(values)))}
}
