package prosocial

import (
	"context"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
	"graft/runtime"
	"graft/runtime/runtimetest"
	"graft/training"
)

func session(t testing.TB) runtime.Options {
	o := runtimetest.Options(t)
	o.Threads = 1
	return o
}

// TestMasking holds the parts of what is guessed to 15 %, and of that 80 % masked, 10 % other, 10 % kept.
func TestMasking(t *testing.T) {
	tokens := Tokens{Size: 1000, Pad: 0, Mask: 4, Special: map[int64]bool{2: true, 3: true}}
	var lines [][]int64
	for i := range 400 {
		line := []int64{2}
		for j := range 40 + i%20 {
			line = append(line, int64(5+(i*31+j*7)%995))
		}
		lines = append(lines, append(line, 3))
	}
	d := &Batches{Tokens: tokens, Lines: lines, Size: 16, Seed: 7, Model: "bert", Labels: Masking{}.Labels}
	var seen, guessed, masked, kept, other float64
	for step := int64(1); step <= d.PerEpoch(); step++ {
		plain := *d
		plain.Labels = nil
		was, err := plain.At(step)
		if err != nil {
			t.Fatal(err)
		}
		is, err := d.At(step)
		if err != nil {
			t.Fatal(err)
		}
		a, b, mask, labels := was["input_ids"].Int64s(), is["input_ids"].Int64s(), is["attention_mask"].Int64s(), is[training.InputLabels].Int64s()
		for i := range a {
			special := mask[i] == 0 || a[i] == 2 || a[i] == 3
			if !special {
				seen++
			}
			switch {
			case labels[i] == IgnoreLabel:
				if a[i] != b[i] {
					t.Fatalf("step %d: token %d became %d and is not guessed", step, a[i], b[i])
				}
			case special || labels[i] != a[i]:
				t.Fatalf("step %d: token %d has the label %d", step, a[i], labels[i])
			case b[i] == tokens.Mask:
				guessed, masked = guessed+1, masked+1
			case b[i] == a[i]:
				guessed, kept = guessed+1, kept+1
			default:
				guessed, other = guessed+1, other+1
			}
		}
	}
	for _, c := range []struct {
		what             string
		part, of, wanted float64
	}{{"guessed", guessed, seen, 0.15}, {"masked", masked, guessed, 0.8}, {"other", other, guessed, 0.1}, {"kept", kept, guessed, 0.1}} {
		// four standard errors of a binomial part
		if p, e := c.part/c.of, 4*math.Sqrt(c.wanted*(1-c.wanted)/c.of); math.Abs(p-c.wanted) > e {
			t.Errorf("%s: %.4f, want %.2f ± %.4f", c.what, p, c.wanted, e)
		}
	}
}

// TestBatches: an epoch has every line once, another epoch another order, and batches are the same when they are asked for again.
func TestBatches(t *testing.T) {
	var lines [][]int64
	for i := range 50 {
		lines = append(lines, slices.Repeat([]int64{int64(i + 1)}, 1+i%7))
	}
	d := &Batches{Tokens: Tokens{Size: 60}, Lines: lines, Size: 8, Seed: 1, Model: "gpt2", Labels: NextToken}
	epoch := func(from int64) (firsts []int64) {
		for step := from; step < from+d.PerEpoch(); step++ {
			got, err := d.At(step)
			if err != nil {
				t.Fatal(err)
			}
			ids, mask, labels := got["input_ids"], got["attention_mask"].Int64s(), got[training.InputLabels].Int64s()
			if got["token_type_ids"] != nil {
				t.Fatal("GPT-2 has no segments")
			}
			width := int(ids.Dims[1])
			for i, id := range ids.Int64s() {
				if i%width == 0 {
					firsts = append(firsts, id)
				}
				want := int64(IgnoreLabel)
				if i%width+1 < width && mask[i+1] == 1 {
					want = ids.Int64s()[i+1]
				}
				if labels[i] != want || (id == 0) != (mask[i] == 0) {
					t.Fatalf("step %d: token %d has mask %d and label %d, want %d", step, id, mask[i], labels[i], want)
				}
			}
		}
		return firsts
	}
	a, b, again := epoch(1), epoch(1+d.PerEpoch()), epoch(1)
	if !slices.Equal(a, again) || slices.Equal(a, b) {
		t.Error("the order is not one of seed and epoch")
	}
	slices.Sort(a)
	for i, id := range a {
		if id != int64(i+1) {
			t.Fatalf("an epoch has the lines %v", a)
		}
	}
}

