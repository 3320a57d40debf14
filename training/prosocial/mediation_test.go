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

// TestPlantedHead plants bias into one head: it reads the gender of an occupation off a direction of its embedding, attends to all
// tokens evenly, and writes the difference of the pronouns' embeddings. No other head mediates as much.
func TestPlantedHead(t *testing.T) {
	o, ctx, w := session(t), context.Background(), NewWorld(0.9)
	for _, planted := range []Head{{0, 2}, {1, 1}} {
		n := small(t, w)
		words := n.Weights["bert.embeddings.word_embeddings.weight"]
		width := int(words.Dims[1])
		row := func(word string) []float32 { return words.Float32s()[int(w.number[word])*width:][:width] }
		for _, of := range occupations {
			row(of)[0] = 1
			if !mans(of) {
				row(of)[0] = -1
			}
		}
		slices, err := n.slices(planted)
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
		m, err := n.NewMediator(language.FillMask, o)
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.Effects(ctx, w.Prompts(OtherOccupation, 2))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		var of Effect
		for _, h := range e.Heads {
			if h.Head == planted {
				of = h
			}
		}
		for _, h := range e.Heads {
			if h.Head != planted && (h.Log >= of.Log || h.Ratio >= of.Ratio) {
				t.Errorf("planted %v mediates %.3g, %v %.3g of %.3g", planted, of.Log, h.Head, h.Log, e.Log)
			}
		}
		if !(of.Log > e.Log/2) {
			t.Errorf("planted %v mediates %.3g of %.3g", planted, of.Log, e.Log)
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
