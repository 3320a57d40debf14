package prosocial

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"graft/graphs/language"
	"graft/onnx"
)

// headed are networks of every type whose layers have heads enough to lose some: of Llama also one whose heads share keys and values.
func headed(t *testing.T) map[string]*Network {
	t.Helper()
	out := map[string]*Network{}
	for _, name := range append(language.ModelTypes(), "llama-grouped", "llama-biased") {
		model, form, _ := strings.Cut(name, "-")
		c := language.Config{ModelType: model, VocabSize: 29, HiddenSize: 24, IntermediateSize: 20, NumHiddenLayers: 3, NumAttentionHeads: 6, MaxPositionEmbeddings: 17,
			TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-5, PadTokenID: 1, TieWordEmbeddings: true}
		if form != "" {
			c.NumKeyValueHeads = 2
			c.AttentionBias = form == "biased"
		}
		n, err := NewNetwork(c, taskOf(model), 1)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = shaken(n, 3, 0.2)
	}
	return out
}

// taskOf is the language model's.
func taskOf(model string) string {
	if language.Decoder(model) {
		return language.TextGeneration
	}
	return language.FillMask
}

// apart is the largest difference of two models' logits of two texts of six tokens.
func outputsApart(t *testing.T, a, b *onnx.Model, model string) (worst float64) {
	t.Helper()
	feeds := textFeeds(model, []int64{2, 7, 19, 4, 28, 3, 5, 6, 11, 22, 9, 8}, 2)
	x, y := run(t, a, feeds), run(t, b, maps.Clone(feeds))
	if !slices.Equal(x.Dims, y.Dims) {
		t.Fatalf("%v and %v", x.Dims, y.Dims)
	}
	for i, v := range x.Float32s() {
		d := math.Abs(float64(v - y.Float32s()[i]))
		if math.IsNaN(d) {
			return d
		}
		worst = max(worst, d)
	}
	return worst
}

// TestRemoved: gates that are zero in the file, weights that are, and heads that are gone give the same; heads that share keys and
// values may go in any number, and all of a layer. Heads of a network that lost some can go too, and are found in it.
func TestRemoved(t *testing.T) {
	for name, n := range headed(t) {
		t.Run(name, func(t *testing.T) {
			model, task := n.Config.ModelType, taskOf(n.Config.ModelType)
			build := func(n *Network, o language.Options) *onnx.Model {
				t.Helper()
				o.Task = task
				m, err := n.Build(o)
				if err != nil {
					t.Fatal(err)
				}
				return m
			}
			whole := build(n, language.Options{})
			for _, gone := range []map[int64][]int64{{0: {0, 5}, 1: {3, 4, 5}, 2: {2}}, {0: {3, 4, 5}, 1: {0, 1, 2, 3, 4, 5}}} {
				var heads []Head
				for _, layer := range slices.Sorted(maps.Keys(gone)) {
					for _, h := range gone[layer] {
						heads = append(heads, Head{int(layer), int(h)})
					}
				}
				closed := build(n, language.Options{Gates: language.GatesFixed, Closed: gone})
				if d := outputsApart(t, whole, closed, model); !(d > 1e-2) {
					t.Fatalf("without %v logits are only %g apart", gone, d)
				}
				masked, err := n.Masked(heads)
				if err != nil {
					t.Fatal(err)
				}
				if d := outputsApart(t, build(masked, language.Options{}), closed, model); !(d < 1e-5) {
					t.Errorf("%v: masked, %g from what closed gates give", gone, d)
				}
				removed, err := n.Removed(heads)
				if err != nil {
					t.Fatal(err)
				}
				small := build(removed, language.Options{})
				if d := outputsApart(t, small, closed, model); !(d < 1e-5) {
					t.Errorf("%v: removed, %g from what closed gates give", gone, d)
				}
				if a, b := numbers(small), numbers(whole); a >= b {
					t.Errorf("%v: %d numbers of %d are left", gone, a, b)
				}
				if len(removed.Heads())+len(heads) != len(n.Heads()) {
					t.Errorf("%v: %d heads are left of %d", gone, len(removed.Heads()), len(n.Heads()))
				}
				if slices.ContainsFunc(removed.Heads(), func(h Head) bool { return slices.Contains(heads, h) }) {
					t.Errorf("%v are among %v", heads, removed.Heads())
				}
				// in two steps
				first, err := n.Removed(heads[:1])
				if err != nil {
					t.Fatal(err)
				}
				second, err := first.Removed(heads[1:])
				if err != nil {
					t.Fatal(err)
				}
				if d := outputsApart(t, build(second, language.Options{}), small, model); d != 0 {
					t.Errorf("%v: removed one after the other, %g apart", gone, d)
				}
				// a head that is left is the same head
				last := removed.Heads()[len(removed.Heads())-1]
				x, err := removed.Masked([]Head{last})
				if err != nil {
					t.Fatal(err)
				}
				y, err := masked.Masked([]Head{last})
				if err != nil {
					t.Fatal(err)
				}
				if d := outputsApart(t, build(x, language.Options{}), build(y, language.Options{}), model); !(d < 1e-5) {
					t.Errorf("%v, and %v masked: %g apart", gone, last, d)
				}
				if _, err := removed.Masked(heads[:1]); err == nil || !strings.Contains(err.Error(), "was removed") {
					t.Errorf("a head that is gone was masked: %v", err)
				}
			}
		})
	}
}

