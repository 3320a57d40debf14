package metric

import (
	"fmt"
	"math"
)

// Classified counts predictions of a classifier by what is true.
type Classified struct {
	counts [][]int // [true][predicted]
	n      int
}

// NewClassified has no predictions of so many classes yet.
func NewClassified(classes int) *Classified {
	c := &Classified{counts: make([][]int, classes)}
	for i := range c.counts {
		c.counts[i] = make([]int, classes)
	}
	return c
}

// Add counts a prediction.
func (c *Classified) Add(truth, predicted int) error {
	if truth < 0 || truth >= len(c.counts) || predicted < 0 || predicted >= len(c.counts) {
		return fmt.Errorf("classes %d and %d of %d", truth, predicted, len(c.counts))
	}
	c.counts[truth][predicted]++
	c.n++
	return nil
}

// Accuracy is the part of the predictions that is right; 0 of none.
func (c *Classified) Accuracy() float64 {
	right := 0
	for k := range c.counts {
		right += c.counts[k][k]
	}
	return part(right, c.n)
}

// F1 is 2TP/(2TP + FP + FN) of one class, the harmonic mean of precision and recall; 0 where there is nothing of it (van Rijsbergen
// 1979). GLUE gives that of class 1.
func (c *Classified) F1(class int) float64 {
	both := 0
	for k := range c.counts {
		both += c.counts[class][k] + c.counts[k][class]
	}
	return part(2*c.counts[class][class], both)
}

// MacroF1 is the mean of F1 over the classes.
func (c *Classified) MacroF1() float64 {
	sum := 0.0
	for k := range c.counts {
		sum += c.F1(k)
	}
	return sum / float64(max(len(c.counts), 1))
}

// MCC is Matthews's correlation coefficient of several classes (Gorodkin 2004): with s predictions, c of them right, t_k of class k
// true and p_k predicted, (cs - sum t_k p_k)/sqrt((s² - sum p_k²)(s² - sum t_k²)); of two classes that of Matthews 1975. It is 0
// where one class alone is true or predicted.
func (c *Classified) MCC() float64 {
	s := float64(c.n)
	var right, tp, tt, pp float64
	for k := range c.counts {
		var t, p float64
		for j := range c.counts {
			t += float64(c.counts[k][j])
			p += float64(c.counts[j][k])
		}
		right += float64(c.counts[k][k])
		tp, tt, pp = tp+t*p, tt+t*t, pp+p*p
	}
	of := math.Sqrt((s*s - pp) * (s*s - tt))
	if of == 0 {
		return 0
	}
	return (right*s - tp) / of
}

func part(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
