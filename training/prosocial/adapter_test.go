package prosocial

import (
	"context"
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/training"
	"graft/training/loss"
)

// tiny is a network of a type for guessing words, and lines to train it on.
func tiny(t *testing.T, model string) (*Network, *Batches, string) {
	t.Helper()
	lines, size := realText(t)
	task, labels := language.FillMask, Masking{}.Labels
	if language.Decoder(model) {
		task, labels = language.TextGeneration, NextToken
	}
	c := language.Config{ModelType: model, VocabSize: size, HiddenSize: 16, IntermediateSize: 24, NumHiddenLayers: 2, NumAttentionHeads: 4,
		MaxPositionEmbeddings: 40, TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-5, TieWordEmbeddings: true, RopeTheta: 1e4}
	if model == "llama" {
		c.NumKeyValueHeads = 2
	}
	n, err := NewNetwork(c, task, 1)
	if err != nil {
		t.Fatal(err)
	}
	return n, &Batches{Tokens: Tokens{Size: size, Mask: 4, Special: map[int64]bool{2: true, 3: true}}, Lines: lines, Size: 8, Seed: 1, Model: model, Labels: labels}, task
}

// logitsOf are those of a model for the first lines.
func logitsOf(t *testing.T, m *onnx.Model, d *Batches) []float32 {
	t.Helper()
	got, err := open(t, m).Run(context.Background(), d.batch([]int{0, 1, 2}).feeds(), "logits")
	if err != nil {
		t.Fatal(err)
	}
	return got["logits"].Float32s()
}

func farthest(a, b []float32) float64 {
	most := 0.0
	for i, x := range a {
		most = max(most, math.Abs(float64(x)-float64(b[i])))
	}
	return most
}

