package prosocial

import (
	"context"
	"math"
	"testing"

	"graft/graphs/language"
	"graft/onnx"
)

// small is a fresh network of a world.
func small(t *testing.T, w *World) *Network {
	t.Helper()
	n, err := NewNetwork(w.Config(2, 32, 4), language.FillMask, 3)
	if err != nil {
		t.Fatal(err)
	}
	return shaken(n, 5, 0.1)
}

// TestPatchesOfNothing: with gates of one the patched network is the plain one, and an intervention that changes nothing has no
// effect by any head.
func TestPatchesOfNothing(t *testing.T) {
	o, ctx, w := session(t), context.Background(), NewWorld(0.9)
	n := small(t, w)
	prompts := w.Prompts(OtherGender, 2)[:6]
	m, err := n.NewMediator(language.FillMask, o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	got, _, err := m.run(ctx, m.plain([][]int64{prompts[0].Base, prompts[1].Base}))
	if err != nil {
		t.Fatal(err)
	}
	model, err := n.Build(language.Options{Task: language.FillMask})
	if err != nil {
		t.Fatal(err)
	}
	want := run(t, model, textFeeds("bert", append(append([]int64{}, prompts[0].Base...), prompts[1].Base...), 2))
	for i, x := range want.Float32s() {
		if d := math.Abs(float64(x - got.Float32s()[i])); d > 1e-5 {
			t.Fatalf("logit %d: %g, without patches %g", i, got.Float32s()[i], x)
		}
	}
	for i := range prompts {
		prompts[i].Swapped = prompts[i].Base
	}
	e, err := m.Effects(ctx, prompts)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range e.Heads {
		if math.Abs(h.Log) > 1e-5 || math.Abs(h.Ratio) > 1e-5 {
			t.Errorf("head %v mediates %g of nothing", h.Head, h.Log)
		}
	}
	if math.Abs(e.Log) > 1e-5 {
		t.Errorf("nothing has the total effect %g", e.Log)
	}
	prompts[0].Swapped = prompts[0].Swapped[1:]
	if _, err := m.Effects(ctx, prompts); err == nil {
		t.Error("a prompt of another length was taken")
	}
}

// plantHead plants bias into one head of a network: it reads the gender of an occupation off a direction of its embedding, attends to all
// tokens evenly, and writes the difference of the pronouns' embeddings.
func plantHead(t *testing.T, w *World, n *Network, head Head) {
	t.Helper()
	words := n.Weights["bert.embeddings.word_embeddings.weight"]
	width := int(words.Dims[1])
	row := func(word string) []float32 { return words.Float32s()[int(w.number[word])*width:][:width] }
	for _, of := range occupations {
		row(of)[0] = 1
		if !mans(of) {
			row(of)[0] = -1
		}
	}
	slices, err := n.slices(head)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slices {
		weight := n.Weights[s.name]
		s.each(weight.Dims, func(i int64) { weight.Float32s()[i] = 0 })
	}
	first := int(slices[0].from)
	layer := n.Weights[slices[4].name] // value.weight
	layer.Float32s()[first*width] = 3
	out := n.Weights[slices[6].name]
	for i := range width {
		out.Float32s()[i*width+first] = 3 * (row("he")[i] - row("she")[i])
	}
}

// preference is the mean of log p(he)/p(she) over prompts.
func preference(t *testing.T, w *World, n *Network, prompts []Prompt) (mean float64) {
	t.Helper()
	m, err := n.Build(language.Options{Task: language.FillMask})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, m)
	for _, p := range prompts {
		out, err := s.Run(context.Background(), textFeeds("bert", p.Base, 1), "logits")
		if err != nil {
			t.Fatal(err)
		}
		mean += logRatio(out["logits"], 0, p.At, w.number["he"], w.number["she"]) / float64(len(prompts))
	}
	return mean
}

// balance takes a preference for one pronoun, whoever is spoken of, out of a network with a planted head, and out of what it is without
// the head: magnitudes would be those of the preference. The head's value gets a bias, found by secants.
func balance(t *testing.T, w *World, n *Network, head Head, prompts []Prompt) {
	t.Helper()
	without, err := n.Removed([]Head{head})
	if err != nil {
		t.Fatal(err)
	}
	n.Weights["cls.predictions.bias"].Float32s()[w.number["she"]] += float32(preference(t, w, without, prompts))
	slices, err := n.slices(head)
	if err != nil {
		t.Fatal(err)
	}
	bias := &n.Weights[slices[5].name].Float32s()[slices[5].from] // value.bias
	was, x := preference(t, w, n, prompts), *bias
	*bias += 0.1
	for range 4 {
		is := preference(t, w, n, prompts)
		step := float32(is / (is - was) * float64(*bias-x))
		was, x = is, *bias
		*bias -= step
	}
}

