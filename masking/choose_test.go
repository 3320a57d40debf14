package masking

import (
	"math"
	"slices"
	"strings"
	"testing"

	"graft/onnx"
)

// weights is a graph of two weights that are read as such, an index, and norm statistics.
func weights(a, b []float32) *onnx.Graph {
	g := onnx.NewGraph("weights")
	x := g.AddInput("x", onnx.TypeOf(onnx.Float, 1, int64(len(a))))
	first := g.AddInitializer("first", onnx.FromSlice(a, int64(len(a)), 1))
	second := g.AddInitializer("second", onnx.FromSlice(b, 1, int64(len(b))))
	mean := g.AddInitializer("mean", onnx.NewTensor(onnx.Float, int64(len(b))))
	y := g.Add("MatMul", []*onnx.Value{g.Add("MatMul", []*onnx.Value{x, first}, 1).Output(0), second}, 1).Output(0)
	norm := g.Add("BatchNormalization", []*onnx.Value{y, nil, nil, mean, mean}, 1)
	g.AddInitializer("index", onnx.FromSlice([]int64{1}))
	g.AddOutput(norm.Output(0), "y")
	return g
}

func TestChooseScopes(t *testing.T) {
	g := weights([]float32{1, -10, 2, 9}, []float32{0.5, 0.1, -8, 0.2})
	parameters := Parameters(g)
	if len(parameters) != 2 || parameters[0].Name != "first" || parameters[1].Name != "second" {
		t.Fatalf("parameters: %v", parameters)
	}
	score, err := FindScore("magnitude")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		scope         Scope
		first, second []bool
	}{
		{Global, []bool{false, true, true, true}, []bool{false, false, true, false}},
		{Layer, []bool{false, true, false, true}, []bool{true, false, true, false}},
		{Row, []bool{false, true, false, true}, []bool{false, false, false, false}}, // one input each: half of one is none
	} {
		set, err := Choose(Weights(parameters, 0), score, Choice{Sparsity: 0.5, Scope: c.scope})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(set.Get("first").Keep, c.first) || !slices.Equal(set.Get("second").Keep, c.second) {
			t.Errorf("%s: %v %v", c.scope, set.Get("first").Keep, set.Get("second").Keep)
		}
	}
}

// TestEveryScore holds what every method owes: a number for each element, from the seed alone, and the asked-for count.
func TestEveryScore(t *testing.T) {
	a, b := make([]float32, 300), make([]float32, 200)
	for i := range a {
		a[i] = float32(math.Sin(float64(i)))
	}
	g := weights(a, b)
	for _, s := range Scores {
		if s.Doc == "" || s.Name != strings.ToLower(s.Name) {
			t.Errorf("%q has no doc, or no plain name", s.Name)
		}
		looks := 0
		look := func(kept *Set) ([]Evidence, error) {
			looks++
			seen, err := Weights(Parameters(g), 5)(kept)
			for i := range seen {
				e := &seen[i]
				e.Weight = e.Read()
				e.Gradient, e.HessianGradient, e.Flow, e.InputNorm, e.HessianWeight, e.OutputGradient = e.Weight, e.Weight, e.Weight, e.Weight, e.Weight, e.Weight
				e.Deviation = slices.Repeat([]float32{0.5}, len(e.Weight))
			}
			return seen, err
		}
		seen, err := look(nil)
		if err != nil {
			t.Fatal(err)
		}
		before := slices.Clone(seen[0].Weight)
		for _, r := range []*Rule{&s.Rule, s.OES, s.OESLocal} {
			if r == nil {
				continue
			}
			of := r.Of
			if one, two := of(seen[0]), of(seen[0]); len(one) != len(before) || !slices.Equal(one, two) || !slices.Equal(seen[0].Weight, before) {
				t.Errorf("%s: %d scores of %d elements, or not the same twice", s.Name, len(one), len(before))
			}
		}
		set, err := Choose(look, s, Choice{Sparsity: 0.9, Scope: Global, Seed: 5})
		if want := max(1, s.Rounds) + 1; looks != want {
			t.Errorf("%s: %d looks, want %d", s.Name, looks, want)
		}
		if err != nil || set.Kept() != 50 || set.Total() != 500 {
			t.Errorf("%s: %v, %v", s.Name, set, err)
		}
	}
}

func TestChooseRefuses(t *testing.T) {
	g := weights([]float32{1, float32(math.NaN())}, []float32{1, 2})
	if _, err := Choose(Weights(Parameters(g), 0), Scores[0], Choice{Sparsity: 0.5, Scope: Global}); err == nil || err.Error() != `score "first": element 1 is not a number` {
		t.Error(err)
	}
	if _, err := FindScore("magic"); err == nil || !strings.Contains(err.Error(), "magnitude, random") {
		t.Error(err)
	}
}

func TestApply(t *testing.T) {
	g := weights([]float32{1, float32(math.Inf(1)), -2, float32(math.NaN())}, []float32{3, 4})
	clone, _ := g.Clone()
	set := &Set{}
	for name, keep := range map[string][]bool{"first": {true, false, false, false}, "second": {false, true}} {
		dims := g.Lookup(name).Const.Dims
		if err := set.Add(&Mask{Name: name, Dims: dims, Keep: keep}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Fit(g, set); err != nil {
		t.Fatal(err)
	}
	if err := Apply(g, set); err != nil {
		t.Fatal(err)
	}
	got := g.Lookup("first").Const
	if got.Float32s()[0] != 1 || string(got.Data[4:]) != string(make([]byte, 12)) || g.Lookup("second").Const.Float32s()[1] != 4 {
		t.Errorf("%v", got.Float32s())
	}
	if clone.Lookup("first").Const.Float32s()[2] != -2 {
		t.Error("the clone lost its weights")
	}
}

func TestFitRefusesMasksOfAnotherNetwork(t *testing.T) {
	mask := func(name string, dims ...int64) *Mask {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		return &Mask{Name: name, Dims: dims, Keep: make([]bool, n)}
	}
	for _, c := range []struct {
		masks []*Mask
		want  string
	}{
		{[]*Mask{mask("first", 2, 1)}, `no mask for parameter "second"`},
		{[]*Mask{mask("first", 2, 1), mask("second", 2, 1)}, `mask "second" is of shape [2 1], the network's tensor of [1 2]`},
		{[]*Mask{mask("first", 2, 1), mask("second", 1, 2), mask("third", 1)}, `mask "third": the network has no such initializer`},
		{[]*Mask{mask("first", 2, 1), mask("second", 1, 2), mask("x", 1, 2)}, `mask "x": the network has no such initializer`},
		{[]*Mask{mask("first", 2, 1), mask("second", 1, 2), mask("index", 1)}, `mask "index": the initializer is of int64`},
	} {
		g, set := weights([]float32{1, 2}, []float32{3, 4}), &Set{}
		for _, m := range c.masks {
			if err := set.Add(m); err != nil {
				t.Fatal(err)
			}
		}
		if err := Fit(g, set); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
		if len(c.masks) == 1 {
			continue // Apply takes a part of the masks
		}
		if err := Apply(g, set); err == nil {
			t.Errorf("applied in spite of: %s", c.want)
		}
		if g.Lookup("first").Const.Float32s()[0] != 1 {
			t.Error("a refused mask changed a weight")
		}
	}
}