// TestAdapter: at first an adapter changes nothing; with any values in its matrices the network that it is merged into gives what the
// network with it does, for weights in both layouts and grouped heads.
func TestAdapter(t *testing.T) {
	for _, model := range language.ModelTypes() {
		n, d, task := tiny(t, model)
		a := &Adapter{Rank: 3, Alpha: 5}
		build := func() *onnx.Model {
			m, err := n.Build(language.Options{Task: task})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		plain := logitsOf(t, build(), d)
		m := build()
		if err := a.add(m, 1); err != nil {
			t.Fatal(err)
		}
		if e := farthest(plain, logitsOf(t, m, d)); e != 0 {
			t.Errorf("%s: a fresh adapter changes logits by %g", model, e)
		}
		var trained []*onnx.Tensor
		for _, v := range m.Graph.Initializers() {
			if !a.trained().MatchString(v.Name) {
				continue
			}
			noise.Normal(v.Const.Float32s(), noise.NewKey(7, v.Name, 0))
			for i := range v.Const.Float32s() {
				v.Const.Float32s()[i] *= 0.1
			}
			named := *v.Const
			named.Name = v.Name
			trained = append(trained, &named)
		}
		with := logitsOf(t, m, d)
		merged, err := a.merge(n, trained)
		if err != nil {
			t.Fatal(err)
		}
		n = merged
		without := logitsOf(t, build(), d)
		if change, e := farthest(plain, with), farthest(with, without); !(change > 0.01) || e > 1e-5 {
			t.Errorf("%s: %d matrices change logits by %g; merged they are %g apart", model, len(trained), change, e)
		}
	}
	n, _, task := tiny(t, "bert")
	m, err := n.Build(language.Options{Task: task})
	if err != nil {
		t.Fatal(err)
	}
	for want, a := range map[string]*Adapter{"rank 0": {}, "rank 99": {Rank: 99}, "targets": {Rank: 2, Targets: regexp.MustCompile("nothing")}} {
		if err := a.add(m, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestAdapterTunes: the loss falls, and only the targets change.
func TestAdapterTunes(t *testing.T) {
	n, d, task := tiny(t, "llama")
	n = shaken(n, 5, 0.3)
	var first, last float64
	const steps = 150
	tuned, err := n.Tune(context.Background(), d, Tuning{Task: task, Steps: steps, Rate: 2e-2, Adapter: &Adapter{Rank: 4, Targets: regexp.MustCompile(`mlp|_proj`)}, Session: session(t),
		Told: func(step int64, loss float64) {
			switch {
			case step <= 10:
				first += loss / 10
			case step > steps-10:
				last += loss / 10
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	if !(last < first-0.2) {
		t.Errorf("the loss went from %.3f to %.3f", first, last)
	}
	if len(tuned.Weights) != len(n.Weights) {
		t.Errorf("%d weights became %d", len(n.Weights), len(tuned.Weights))
	}
	for name, w := range n.Weights {
		if same := farthest(w.Float32s(), tuned.Weights[name].Float32s()) == 0; same == layerMatrices.MatchString(name) && !strings.Contains(name, "norm") {
			t.Errorf("%s is the same: %t", name, same)
		}
	}
}

// TestAdapterPenalty holds the gradient by an adapter to differences of the penalty of what the network becomes.
func TestAdapterPenalty(t *testing.T) {
	for _, model := range []string{"bert", "gpt2"} {
		anchor, _, task := tiny(t, model)
		n := shaken(anchor, 2, 0.1)
		p := &Penalty{Anchor: anchor, Weights: map[Head]float64{{0, 1}: 0.5, {1, 3}: 2}}
		a := &Adapter{Rank: 2, Alpha: 3}
		gated, err := n.with(nil).gated(Tuning{Task: task, Adapter: a})
		if err != nil {
			t.Fatal(err)
		}
		packing := gated.Packing()
		var c training.StepConfig
		if err := p.addTo(a, n, &c, packing); err != nil {
			t.Fatal(err)
		}
		g := onnx.NewGraph("penalty")
		b := op.NewBuilder(g)
		g.AddOutput(b.Identity(c.PenaltyGradient(b, g.AddInput("w", onnx.TypeOf(onnx.Float, packing.Len())))), "gradient")
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		flat := onnx.NewTensor(onnx.Float, packing.Len())
		noise.Normal(flat.Float32s(), noise.NewKey(3, "adapter", 0))
		got, err := open(t, &onnx.Model{Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}).Run(context.Background(), map[string]*onnx.Tensor{"w": flat})
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for i, x := range got["gradient"].Float32s() {
			if i%11 != 0 {
				continue
			}
			const h = 1e-2
			at := func(d float32) float64 {
				moved := flat.Clone()
				moved.Float32s()[i] += d
				after, err := a.merge(n, packing.Unpack(moved))
				if err != nil {
					t.Fatal(err)
				}
				value, err := p.Value(after)
				if err != nil {
					t.Fatal(err)
				}
				return value
			}
			if x != 0 {
				seen++
			}
			// quadratic in one element: exact but for the rounding of what is merged in float32
			if want := (at(h) - at(-h)) / (2 * h); math.Abs(want-float64(x)) > 2e-3*max(1, math.Abs(want)) {
				t.Fatalf("%s: element %d: %g, by differences %g", model, i, x, want)
			}
		}
		if seen < 10 {
			t.Errorf("%s: %d elements have a gradient", model, seen)
		}
	}
}

// TestCheckpoint: a training that was cut off goes on to the bit, and one of other data is refused.
func TestCheckpoint(t *testing.T) {
	n, d, task := tiny(t, "gpt2")
	tune := func(ctx context.Context, k *Checkpoint, told func(int64, float64)) (*Network, error) {
		return n.Tune(ctx, d, Tuning{Task: task, Steps: 9, Rate: 1e-2, Dropout: 0.1, Adapter: &Adapter{Rank: 2}, Session: session(t), Checkpoint: k, Told: told})
	}
	whole, err := tune(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	k := &Checkpoint{Folder: t.TempDir() + "/state", Every: 2, Of: "one"}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if _, err := tune(ctx, k, func(step int64, _ float64) {
		if step == 5 {
			stop()
		}
	}); !errors.Is(err, context.Canceled) {
		t.Fatalf("cut off: %v", err)
	}
	from := int64(0)
	parts, err := tune(context.Background(), k, func(step int64, _ float64) {
		if from == 0 {
			from = step
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if from != 6 {
		t.Errorf("went on with step %d", from)
	}
	for name, w := range whole.Weights {
		if e := farthest(w.Float32s(), parts.Weights[name].Float32s()); e != 0 {
			t.Errorf("%s is %g apart", name, e)
		}
	}
	other := *k
	other.Of = "two"
	if _, err := tune(context.Background(), &other, nil); !errors.Is(err, ErrOther) {
		t.Errorf("a state of other data: %v", err)
	}
}

// TestEntropy holds the entropy of attention to sums over what the network gives, and to growing where it is asked for.
func TestEntropy(t *testing.T) {
	for _, model := range []string{"bert", "llama"} {
		n, d, task := tiny(t, model)
		n = shaken(n, 5, 0.5)
		of := func(n *Network) float64 {
			m, err := n.Build(language.Options{Task: task, Attentions: true})
			if err != nil {
				t.Fatal(err)
			}
			names := []string{}
			for _, v := range m.Graph.Outputs() {
				if strings.HasPrefix(v.Name, language.AttentionsPrefix) {
					names = append(names, v.Name)
				}
			}
			if len(names) != 2 {
				t.Fatalf("%s has attention of %d layers", model, len(names))
			}
			batch := d.batch([]int{0, 9, 20})
			got, err := open(t, m).Run(context.Background(), batch.feeds(), names...)
			if err != nil {
				t.Fatal(err)
			}
			sum, rows := 0.0, 0.0
			for _, name := range names {
				a := got[name]
				heads, s := int(a.Dims[1]), int(a.Dims[2])
				for r := range batch.Rows {
					for i := range s {
						if batch.row(batch.Mask, r)[i] == 0 {
							continue
						}
						var x []float64
						for j := range s {
							if batch.row(batch.Mask, r)[j] == 0 || language.Decoder(model) && j > i {
								continue
							}
							mean := 0.0
							for h := range heads {
								mean += float64(a.Float32s()[((r*heads+h)*s+i)*s+j]) / float64(heads)
							}
							x = append(x, mean)
						}
						total := 0.0
						for _, v := range x {
							total += math.Exp(v)
						}
						for _, v := range x {
							sum -= math.Exp(v) / total * (v - math.Log(total))
						}
						rows++
					}
				}
			}
			return sum / rows
		}
		m, err := n.Build(language.Options{Task: task, Attentions: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := withEntropy(m, lossOf(t), 1); err != nil {
			t.Fatal(err)
		}
		m.Declare(op.Opset)
		got, err := open(t, m).Run(context.Background(), d.batch([]int{0, 9, 20}).feeds(), entropyName)
		if err != nil {
			t.Fatal(err)
		}
		before := of(n)
		if is := float64(got[entropyName].Float32s()[0]); math.Abs(is-before) > 1e-5 {
			t.Errorf("%s: entropy %g, by sums %g", model, is, before)
		}
		tuned := func(weight float64) float64 {
			out, err := n.Tune(context.Background(), d, Tuning{Task: task, Steps: 60, Rate: 1e-2, Entropy: weight, Session: session(t)})
			if err != nil {
				t.Fatal(err)
			}
			return of(out)
		}
		if with, without := tuned(50), tuned(1e-9); !(with > without) {
			t.Errorf("%s: entropy %g with the regularizer, %g without", model, with, without)
		}
	}
}

func lossOf(t *testing.T) loss.Loss {
	t.Helper()
	l, err := loss.Lookup("cross-entropy")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestPerplexity holds it to sums over logits.
func TestPerplexity(t *testing.T) {
	n, d, task := tiny(t, "gpt2")
	d.Lines = d.Lines[:20]
	got, err := n.Perplexity(context.Background(), task, d, session(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := n.Build(language.Options{Task: task})
	if err != nil {
		t.Fatal(err)
	}
	s, sum, tokens := open(t, m), 0.0, int64(0)
	for i, line := range d.Lines {
		out, err := s.Run(context.Background(), d.batch([]int{i}).feeds(), "logits")
		if err != nil {
			t.Fatal(err)
		}
		v := int(out["logits"].Dims[2])
		for j, id := range line[1:] {
			row, total := out["logits"].Float32s()[j*v:][:v], 0.0
			for _, x := range row {
				total += math.Exp(float64(x))
			}
			sum += math.Log(total) - float64(row[id])
			tokens++
		}
	}
	if want := math.Exp(sum / float64(tokens)); got.Tokens != tokens || math.Abs(got.Value/want-1) > 1e-5 {
		t.Errorf("perplexity %v, want %g of %d", *got, want, tokens)
	}
}