// TestRemovedMediates: effects of the heads that are left are those that they have in the masked network.
func TestRemovedMediates(t *testing.T) {
	o, ctx, w := session(t), context.Background(), NewWorld(0.9)
	n := small(t, w)
	gone := []Head{{0, 0}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {1, 3}}
	var effects []map[Head]float64
	for _, make := range []func([]Head) (*Network, error){n.Masked, n.Removed} {
		of, err := make(gone)
		if err != nil {
			t.Fatal(err)
		}
		m, err := of.NewMediator(language.FillMask, o)
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.Effects(ctx, w.Prompts(OtherOccupation, 1)[:6])
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		all := map[Head]float64{}
		for _, h := range e.Heads {
			all[h.Head] = h.Log
		}
		effects = append(effects, all)
	}
	if len(effects[1]) != 2 {
		t.Errorf("effects of %v", effects[1])
	}
	for h, e := range effects[1] {
		if d := math.Abs(e - effects[0][h]); !(d < 1e-5) {
			t.Errorf("%v mediates %g, in the masked network %g", h, e, effects[0][h])
		}
	}
}

// numbers counts weights.
func numbers(m *onnx.Model) (n int64) {
	for _, v := range m.Graph.Initializers() {
		n += v.Const.Len()
	}
	return n
}

// TestRemovedWithCache: a decoder without heads writes on as one that computes the text anew.
func TestRemovedWithCache(t *testing.T) {
	n := headed(t)["llama-grouped"]
	removed, err := n.Removed([]Head{{0, 0}, {1, 3}, {1, 4}, {1, 5}, {2, 0}, {2, 1}, {2, 2}, {2, 3}, {2, 4}, {2, 5}})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := removed.Build(language.Options{Task: language.TextGeneration})
	if err != nil {
		t.Fatal(err)
	}
	cached, err := removed.Build(language.Options{Task: language.TextGeneration, Cache: true})
	if err != nil {
		t.Fatal(err)
	}
	want := run(t, plain, textFeeds("llama", []int64{2, 7, 19, 4}, 1))
	s := open(t, cached)
	past := map[string]*onnx.Tensor{}
	for _, v := range cached.Graph.Inputs() {
		if d := v.Type.Shape; len(d) == 4 {
			past[v.Name] = onnx.NewTensor(onnx.Float, 1, d[1].Size, 0, d[3].Size)
		}
	}
	if heads := []int64{past["past_key_values.0.key"].Dims[1], past["past_key_values.1.key"].Dims[1]}; len(past) != 4 || heads[0] != 2 || heads[1] != 1 {
		t.Fatalf("%d caches, of %v heads", len(past), heads)
	}
	for at, id := range []int64{2, 7, 19, 4} {
		feeds := maps.Clone(past)
		feeds["input_ids"] = onnx.FromSlice([]int64{id}, 1, 1)
		feeds["attention_mask"] = onnx.FromSlice(slices.Repeat([]int64{1}, at+1), 1, int64(at+1))
		got, err := s.Run(context.Background(), feeds)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got["logits"].Float32s() {
			if d := math.Abs(float64(v - want.Float32s()[at*29+i])); !(d < 1e-5) {
				t.Fatalf("token %d, logit %d: %g apart", at, i, d)
			}
		}
		for name := range past {
			past[name] = got[fmt.Sprintf("present.%s", strings.TrimPrefix(name, "past_key_values."))]
		}
	}
}
