package bias

import (
	"math"
	"testing"
)

func nearly(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("%s: %.15g, want %.15g", what, got, want)
	}
}

func TestMeanDifference(t *testing.T) {
	mean, signed, err := MeanDifference([]float64{3, 1, 2}, []float64{2.5, 2, 2})
	if err != nil {
		t.Fatal(err)
	}
	nearly(t, "mean", mean, 0.5)
	nearly(t, "signed", signed, -0.5/3)
	if _, _, err := MeanDifference([]float64{1}, nil); err == nil {
		t.Error("lists of different lengths")
	}
}

func TestNeutrality(t *testing.T) {
	n, err := Neutrality([][]float64{{0.1, 0.8, 0.1}, {0.2, 0.6, 0.2}, {0.5, 0.3, 0.2}, {0.3, 0.4, 0.3}, {0.4, 0.4, 0.2}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	nearly(t, "net", n.Net, 2.5/5)
	nearly(t, "fraction", n.Fraction, 3./5) // a tie is no neutral answer
	nearly(t, "above a half", n.Half, 2./5)
	nearly(t, "above 0.7", n.Most, 1./5)
	if _, err := Neutrality(nil, 1); err == nil {
		t.Error("no pairs")
	}
	if _, err := Neutrality([][]float64{{1}}, 1); err == nil {
		t.Error("an answer that there is not")
	}
}

func TestTruePositiveGaps(t *testing.T) {
	var people []Person
	add := func(class, right, wrong int, woman bool) {
		for range right {
			people = append(people, Person{class, class, woman})
		}
		for range wrong {
			people = append(people, Person{class, (class + 1) % 4, woman})
		}
	}
	add(0, 3, 1, true)  // 3/4 of 4 women
	add(0, 1, 1, false) // 1/2 of 2 men: gap 1/4, two thirds women
	add(1, 1, 3, true)  // 1/4 of 4
	add(1, 3, 3, false) // 1/2 of 6: gap -1/4, 2/5
	add(2, 1, 0, true)
	add(2, 2, 0, false) // gap 0, 1/3
	add(3, 5, 0, true)  // no men
	g, err := TruePositiveGaps(people, 4)
	if err != nil {
		t.Fatal(err)
	}
	nearly(t, "RMS", g.RMS, math.Sqrt((1./16+1./16)/3))
	nearly(t, "mean", g.Mean, 0.5/3)
	if len(g.By) != 3 || g.Left != 1 || g.By[1].Men != 6 {
		t.Errorf("%+v", g)
	}
	// gaps 1/4 -1/4 0, parts 2/3 2/5 1/3 with the mean 7/15: sums of squares 1/8 and 14/225, of products 1/15.
	nearly(t, "correlation", g.Correlation, (1./15)/math.Sqrt(1./8*14/225))
	if _, err := TruePositiveGaps([]Person{{Class: 0, Woman: true}}, 1); err == nil {
		t.Error("one gender")
	}
	if _, err := TruePositiveGaps([]Person{{Class: 4}}, 4); err == nil {
		t.Error("a class that there is not")
	}
}
