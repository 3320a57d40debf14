package bias

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestRecorded runs a model on pairs, writes the scores and reads them again: the same outcomes.
func TestRecorded(t *testing.T) {
	g := readGolden(t).Runs
	masked, _ := toyModels(g.Vocabulary)
	set := &CrowsPairs{Path: "p"}
	for i, p := range g.Pairs {
		set.Pairs = append(set.Pairs, CrowsPair{More: p.More, Less: p.Less, BiasType: "x", Against: i%2 == 1, Line: i + 2})
	}
	ran, _, err := set.Run(context.Background(), masked, Measuring{})
	if err != nil {
		t.Fatal(err)
	}
	stereo := &StereoSet{Examples: []StereoExample{{Target: "t", BiasType: "race", Context: "A BLANK", Line: 3}}}
	text, err := json.Marshal(Recorded{Intersentence: []RecordedScore{}, Intrasentence: []RecordedScore{{"line 3 stereotype", 3}, {"line 3 anti-stereotype", 2}, {"line 3 unrelated", 1}},
		CrowsPairs: RecordPairs(ran[1:])})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "predictions.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := ReadPredictions(path)
	if err != nil || p.Skips.Count > 0 {
		t.Fatalf("%v, skipped %v", err, p.Skips)
	}
	again, skips := set.Score(p.Pairs["crows-pairs"])
	if !reflect.DeepEqual(again, ran[1:]) || skips.Count != 1 || skips.Rows[0].Line != 2 {
		t.Errorf("%v, want %v; skipped %v", again, ran[1:], skips)
	}
	if o := stereo.Score(p.Scores); len(o.Of) != 1 || !o.Of[0].Stereotype || o.Of[0].Related != 2 {
		t.Errorf("%+v", o)
	}
}

// TestPairChange pairs by name, whatever the order, and leaves out what one side lacks.
func TestPairChange(t *testing.T) {
	out := func(name string, hit bool) PairOutcome {
		o := PairOutcome{Name: name, Category: "c" + name[:1], Less: 1}
		if hit {
			o.More = 2
		}
		return o
	}
	before := []PairOutcome{out("a", true), out("b", true), out("d", false), out("e", true)}
	after := []PairOutcome{out("e", false), out("a", true), out("b", false), out("x", true)}
	c := PairChange(before, after, Resampling{Samples: 200})
	if c == nil || c.N != 3 || c.Score.Before != 100 || c.Score.After != 100./3 || c.ByCategory["ca"].Score.Change != 0 || c.ByCategory["cb"].Score.Change != -100 {
		t.Errorf("%+v", c)
	}
	if PairChange(before, nil, Resampling{}) != nil {
		t.Error("a change of nothing")
	}
}

// TestSampled draws without replacement, in order, the same from the same seed.
func TestSampled(t *testing.T) {
	list := everyIndex(50)
	a, b := Sampled(list, 20, 1), Sampled(list, 20, 1)
	if len(a) != 20 || !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, Sampled(list, 20, 2)) || !reflect.DeepEqual(Sampled(list, 0, 1), list) {
		t.Errorf("%v, %v", a, b)
	}
	for i := range a[1:] {
		if a[i] >= a[i+1] {
			t.Errorf("%v is not in order", a)
		}
	}
}
