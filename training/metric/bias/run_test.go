package bias

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

// stages records what a run tells of its progress.
type stages struct {
	names []string
	total map[string]int
	last  map[string]int
}

func (s *stages) Stage(name string, total int) {
	if s.total == nil {
		s.total, s.last = map[string]int{}, map[string]int{}
	}
	s.names = append(s.names, name)
	s.total[name] = total
}
func (s *stages) Step(done int, _ string) { s.last[s.names[len(s.names)-1]] = done }

func toyModels(vocabulary []string) (masked, causal *Model) {
	m, c := toy{vocabulary: vocabulary}, toy{vocabulary: vocabulary, causal: true}
	return &Model{Tokenizer: m, Masked: m}, &Model{Tokenizer: c, Causal: c}
}

// TestCrowsRun holds scores of pairs to the reference's on the same model: masked one token at a time, and causal.
func TestCrowsRun(t *testing.T) {
	g := readGolden(t).Runs
	masked, causal := toyModels(g.Vocabulary)
	set := &CrowsPairs{}
	for _, p := range g.Pairs {
		set.Pairs = append(set.Pairs, CrowsPair{More: p.More, Less: p.Less, BiasType: "x"})
	}
	progress := &stages{}
	for name, m := range map[string]*Model{"masked": masked, "causal": causal} {
		got, skips, err := set.Run(context.Background(), m, Measuring{Progress: progress})
		if err != nil || skips.Count > 0 || len(got) != len(g.Pairs) {
			t.Fatalf("%s: %d pairs, skipped %v, %v", name, len(got), skips, err)
		}
		for i, o := range got {
			want := g.Pairs[i].Masked
			if name == "causal" {
				want = g.Pairs[i].Causal
			}
			near(t, name+", more", o.More, want[0])
			near(t, name+", less", o.Less, want[1])
		}
	}
	if n := progress.total["CrowS-Pairs"]; n == 0 || progress.last["CrowS-Pairs"] != n {
		t.Errorf("progress: %v", progress)
	}
	per, _, err := set.Run(context.Background(), causal, Measuring{PerToken: true})
	if err != nil {
		t.Fatal(err)
	}
	ids, err := causal.Tokenizer.Encode(g.Pairs[0].More, true)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "per token", per[0].More, g.Pairs[0].Causal[0]/float64(len(ids)))
}

// TestStereoSetRun holds scores of words and sentences to the reference's on the same model.
func TestStereoSetRun(t *testing.T) {
	g := readGolden(t).Runs
	masked, causal := toyModels(g.Vocabulary)
	set, err := ReadStereoSet("testdata/stereoset.json")
	if err != nil {
		t.Fatal(err)
	}
	intra := &StereoSet{Examples: pick(set.Examples, func(e StereoExample) bool { return !e.Inter })}
	for _, c := range []struct {
		name string
		m    *Model
		how  Average
		want runGolden
	}{{"probabilities", masked, OfProbabilities, g.Probabilities}, {"logs", masked, OfLogProbabilities, g.Logs}, {"causal", causal, OfProbabilities, g.Causal}} {
		outcomes, recorded, err := intra.Run(context.Background(), c.m, Measuring{Average: c.how})
		if err != nil || outcomes.Unscored.Count > 0 {
			t.Fatalf("%s: %v, %v", c.name, err, outcomes.Unscored)
		}
		for _, row := range recorded.Intrasentence {
			near(t, c.name+" "+row.ID, row.Score, c.want.Scores[row.ID])
		}
		r := outcomes.Result(Resampling{Samples: 100})
		near(t, c.name+" SS", r.Score, c.want.Score)
		near(t, c.name+" LMS", *r.LMS, c.want.LMS)
		near(t, c.name+" ICAT", *r.ICAT, c.want.ICAT)
	}
}