// TestPlantedHead: no head scores as high as one that bias was planted into, by any score, and most of the bias is its.
func TestPlantedHead(t *testing.T) {
	o, ctx, w := session(t), context.Background(), NewWorld(0.9)
	for _, of := range []Head{{0, 2}, {1, 1}} {
		n := small(t, w)
		plantHead(t, w, n, of)
		prompts := w.Prompts(OtherOccupation, 2)
		balance(t, w, n, of, prompts)
		m, err := n.NewMediator(language.FillMask, o)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		e, err := m.EffectsTold(ctx, prompts, func(int) { told++ })
		if err != nil {
			t.Fatal(err)
		}
		without, err := m.Ablate(ctx, prompts, func(int) { told++ })
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		a, err := n.NewAttributor(language.FillMask, o)
		if err != nil {
			t.Fatal(err)
		}
		scores := map[string]map[Head]float64{ScoreRatio: {}, ScoreLog: {}, ScoreAblation: {}, ScoreAblationBias: {}}
		whole := map[string]float64{ScoreRatio: e.Ratio, ScoreLog: e.Log, ScoreAblation: without.Signed, ScoreAblationBias: without.Bias}
		for i, h := range e.Heads {
			scores[ScoreRatio][h.Head], scores[ScoreLog][h.Head] = h.Ratio, h.Log
			x := without.Heads[i]
			scores[ScoreAblation][x.Head], scores[ScoreAblationBias][x.Head] = x.Signed, x.Bias
		}
		for _, path := range []Path{AllHeads, EachLayers} {
			parts, err := a.Attribute(ctx, prompts, Attribution{Path: path, Told: func(int) { told++ }})
			if err != nil {
				t.Fatal(err)
			}
			name := ScoreGradients + " " + string(path)
			scores[name], whole[name] = map[Head]float64{}, parts.Open
			for _, h := range parts.Heads {
				scores[name][h.Head] = h.Part
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if want := 4 * len(prompts); told != want {
			t.Errorf("told %d times, want %d", told, want)
		}
		for name, all := range scores {
			if len(all) != 8 {
				t.Fatalf("%s of %d heads", name, len(all))
			}
			for h, x := range all {
				if h != of && x >= all[of] {
					t.Errorf("%s: planted %v has %.3g, %v %.3g of %.3g", name, of, all[of], h, x, whole[name])
				}
			}
			if !(all[of] > whole[name]/2) {
				t.Errorf("%s: planted %v has %.3g of %.3g", name, of, all[of], whole[name])
			}
		}
		// what ablation says is what removing does
		removed, err := n.Removed([]Head{of})
		if err != nil {
			t.Fatal(err)
		}
		left, err := removed.Associate(ctx, language.FillMask, prompts, 2, o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range prompts {
			prompts[i].Word = string(rune('a' + i/2))
		}
		if m, err = n.NewMediator(language.FillMask, o); err != nil {
			t.Fatal(err)
		}
		if without, err = m.Ablate(ctx, prompts, nil); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		for _, h := range without.Heads {
			if h.Head != of {
				continue
			}
			if d := without.Bias - h.Bias - left.Bias; !(math.Abs(d) < 1e-5) {
				t.Errorf("without %v the bias is %g by its gate, %g by its weights", of, without.Bias-h.Bias, left.Bias)
			}
			if d := without.Signed - h.Signed - left.Signed; !(math.Abs(d) < 1e-5) {
				t.Errorf("without %v the signed bias is %g by its gate, %g by its weights", of, without.Signed-h.Signed, left.Signed)
			}
		}
	}
}

// TestComplete: the parts of heads have the sum that they are parts of, of all layers together and of each, in every architecture, and more
// nodes come nearer.
func TestComplete(t *testing.T) {
	o, ctx := session(t), context.Background()
	prompts := []Prompt{{Base: []int64{2, 7, 19, 4, 28}, At: 3, Stereotype: 8, Anti: 9}}
	all := headed(t)
	for _, name := range []string{"bert", "gpt2", "llama-grouped"} {
		n := all[name]
		a, err := n.NewAttributor(taskOf(n.Config.ModelType), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []Path{AllHeads, EachLayers} {
			var gaps []float64
			for _, how := range []Attribution{{Nodes: 3}, {Nodes: 48}, {Nodes: 3, Halvings: 8, Tolerance: 1e-4}} {
				how.Path = path
				parts, err := a.Attribute(ctx, prompts, how)
				if err != nil {
					t.Fatal(err)
				}
				moved := 0.0
				for _, closed := range parts.Closed {
					moved = max(moved, math.Abs(parts.Open-closed))
				}
				if !(moved > 1e-2) {
					t.Errorf("%s: gates move the measure by %g", name, moved)
				}
				gaps = append(gaps, parts.Gap()/moved)
			}
			if !(gaps[1] < 1e-3 && gaps[1] < gaps[0] && gaps[2] < 1e-3) {
				t.Errorf("%s by %s: the sum of parts is %.2g off with 3 nodes, %.2g with 48, %.2g with intervals halved", name, path, gaps[0], gaps[1], gaps[2])
			}
			t.Logf("%s by %s: %.2g, %.2g, %.2g", name, path, gaps[0], gaps[1], gaps[2])
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// run gives a model's logits.
func run(t *testing.T, m *onnx.Model, feeds map[string]*onnx.Tensor) *onnx.Tensor {
	t.Helper()
	s := open(t, m)
	out, err := s.Run(context.Background(), feeds, "logits")
	if err != nil {
		t.Fatal(err)
	}
	return out["logits"]
}
