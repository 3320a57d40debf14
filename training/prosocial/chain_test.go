package prosocial

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/graphs/language"
	"graft/onnx"
	"graft/training"
)

// TestWorld: sentences have known words alone, a swap undoes itself, pronouns go with occupations as often as is said, and labels
// with pronouns.
func TestWorld(t *testing.T) {
	w := NewWorld(0.9)
	if n := w.Tokens().Size; n != int64(len(w.words)) || n > 120 {
		t.Errorf("%d words", n)
	}
	words, err := Gender()
	if err != nil {
		t.Fatal(err)
	}
	corpus := w.Corpus(6000, 1)
	agree, with := 0., 0.
	for _, s := range corpus {
		if slices.Contains(w.Encode(s), unknownToken) {
			t.Fatalf("%q has a word that is not the world's", s)
		}
		swapped := words.Swap(s)
		if words.Swap(swapped.Text).Text != s || slices.Contains(w.Encode(swapped.Text), unknownToken) {
			t.Fatalf("%q became %q", s, swapped.Text)
		}
		fields := strings.Fields(s)
		i := slices.IndexFunc(fields, func(f string) bool { return slices.Contains(occupations, f) })
		if i < 0 {
			continue
		}
		with++
		if slices.Contains(fields, "he") == mans(fields[i]) {
			agree++
		}
	}
	if p := agree / with; math.Abs(p-0.9) > 4*math.Sqrt(0.09/with) {
		t.Errorf("%.3f of %g pronouns are the stereotype's", p, with)
	}
	counterfactual, err := w.Counterfactual(corpus)
	if err != nil {
		t.Fatal(err)
	}
	balance := 0
	for _, s := range counterfactual {
		for _, f := range strings.Fields(s) {
			switch f {
			case "he":
				balance++
			case "she":
				balance--
			}
		}
	}
	if balance != 0 || len(counterfactual) < len(corpus) {
		t.Errorf("%d counterfactual sentences of %d, he more often by %d", len(counterfactual), len(corpus), balance)
	}
	task := w.Task(4000, 1, "train")
	goes := 0.
	for i, s := range task.Sentences {
		if slices.Contains(strings.Fields(s), "he") == (task.Classes[i] == 1) {
			goes++
		}
		if words.Swap(s).Text != task.Swapped[i] || slices.Contains(w.Encode(s), unknownToken) {
			t.Fatalf("%q, %q", s, task.Swapped[i])
		}
	}
	if p := goes / 4000; math.Abs(p-0.9) > 4*math.Sqrt(0.09/4000) {
		t.Errorf("%.3f of the labels go with the pronoun", p)
	}
	for _, by := range []Intervention{OtherGender, OtherOccupation} {
		for _, p := range w.Prompts(by, 3) {
			if p.Base[p.At] != maskToken || p.Swapped[p.At] != maskToken || slices.Equal(p.Base, p.Swapped) || slices.Contains(p.Swapped, unknownToken) {
				t.Fatalf("%+v", p)
			}
		}
	}
}

