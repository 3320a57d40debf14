package metric

import (
	"math"
	"testing"
)

// TestClassified has numbers that were computed by hand.
func TestClassified(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %.15g, want %.15g", what, got, want)
		}
	}
	// 6 true positives, 3 true negatives, 1 false positive, 2 false negatives.
	two := NewClassified(2)
	for _, c := range []struct{ truth, predicted, n int }{{1, 1, 6}, {0, 0, 3}, {0, 1, 1}, {1, 0, 2}} {
		for range c.n {
			if err := two.Add(c.truth, c.predicted); err != nil {
				t.Fatal(err)
			}
		}
	}
	near("accuracy", two.Accuracy(), 9./12)
	near("F1", two.F1(1), 12./15)
	near("F1 of 0", two.F1(0), 6./9)
	near("macro F1", two.MacroF1(), (12./15+6./9)/2)
	near("MCC", two.MCC(), (6.*3-1*2)/math.Sqrt(7*8*4*5)) // (TP TN - FP FN)/sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN))
	// Three classes, of which the rows are [2 1 0] [0 1 1] [1 0 2]: c = 5, s = 8, t = 3 2 3, p = 3 2 3.
	three := NewClassified(3)
	for i, row := range [][]int{{2, 1, 0}, {0, 1, 1}, {1, 0, 2}} {
		for j, n := range row {
			for range n {
				if err := three.Add(i, j); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	near("MCC of three", three.MCC(), (5.*8-22)/(64-22))
	near("of one class", func() float64 { c := NewClassified(2); _ = c.Add(1, 1); return c.MCC() }(), 0)
	near("F1 of nothing", NewClassified(2).F1(1), 0)
	if three.Add(3, 0) == nil || three.Add(0, -1) == nil {
		t.Error("a class that there is not")
	}
}

// TestCorrelation: of x = 1 2 3 4 and y = 1 2 3 10, r = 14/sqrt(5*50), and the ranks are the same; with ties by hand.
func TestCorrelation(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %.15g, want %.15g", what, got, want)
		}
	}
	x, y := []float64{1, 2, 3, 4}, []float64{1, 2, 3, 10}
	near("Pearson", Pearson(x, y), 14/math.Sqrt(5*50))
	near("Spearman", Spearman(x, y), 1)
	near("Spearman backwards", Spearman(x, []float64{9, 3, 2, 1}), -1)
	// Ranks 1 2.5 2.5 4 and 1 2 3 4: sums of squares 4.5 and 5, of products 4.5.
	near("ties", Spearman([]float64{0, 7, 7, 9}, x), 4.5/math.Sqrt(4.5*5))
	near("constant", Pearson([]float64{1, 1}, []float64{1, 2}), 0)
	near("one", Spearman([]float64{1}, []float64{1}), 0)
}
