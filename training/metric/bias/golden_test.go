package bias

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// golden is what testdata/peers/bias.py computed.
type golden struct {
	StereoSet Result
	Spans     []struct {
		A, B        []int64
		Left, Right []int
	}
	Crows struct {
		Rows       [][3]any
		Score      float64
		Neutral    int
		Stereo     float64
		AntiStereo float64
	}
	Associations []struct {
		X, Y, A, B [][]float64
		D, P       float64
	}
	Runs struct {
		Vocabulary []string
		Pairs      []struct {
			More, Less     string
			Masked, Causal [2]float64
		}
		Probabilities, Logs, Causal runGolden
	}
}

// runGolden is scores of a model and what they come to.
type runGolden struct {
	Scores           map[string]float64
	Score, LMS, ICAT float64
}

func readGolden(t *testing.T) *golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{}
	if err := json.Unmarshal(data, g); err != nil {
		t.Fatal(err)
	}
	return g
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-9*(1+math.Abs(want))) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// sameStereo holds a result and all below it to the golden.
func sameStereo(t *testing.T, what string, got, want *Result) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s: no result", what)
	}
	near(t, what+" SS", got.Score, want.Score)
	near(t, what+" LMS", *got.LMS, *want.LMS)
	near(t, what+" ICAT", *got.ICAT, *want.ICAT)
	if got.N != want.N {
		t.Errorf("%s: %d examples, want %d", what, got.N, want.N)
	}
	if !(got.CI[0] <= got.Score && got.Score <= got.CI[1]) {
		t.Errorf("%s: %v is not in %v", what, got.Score, *got.CI)
	}
	for name, w := range want.ByCategory {
		sameStereo(t, what+" "+name, got.ByCategory[name], w)
	}
	for name, w := range want.Parts {
		sameStereo(t, what+" "+name, got.Parts[name], w)
	}
}

// TestStereoSetGolden scores random recorded scores, with ties among them, as the reference does.
func TestStereoSetGolden(t *testing.T) {
	set, err := ReadStereoSet("testdata/stereoset.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadPredictions("testdata/predictions.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Examples) != 200 || set.Skips.Count+p.Skips.Count != 0 || len(p.Scores) != 600 {
		t.Fatalf("%d examples, %d scores, skipped %v %v", len(set.Examples), len(p.Scores), set.Skips, p.Skips)
	}
	sameStereo(t, "StereoSet", set.Score(p.Scores).Result(Resampling{Samples: 200}), &readGolden(t).StereoSet)
}

// TestUnchangedGolden matches tokens as Python's difflib does.
func TestUnchangedGolden(t *testing.T) {
	for i, s := range readGolden(t).Spans {
		left, right := unchanged(s.A, s.B)
		if !slices.Equal(left, s.Left) || !slices.Equal(right, s.Right) {
			t.Errorf("case %d, lengths %d and %d: %v %v, want %v %v", i, len(s.A), len(s.B), left, right, s.Left, s.Right)
		}
	}
}

// TestPairsGolden holds the metric of CrowS-Pairs to the reference's, ties included.
func TestPairsGolden(t *testing.T) {
	g := readGolden(t).Crows
	var of []PairOutcome
	for _, row := range g.Rows {
		of = append(of, PairOutcome{More: row[0].(float64), Less: row[1].(float64), Against: row[2].(bool), Category: "x"})
	}
	r := PairResult(of, Resampling{Samples: 100})
	near(t, "score", r.Score, g.Score)
	near(t, "stereo", *r.Stereo, g.Stereo)
	near(t, "antistereo", *r.AntiStereo, g.AntiStereo)
	if r.Neutral != g.Neutral || r.Neutral == 0 {
		t.Errorf("%d ties, want %d", r.Neutral, g.Neutral)
	}
}

// TestAssociationGolden holds effect sizes and exact p-values to the reference's, and the sampled test to the exact one.
func TestAssociationGolden(t *testing.T) {
	for i, a := range readGolden(t).Associations {
		r, err := Association(a.X, a.Y, a.A, a.B, Resampling{Samples: 100})
		if err != nil {
			t.Fatal(err)
		}
		near(t, "d", r.Score, a.D)
		near(t, "p", *r.P, a.P)
		if i == 2 {
			s, err := associations(append(append([][]float64{}, a.X...), a.Y...), a.A, a.B)
			if err != nil {
				t.Fatal(err)
			}
			// Four standard errors of a share of 100,000.
			if p := sampledTest(s, len(a.X), 3); math.Abs(p-a.P) > 4*math.Sqrt(a.P*(1-a.P)/maxPermutations) {
				t.Errorf("sampled p is %v, exact %v", p, a.P)
			}
		}
	}
}
