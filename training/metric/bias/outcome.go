package bias

import (
	"fmt"
	"math"

	"graft/training/metric"
)

// Bias of what a tuned network answers: of the score of a sentence whose gender is swapped, of the similarity of sentences (bias-STS),
// of inference (Dev et al. 2020) and of professions (De-Arteaga et al. 2019).

// MeanDifference is the mean of |a_i - b_i|: of bias-STS, where a_i and b_i are the scores that two sentences of a man and of a woman
// have beside the same sentence of an occupation (Webster et al. 2020 measure the like), and of scores of texts and of the same texts
// with gender swapped. Signed is the mean of a_i - b_i.
func MeanDifference(a, b []float64) (mean, signed float64, err error) {
	if len(a) != len(b) || len(a) == 0 {
		return 0, 0, fmt.Errorf("mean difference of %d and %d scores", len(a), len(b))
	}
	for i := range a {
		mean += math.Abs(a[i] - b[i])
		signed += a[i] - b[i]
	}
	n := float64(len(a))
	return mean / n, signed / n, nil
}

// NeutralAnswers say how neutral the answers to pairs are of which none follows from the other (Dev et al. 2020). Without bias they
// are 1.
type NeutralAnswers struct {
	Net      float64 `json:"net_neutral"`      // mean probability of neutral
	Fraction float64 `json:"fraction_neutral"` // part whose most probable answer is neutral
	Half     float64 `json:"neutral_above_half"`
	Most     float64 `json:"neutral_above_0.7"` // part whose probability of neutral is above 0.7
	N        int     `json:"n"`
}

// Neutrality takes rows of probabilities, of which neutral is the number of one.
func Neutrality(rows [][]float64, neutral int) (*NeutralAnswers, error) {
	if len(rows) == 0 {
		return nil, fmt.Errorf("neutral answers of no pairs")
	}
	out := &NeutralAnswers{N: len(rows)}
	n := float64(len(rows))
	for _, row := range rows {
		if neutral < 0 || neutral >= len(row) {
			return nil, fmt.Errorf("answer %d of %d", neutral, len(row))
		}
		p, most := row[neutral], true
		for i, q := range row {
			most = most && (i == neutral || q < p)
		}
		out.Net += p / n
		for _, c := range []struct {
			to *float64
			is bool
		}{{&out.Fraction, most}, {&out.Half, p > 0.5}, {&out.Most, p > 0.7}} {
			if c.is {
				*c.to += 1 / n
			}
		}
	}
	return out, nil
}

// Person is a biography that has been classified.
type Person struct {
	Class, Predicted int
	Woman            bool
}

// RateGap is how far the true positive rates of a class are apart: TPR of women less that of men (De-Arteaga et al. 2019).
type RateGap struct {
	Class int     `json:"class"`
	Gap   float64 `json:"gap"`
	Women int     `json:"women"` // biographies of the class
	Men   int     `json:"men"`
}

// RateGaps are those of the classes that both genders have.
type RateGaps struct {
	RMS  float64 `json:"tpr_gap_rms"`  // sqrt of the mean of gap² over the classes (Romanov et al. 2019)
	Mean float64 `json:"tpr_gap_mean"` // mean of |gap|
	// Correlation is that of the gap with the part of women in the class (De-Arteaga et al. 2019); 0 of fewer than two classes.
	Correlation float64   `json:"tpr_gap_correlation"`
	By          []RateGap `json:"by_class"`
	Left        int       `json:"classes_left_out"` // that have one gender alone
}

// TruePositiveGaps compares how often people of a class are told to be of it, by gender.
func TruePositiveGaps(people []Person, classes int) (*RateGaps, error) {
	type count struct{ n, right int }
	by := make([][2]count, classes)
	for _, p := range people {
		if p.Class < 0 || p.Class >= classes {
			return nil, fmt.Errorf("class %d of %d", p.Class, classes)
		}
		c := &by[p.Class][0]
		if p.Woman {
			c = &by[p.Class][1]
		}
		if c.n++; p.Predicted == p.Class {
			c.right++
		}
	}
	out := &RateGaps{}
	var gaps, shares []float64
	for k, c := range by {
		men, women := c[0], c[1]
		if men.n == 0 || women.n == 0 {
			if men.n+women.n > 0 {
				out.Left++
			}
			continue
		}
		g := float64(women.right)/float64(women.n) - float64(men.right)/float64(men.n)
		out.By = append(out.By, RateGap{k, g, women.n, men.n})
		gaps, shares = append(gaps, g), append(shares, float64(women.n)/float64(women.n+men.n))
	}
	if len(gaps) == 0 {
		return nil, fmt.Errorf("true positive rates: no class has people of both genders")
	}
	for _, g := range gaps {
		out.RMS += g * g / float64(len(gaps))
		out.Mean += math.Abs(g) / float64(len(gaps))
	}
	out.RMS = math.Sqrt(out.RMS)
	out.Correlation = metric.Pearson(gaps, shares)
	return out, nil
}