// TestSelect finds sets by threshold, by number and by change.
func TestSelect(t *testing.T) {
	of := func(total float64, logs ...float64) *Effects {
		e := &Effects{Log: total, Ratio: total}
		for i, l := range logs {
			e.Heads = append(e.Heads, Effect{Head: Head{i / 2, i % 2}, Log: l, Ratio: -l})
		}
		return e
	}
	before, after := of(4, 2, 0.1, 1, 0.5), of(0.5, 0.05, 0.2, 0.9, 0.1)
	for _, c := range []struct {
		by   Selection
		want []Head
	}{
		{Selection{}, []Head{{0, 0}, {1, 1}}}, // at least 0.2: 0.0 and 1.0 and 1.1 before, 0.1 and 1.0 after
		{Selection{Threshold: 0.2}, []Head{{0, 0}}},
		{Selection{Top: 1}, []Head{{0, 0}}},
		{Selection{By: ByChange}, []Head{{0, 0}}},
		{Selection{By: ByChange, Top: 2}, []Head{{0, 0}, {1, 1}}},
		{Selection{By: ByChange, Top: 4}, []Head{{0, 0}, {1, 0}, {1, 1}}}, // that of 0.1 rose
		{Selection{By: ByChange, Ratio: true, Top: 4}, []Head{{0, 1}}},
	} {
		got, err := c.by.Select(before, after)
		if err != nil || !slices.Equal(got.Held, c.want) {
			t.Errorf("%+v: %+v, %v, want %v", c.by, got, err, c.want)
		}
	}
	if _, err := (Selection{By: "guess"}).Select(before, after); err == nil {
		t.Error("a rule that there is not")
	}
	widths := map[Head]float64{{0, 0}: 1, {0, 1}: 3, {1, 0}: 2}
	held := []Head{{0, 0}, {0, 1}, {1, 0}}
	for _, c := range []struct {
		by   Weighting
		want []float64
	}{{Uniform, []float64{6, 6, 6}}, {Sigma, []float64{3, 9, 6}}, {Rank, []float64{3, 9, 6}}} {
		got, err := c.by.Weights(held, 6, widths)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range held {
			if math.Abs(got[h]-c.want[i]) > 1e-12 {
				t.Errorf("%s: head %v has %g, want %g", c.by, h, got[h], c.want[i])
			}
		}
	}
}

// TestWidths: weights that nothing depends on keep the prior's width, those of the classifier are held closer. What nothing depends on,
// with noise on all other weights as well, are biases of keys, which move all scores of a token alike. A head whose outputs are multiplied
// by zeros is no such thing: noise on those zeros opens it again.
func TestWidths(t *testing.T) {
	ctx, o, w := context.Background(), session(t), NewWorld(0.9)
	n, err := NewNetwork(w.Config(1, 16, 2), language.FillMask, 1)
	if err != nil {
		t.Fatal(err)
	}
	task := w.Task(300, 1, "train")
	data := &Batches{Tokens: w.Tokens(), Lines: w.EncodeAll(task.Sentences), Size: 32, Seed: 1, Model: "bert", Labels: Classes(task.Classes)}
	tuned, err := n.Tune(ctx, data, Tuning{Task: language.TextClassification, Steps: 60, Rate: 1e-2, Session: o})
	if err != nil {
		t.Fatal(err)
	}
	widths, err := tuned.Widths(ctx, data, Posterior{Steps: 150, Samples: 300, Seed: 1, Session: o, Freeze: tables})
	if err != nil {
		t.Fatal(err)
	}
	// the part of its prior's width that a weight has, the mean over its elements
	part := func(name string) float64 {
		sum := 0.0
		prior := spread(tuned.Weights[name], false)
		for i, s := range widths[name].Float32s() {
			sum += float64(s) / math.Exp(float64(prior.Float32s()[i])) / float64(prior.Len())
		}
		return sum
	}
	if p := part("classifier.weight"); !(p < 0.9) {
		t.Errorf("the classifier's weights have %.3f of the prior's width", p)
	}
	if p := part("bert.encoder.layer.0.attention.self.key.bias"); !(math.Abs(p-1) < 0.01) {
		t.Errorf("biases of keys have %.4f of the prior's width", p)
	}
	if widths["bert.embeddings.word_embeddings.weight"] != nil {
		t.Error("what is frozen has widths")
	}
	of, err := widths.Of(tuned, tuned.Heads())
	if err != nil || len(of) != 2 {
		t.Fatalf("%v, %v", of, err)
	}
}

