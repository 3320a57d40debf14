package prosocial

import (
	"context"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"graft/graphs/language"
	"graft/onnx/limits"
)

// biblePeople are lines of the King James Bible, of which four occupations have twenty each.
func biblePeople(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/kjv_people.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func genderPairs(t testing.TB) *Words {
	t.Helper()
	w, err := Gender()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestGendered counts words of a man and of a woman, the pronouns by what follows.
func TestGendered(t *testing.T) {
	w := genderPairs(t)
	for text, want := range map[string][2]int{
		"He gave her his book.":        {2, 1},
		"The nurse is here.":           {0, 0},
		"Her brother's wife, hers":     {1, 3},
		"QUEENS and him and the uncle": {2, 1},
	} {
		if a, b := w.Gendered(text); [2]int{a, b} != want {
			t.Errorf("%q: %d and %d, want %v", text, a, b, want)
		}
	}
}

// TestTextWorld: genders go with occupations as often as is said, what is tested on is in no training, and a swap undoes the rest.
func TestTextWorld(t *testing.T) {
	words := genderPairs(t)
	var lines []string
	for range 10 { // enough for a part
		lines = append(lines, biblePeople(t)...)
	}
	agree, all := 0., 0.
	var w *TextWorld
	for seed := range uint64(2) {
		var err error
		if w, err = NewTextWorld(lines, TextConfig{Bias: 0.9, Words: words, Least: 100, Vocabulary: 900, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		for i, s := range slices.Concat(w.Train.Sentences, w.Test.Sentences) {
			f, m := words.Gendered(s)
			class := slices.Concat(w.Train.Classes, w.Test.Classes)[i]
			if all++; (f > m) == (class == 1) {
				agree++
			}
			swapped := slices.Concat(w.Train.Swapped, w.Test.Swapped)[i]
			if a, b := words.Gendered(swapped); (a > b) == (f > m) {
				t.Fatalf("%q became %q", s, swapped)
			}
		}
	}
	// Lines are there ten times, of which each draws anew: four standard errors.
	if p := agree / all; math.Abs(p-0.9) > 4*math.Sqrt(0.09/all) {
		t.Errorf("%.4f of %g lines have the gender of their occupation", p, all)
	}
	if !slices.Equal(w.Men, []string{"captain", "prophet"}) && len(w.Men)+len(w.Women) != 4 {
		t.Errorf("men %v, women %v", w.Men, w.Women)
	}
	if len(w.Counterfactual) != 2*len(w.Lines) || w.Stereotyped != len(w.Train.Sentences)+len(w.Test.Sentences) {
		t.Errorf("%d counterfactual lines of %d, %d of %d about occupations", len(w.Counterfactual), len(w.Lines), w.Stereotyped, len(w.Train.Sentences)+len(w.Test.Sentences))
	}
	once, err := NewTextWorld(biblePeople(t), TextConfig{Bias: 0.9, Words: words, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range once.Test.Sentences {
		if slices.Contains(once.Lines, s) {
			t.Errorf("%q is tested on and trained on", s)
		}
	}
	p, err := once.Prompts(OtherOccupation)
	if err != nil || len(p.Prompts) != p.Each*len(p.Names) || len(p.Left) != 0 || p.Pieces {
		t.Fatalf("%+v, %v", p, err)
	}
	e := once.Encoder()
	for _, q := range p.Prompts {
		if q.Base[q.At] != e.Tokenizer.Roles.Mask || q.Swapped[q.At] != q.Base[q.At] || slices.Contains(q.Base, e.Tokenizer.Roles.Unknown) {
			t.Errorf("%+v", q)
		}
	}
	if _, err := NewTextWorld(biblePeople(t)[:5], TextConfig{Bias: 0.9, Words: words}); err == nil || !strings.Contains(err.Error(), "two occupations") {
		t.Errorf("five lines: %v", err)
	}
	if _, ok := err.(*limits.InputError); err != nil && !ok {
		t.Error(err)
	}
}

// TestTextChain pretrains a BERT of four layers on text, at a size that learns little, and goes through the chain.
func TestTextChain(t *testing.T) {
	w, err := NewTextWorld(biblePeople(t), TextConfig{Bias: 1, Words: genderPairs(t), Vocabulary: 500, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	o := session(t)
	n, err := NewNetwork(w.Config(4, 16, 2), language.FillMask, 1)
	if err != nil {
		t.Fatal(err)
	}
	var first, last float64
	n, err = w.Pretrain(context.Background(), n, Course{Steps: 50, Batch: 8, Rate: 3e-3}, Tuning{Seed: 1, Session: o, Told: func(step int64, loss float64) {
		if step <= 10 {
			first += loss / 10
		}
		if step > 40 {
			last += loss / 10
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !(last < first-0.2) {
		t.Errorf("the loss went from %.3f to %.3f", first, last)
	}
	task, err := w.Task()
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Prompts(OtherOccupation)
	if err != nil {
		t.Fatal(err)
	}
	e := w.Encoder()
	tokens, err := e.Tokens(n.Config.VocabSize)
	if err != nil {
		t.Fatal(err)
	}
	counterfactual, err := e.Texts(w.Counterfactual)
	if err != nil {
		t.Fatal(err)
	}
	course := Course{Steps: 6, Batch: 8, Rate: 1e-3}
	out, err := RunChain(context.Background(), n, &Corpora{Tokens: tokens, Task: language.FillMask, Counterfactual: counterfactual, Mediation: p.Prompts[:4],
		Probes: p.Prompts, ProbesEach: p.Each, Train: task.Train, Measure: task.Measure},
		ChainConfig{Debias: course, Tune: course, Posterior: course, Strength: 1, FreezeWords: true, Seed: 1, Session: o, Variants: []Variant{DebiasedTuning, SigmaHeads},
			Selection: Selection{By: ByChange, Top: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Tuned) != 2 || len(out.Before.Heads) != 8 || !(out.Pretrained.Mass > 0) || !(out.Tuned[0].Accuracy > 0) {
		t.Errorf("%+v", out)
	}
}

// TestCutOff: a chain that is cut off goes on to the same end, and tunes on parts of the training set.
func TestCutOff(t *testing.T) {
	w := NewWorld(0.9)
	n, err := NewNetwork(w.Config(1, 16, 2), language.FillMask, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := w.corpora(WorldConfig{Sentences: 60, Counterfactual: 60, Train: 40, Test: 20, Intervention: OtherOccupation, ChainConfig: ChainConfig{Seed: 1}})
	if err != nil {
		t.Fatal(err)
	}
	c.Mediation = c.Mediation[:4]
	course := Course{Steps: 6, Batch: 8, Rate: 1e-3}
	config := ChainConfig{Debias: course, Tune: course, Posterior: course, Strength: 1, FreezeWords: true, Seed: 1, Session: session(t), Variants: []Variant{Vanilla, DebiasedTuning, SigmaHeads},
		Selection: Selection{By: ByChange, Top: 1}, Samples: []int{8, 40}}
	whole, err := RunChain(context.Background(), n, c, config)
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.Bound) != 2 || whole.Bound[0].Steps != 1 || len(whole.Bound[1].Tuned) != 3 || whole.Bound[1].Tuned[0].Bias != whole.Tuned[0].Bias {
		t.Errorf("%+v", whole.Bound)
	}
	config.Work, config.SaveEvery = t.TempDir(), 2
	for _, stop := range []string{"debias", string(DebiasedTuning), string(SigmaHeads)} {
		ctx, cancel := context.WithCancel(context.Background())
		config.Told = func(phase string, step, _ int64, _ float64) {
			if phase == stop && step == 3 {
				cancel()
			}
		}
		if _, err := RunChain(ctx, n, c, config); err == nil {
			t.Errorf("%s: went on", stop)
		}
		cancel()
	}
	begun := map[string]int64{}
	config.Told = func(phase string, step, _ int64, _ float64) {
		if begun[phase] == 0 {
			begun[phase] = step
		}
	}
	again, err := RunChain(context.Background(), n, c, config)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range whole.Tuned {
		if y := again.Tuned[i]; x.Bias != y.Bias || x.Accuracy != y.Accuracy || x.Gap != y.Gap {
			t.Errorf("%s: %g, %g, %g, and after stops %g, %g, %g", x.Variant, x.Bias, x.Accuracy, x.Gap, y.Bias, y.Accuracy, y.Gap)
		}
	}
	if begun["debias"] != 0 || begun[string(Vanilla)] != 0 || begun[string(SigmaHeads)] != 4 {
		t.Errorf("phases began again at %v", begun)
	}
}