// realText are lines of the licence as numbers of its words.
func realText(t *testing.T) (lines [][]int64, size int64) {
	t.Helper()
	data, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	number := map[string]int64{}
	for line := range strings.Lines(string(data)) {
		ids := []int64{2}
		for _, word := range strings.FieldsFunc(strings.ToLower(line), func(r rune) bool { return r < 'a' || r > 'z' }) {
			if number[word] == 0 {
				number[word] = int64(5 + len(number))
			}
			ids = append(ids, number[word])
		}
		if len(ids) > 3 {
			lines = append(lines, append(ids[:min(len(ids), 30)], 3))
		}
	}
	return lines, int64(5 + len(number))
}

// TestTune: both losses fall on text, with dropout too, and what is frozen stays as it is.
func TestTune(t *testing.T) {
	o := session(t)
	lines, size := realText(t)
	frozen := regexp.MustCompile(`position_embeddings|wpe`)
	for _, c := range []struct {
		model, task string
		labels      func(*Batch)
		dropout     float64
	}{{"bert", language.FillMask, Masking{}.Labels, 0}, {"gpt2", language.TextGeneration, NextToken, 0.1}} {
		config := language.Config{ModelType: c.model, VocabSize: size, HiddenSize: 32, IntermediateSize: 64, NumHiddenLayers: 1, NumAttentionHeads: 2,
			MaxPositionEmbeddings: 32, TypeVocabSize: 2, HiddenAct: "gelu", NormEps: 1e-5, TieWordEmbeddings: true}
		n, err := NewNetwork(config, c.task, 1)
		if err != nil {
			t.Fatal(err)
		}
		data := &Batches{Tokens: Tokens{Size: size, Mask: 4, Special: map[int64]bool{2: true, 3: true}}, Lines: lines, Size: 16, Seed: 1, Model: c.model, Labels: c.labels}
		var first, last float64
		const steps = 400
		tuned, err := n.Tune(context.Background(), data, Tuning{Task: c.task, Steps: steps, Rate: 1e-2, Warmup: 0.1, Dropout: c.dropout, Freeze: frozen, Seed: 1, Session: o, Told: func(step int64, loss float64) {
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
		t.Logf("%s: %.3f to %.3f", c.model, first, last)
		if !(last < first-1) {
			t.Errorf("%s: the loss went from %.3f to %.3f", c.model, first, last)
		}
		for name, w := range n.Weights {
			same := slices.Equal(w.Float32s(), tuned.Weights[name].Float32s())
			if same != frozen.MatchString(name) && !strings.Contains(name, "key.bias") { // whose gradient is zero
				t.Errorf("%s: %s is the same: %t", c.model, name, same)
			}
		}
	}
}

// shaken is a network with noise on its weights.
func shaken(n *Network, seed uint64, deviation float32) *Network {
	var weights []*onnx.Tensor
	for name, w := range n.Weights {
		t := onnx.NewTensor(onnx.Float, w.Dims...)
		t.Name = name
		noise.Normal(t.Float32s(), noise.NewKey(seed, name, 0))
		for i, x := range w.Float32s() {
			t.Float32s()[i] = x + deviation*t.Float32s()[i]
		}
		weights = append(weights, t)
	}
	return n.with(weights)
}

// TestPenaltyGradient holds the gradient that a step has to differences of the penalty.
func TestPenaltyGradient(t *testing.T) {
	o := session(t)
	w := NewWorld(0.9)
	anchor, err := NewNetwork(w.Config(2, 16, 4), language.FillMask, 1)
	if err != nil {
		t.Fatal(err)
	}
	n := shaken(anchor, 2, 0.1)
	p := &Penalty{Anchor: anchor, Weights: map[Head]float64{{0, 1}: 0.5, {1, 3}: 2}}
	gated, err := n.with(nil).gated(Tuning{Task: language.FillMask})
	if err != nil {
		t.Fatal(err)
	}
	packing := gated.Packing()
	var c training.StepConfig
	if err := p.add(&c, packing); err != nil {
		t.Fatal(err)
	}
	g := onnx.NewGraph("penalty")
	b := op.NewBuilder(g)
	g.AddOutput(b.Identity(c.PenaltyGradient(b, g.AddInput("w", onnx.TypeOf(onnx.Float, packing.Len())))), "gradient")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	s, err := runtime.OpenModel(&onnx.Model{Opsets: []onnx.Opset{{Version: op.Opset}}, Graph: g}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	flat, err := gated.Initial()
	if err != nil {
		t.Fatal(err)
	}
	feeds := map[string]*onnx.Tensor{"w": flat, inputAnchor: c.Constants[inputAnchor], inputFactor: c.Constants[inputFactor]}
	got, err := s.Run(context.Background(), feeds)
	if err != nil {
		t.Fatal(err)
	}
	gradient := got["gradient"].Float32s()
	touched := 0
	for i, x := range gradient {
		if x != 0 {
			touched++
		}
		if i%97 != 0 && x == 0 || i%13 != 0 && x != 0 {
			continue
		}
		const h = 1e-2
		at := func(d float32) float64 {
			moved := flat.Clone()
			moved.Float32s()[i] += d
			value, err := p.Value(n.with(packing.Unpack(moved)))
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
		// exact for a quadratic but for the rounding of w in float32
		if want := (at(h) - at(-h)) / (2 * h); math.Abs(want-float64(x)) > 1e-4 {
			t.Fatalf("element %d: %g, by differences %g", i, x, want)
		}
	}
	// query, key and value of 4 rows of 16 with a bias each, and 4 columns of 16
	if want := 2 * (3*(4*16+4) + 4*16); touched != want {
		t.Errorf("%d elements have a gradient, want %d", touched, want)
	}
}

// TestHeadSlices: the heads of a layer share nothing, and have all of it together.
func TestHeadSlices(t *testing.T) {
	for _, model := range language.ModelTypes() {
		task := language.FillMask
		if language.Decoder(model) {
			task = language.TextGeneration
		}
		c := language.Config{ModelType: model, VocabSize: 11, HiddenSize: 12, IntermediateSize: 8, NumHiddenLayers: 2, NumAttentionHeads: 3, MaxPositionEmbeddings: 9,
			TypeVocabSize: 1, HiddenAct: "gelu", NormEps: 1e-5, PadTokenID: 1}
		n, err := NewNetwork(c, task, 1)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string][]int{}
		for _, h := range n.Heads() {
			slices, err := n.slices(h)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range slices {
				w := n.Weights[s.name]
				if count[s.name] == nil {
					count[s.name] = make([]int, w.Len())
				}
				s.each(w.Dims, func(i int64) { count[s.name][i]++ })
			}
		}
		if len(count) < 2*3 {
			t.Errorf("%s: heads have %d weights", model, len(count))
		}
		for name, of := range count {
			if slices.ContainsFunc(of, func(k int) bool { return k != 1 }) {
				t.Errorf("%s: %s is not in one head for each element", model, name)
			}
		}
		if _, err := n.slices(Head{2, 0}); err == nil {
			t.Errorf("%s: a head of no layer", model)
		}
	}
}

func open(t *testing.T, m *onnx.Model) *runtime.Session {
	t.Helper()
	s, err := runtime.OpenModel(m, session(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
