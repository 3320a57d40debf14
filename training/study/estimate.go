package study

import "math"

// Estimate is a mean with its standard error.
type Estimate struct {
	Mean float64  `json:"mean"`
	SE   *float64 `json:"se,omitempty"` // absent for a single value
	N    int      `json:"n"`
	// Above counts the values above zero, which is what a sign test of differences asks.
	Above int `json:"above,omitempty"`
}

// Mean is the mean of values and its standard error, sample deviation over root of n. It is nil without values.
func Mean(values []float64) *Estimate {
	if len(values) == 0 {
		return nil
	}
	e, n := &Estimate{N: len(values)}, float64(len(values))
	for _, v := range values {
		e.Mean += v / n
	}
	squares := 0.0
	for _, v := range values {
		squares += (v - e.Mean) * (v - e.Mean)
	}
	if len(values) > 1 {
		se := math.Sqrt(squares / (n - 1) / n)
		e.SE = &se
	}
	return e
}

// Paired is the mean of a minus b over the keys that both have, with its standard error; nil when they share none.
func Paired(a, b map[string]float64, keys []string) *Estimate {
	var differences []float64
	above := 0
	for _, k := range keys {
		x, okA := a[k]
		y, okB := b[k]
		if !okA || !okB {
			continue
		}
		differences = append(differences, x-y)
		if x > y {
			above++
		}
	}
	e := Mean(differences)
	if e != nil {
		e.Above = above
	}
	return e
}