// TestChain goes through the chain at a size that learns nothing, and twice to the same end.
func TestChain(t *testing.T) {
	course := Course{Steps: 12, Batch: 8, Rate: 1e-2}
	c := WorldConfig{Layers: 1, Width: 16, Heads: 4, Bias: 0.9, Sentences: 100, Counterfactual: 50, Train: 60, Test: 30, Pretrain: course, Intervention: OtherOccupation,
		ChainConfig: ChainConfig{Debias: course, Tune: course, Posterior: course, Strength: 1, FreezeWords: true, Seed: 1, Session: session(t),
			Selection: Selection{By: ByChange, Top: 1}}}
	a, err := RunWorld(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	c.Variants = []Variant{RankHeads}
	b, err := RunWorld(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Tuned) != len(Variants) || len(a.Random) != len(a.Heads.Held) || len(a.Widths) != 4 {
		t.Fatalf("%d ways, %d and %d heads, %d widths", len(a.Tuned), len(a.Random), len(a.Heads.Held), len(a.Widths))
	}
	for _, x := range a.Tuned {
		if y := b.Tuned[0]; x.Variant == y.Variant && (x.Bias != y.Bias || x.Accuracy != y.Accuracy || x.Gap != y.Gap) {
			t.Errorf("%+v, then %+v", x, y)
		}
		if name := "bert.embeddings.word_embeddings.weight"; x.Variant != Vanilla && !slices.Equal(x.Network.Weights[name].Float32s(), a.Network.Weights[name].Float32s()) {
			t.Errorf("%s: words were tuned", x.Variant)
		}
	}
}

// TestHeld: a strong penalty keeps a head near its anchor, and others move as without one.
func TestHeld(t *testing.T) {
	ctx, o, w := context.Background(), session(t), NewWorld(0.9)
	n, err := NewNetwork(w.Config(2, 16, 2), language.FillMask, 1)
	if err != nil {
		t.Fatal(err)
	}
	task := w.Task(200, 1, "train")
	data := &Batches{Tokens: w.Tokens(), Lines: w.EncodeAll(task.Sentences), Size: 16, Seed: 1, Model: "bert", Labels: Classes(task.Classes)}
	held := Head{1, 0}
	moved := func(strength float64) (float64, float64) {
		c := Tuning{Task: language.TextClassification, Steps: 60, Rate: 3e-3, Session: o}
		if strength > 0 {
			c.Penalty = &Penalty{Anchor: n, Weights: map[Head]float64{held: strength}}
		}
		tuned, err := n.Tune(ctx, data, c)
		if err != nil {
			t.Fatal(err)
		}
		far := func(h Head) float64 {
			d, err := (&Penalty{Anchor: n, Weights: map[Head]float64{h: 1}}).Value(tuned)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		return far(held), far(Head{0, 1})
	}
	free, other := moved(0)
	pinned, stays := moved(10)
	if !(pinned < free/10) || !(stays > other/3) {
		t.Errorf("the head went %.3g far, held %.3g; another %.3g and %.3g", free, pinned, other, stays)
	}
}

// TestTuneRefused: a run that diverges says so, and what cannot be tuned is refused.
func TestTuneRefused(t *testing.T) {
	ctx, o, w := context.Background(), session(t), NewWorld(0.9)
	n, err := NewNetwork(w.Config(1, 16, 2), language.FillMask, 1)
	if err != nil {
		t.Fatal(err)
	}
	data := &Batches{Tokens: w.Tokens(), Lines: w.EncodeAll(w.Corpus(50, 1)), Size: 8, Seed: 1, Model: "bert", Labels: Masking{}.Labels}
	spoiled := n.with(nil)
	bad := onnx.NewTensor(onnx.Float, 16)
	bad.Name = "bert.embeddings.LayerNorm.weight"
	bad.Float32s()[0] = float32(math.NaN())
	spoiled.Weights[bad.Name] = bad
	if _, err := spoiled.Tune(ctx, data, Tuning{Task: language.FillMask, Steps: 3, Rate: 1e-3, Session: o}); !errors.Is(err, training.ErrDiverged) {
		t.Errorf("NaN: %v", err)
	}
	empty := *data
	empty.Lines = nil
	if _, err := n.Tune(ctx, &empty, Tuning{Task: language.FillMask, Steps: 3, Rate: 1e-3, Session: o}); err == nil {
		t.Error("no lines were tuned on")
	}
	if _, err := n.Tune(ctx, data, Tuning{Task: "question-answering", Steps: 1, Session: o}); err == nil {
		t.Error("a task that there is not")
	}
	if _, err := n.Associate(ctx, language.FillMask, w.Prompts(OtherGender, 3), 7, o); err == nil {
		t.Error("prompts by 7")
	}
}