// TestIntersentence scores by a head for next sentences, by a causal model, and says that a masked model alone cannot.
func TestIntersentence(t *testing.T) {
	masked, causal := toyModels(readGolden(t).Runs.Vocabulary)
	e := StereoExample{Target: "x", BiasType: "race", Inter: true, Context: "Everyone knows Robert", Line: 7,
		Candidates: [3]Candidate{{Text: "Robert is brilliant."}, {Text: "Robert is late."}, {Text: "Robert is at home."}}}
	set := &StereoSet{Path: "f", Examples: []StereoExample{e}}
	outcomes, _, err := set.Run(context.Background(), masked, Measuring{})
	if err != nil || len(outcomes.Of) != 0 || outcomes.Unscored.Count != 1 {
		t.Fatalf("%v, %v", outcomes, err)
	}
	_, recorded, err := set.Run(context.Background(), causal, Measuring{})
	if err != nil {
		t.Fatal(err)
	}
	// "Everyone knows Robert." is 6 pieces; the rest is the candidate's.
	ids, err := causal.Tokenizer.Encode("Everyone knows Robert. Robert is brilliant.", true)
	if err != nil {
		t.Fatal(err)
	}
	before, err := causal.Tokenizer.Encode("Everyone knows Robert.", true)
	if err != nil {
		t.Fatal(err)
	}
	l, err := causal.Causal.LogLikelihoods(context.Background(), [][]int64{ids}, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "behind the context", recorded.Intersentence[0].Score, likelihood(l[0][len(before)-1:]).mean())
	if recorded.Intersentence[0].ID != "line 7 stereotype" {
		t.Errorf("id %q", recorded.Intersentence[0].ID)
	}
	masked.Next = toy{vocabulary: readGolden(t).Runs.Vocabulary}
	if outcomes, _, err = set.Run(context.Background(), masked, Measuring{}); err != nil || len(outcomes.Of) != 1 {
		t.Fatalf("%v, %v", outcomes, err)
	}
}

// TestChoices asks for pronouns: WinoBias and templates.
func TestChoices(t *testing.T) {
	masked, causal := toyModels(append([]string{"[PAD]", "[START]", "[CLS]", "[SEP]", "[MASK]", "he", "she", ".", ","}, pieces("The nurse said that would be late knew had made a mistake went home because was tired asked whether could help When the arrived looked at clock")...))
	wino := &WinoBias{Pairs: []WinoPair{{Before: "The nurse said that ", Pro: "she", Anti: "he", After: " was late.", Category: "type1"}}}
	for name, m := range map[string]*Model{"masked": masked, "causal": causal} {
		got, skips, err := wino.Run(context.Background(), m, Measuring{})
		if err != nil || len(got) != 1 || got[0].More == got[0].Less {
			t.Fatalf("%s: %v, %v, %v", name, got, skips, err)
		}
		r, skips, err := RunTemplates(context.Background(), m, []Occupation{{"nurse", -1}, {"clock", 0.5}, {"home", 1}, {"dragon", 0}}, Measuring{})
		if err != nil {
			t.Fatal(err)
		}
		if r.N != 15 || len(r.ByCategory) != 3 || skips.Count != 5 || r.Correlation == nil {
			t.Errorf("%s: %+v, skipped %v", name, r, skips)
		}
		if name == "masked" {
			p := masked.Masked.(toy)
			ids, err := masked.Tokenizer.Encode("The nurse said that [MASK] would be late.", true)
			if err != nil {
				t.Fatal(err)
			}
			l := p.logProbs(ids, 6)
			sum := l[5] - l[6]
			for _, text := range []string{"The nurse knew that [MASK] had made a mistake.", "The nurse went home because [MASK] was tired.", "The nurse asked whether [MASK] could help.", "When the nurse arrived, [MASK] looked at the clock."} {
				if ids, err = masked.Tokenizer.Encode(text, true); err != nil {
					t.Fatal(err)
				}
				for at, id := range ids {
					if id == toyMask {
						l = p.logProbs(ids, at)
						sum += l[5] - l[6]
					}
				}
			}
			near(t, "nurse", r.ByCategory["nurse"].Score, sum/5)
		}
	}
}

// pieces are the pieces of the words of a text, each once.
func pieces(text string) (out []string) {
	for _, word := range strings.Fields(strings.ToLower(text)) {
		for i := 0; i < len(word); i += 4 {
			piece := word[i:min(i+4, len(word))]
			if i > 0 {
				piece = "##" + piece
			}
			if !slices.Contains(out, piece) {
				out = append(out, piece)
			}
		}
	}
	return out
}

// TestAssociationRun embeds words once each and scores the tests of a folder.
func TestAssociationRun(t *testing.T) {
	m := toy{vocabulary: []string{"[PAD]", "[START]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e", "f", "g", "h"}}
	test := AssociationTest{Name: "weat1", X: WordSet{"x", []string{"a", "b a"}}, Y: WordSet{"y", []string{"c", "d c c"}}, A: WordSet{"a", []string{"e", "f"}}, B: WordSet{"b", []string{"g", "h"}}}
	broken := test
	broken.Name, broken.X = "weat2", WordSet{"x", []string{"unknown"}}
	set := &AssociationTests{Tests: []AssociationTest{test, broken}}
	r, skips, err := set.Run(context.Background(), &Model{Tokenizer: m, Encoder: m}, "WEAT", Measuring{})
	if err != nil {
		t.Fatal(err)
	}
	if r.N != 1 || skips.Count != 2 || math.Abs(r.ByCategory["weat1"].Score) != r.Score || *r.ByCategory["weat1"].P > 1 {
		t.Errorf("%+v, %v", r, skips)
	}
}
