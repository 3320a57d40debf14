package masking_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"graft/masking"
	"graft/onnx"
)

// kept counts the marks.
func kept(marks []bool) (n int) {
	for _, m := range marks {
		if m {
			n++
		}
	}
	return n
}

// TestChannelCounts: kept counts are the nearest multiples, one at least, and a group of fewer stays whole.
func TestChannelCounts(t *testing.T) {
	for _, c := range []struct {
		n, multiple int
		sparsity    float64
		want        int
	}{
		{64, 0, 0.5, 32}, {64, 8, 0.9, 8}, {64, 8, 0.99, 8}, {20, 8, 0.5, 8}, {20, 8, 0.1, 16}, {20, 8, 0, 20}, {4, 8, 0.9, 4}, {10, 1, 0.5, 5},
		{10, 1, 0.99, 1}, {16, 4, 0.7, 4}, {16, 4, 0.6, 8}, {128, 0, 0.75, 32},
	} {
		scores := make([]float32, c.n)
		for i := range scores {
			scores[i] = float32((i * 7) % c.n)
		}
		keep, err := masking.ChannelChoice{Sparsity: c.sparsity, Multiple: c.multiple}.Select([]*masking.Group{{Count: c.n}}, [][]float32{scores})
		if err != nil {
			t.Fatal(err)
		}
		if kept(keep[0]) != c.want {
			t.Errorf("%+v: keeps %d", c, kept(keep[0]))
		}
		least, most := float32(math.Inf(1)), float32(math.Inf(-1))
		for i, s := range scores {
			if keep[0][i] {
				least = min(least, s)
			} else {
				most = max(most, s)
			}
		}
		if least < most {
			t.Errorf("%+v: %g is kept, %g is not", c, least, most)
		}
	}
	// All channels compared: the group that scores low loses, but not its last multiple.
	groups := []*masking.Group{{Count: 16}, {Count: 16}, {Count: 3}}
	high, low := slices.Repeat([]float32{2}, 16), slices.Repeat([]float32{1}, 16)
	keep, err := masking.ChannelChoice{Sparsity: 0.5, Scope: masking.Global, Multiple: 4}.Select(groups, [][]float32{high, low, nil})
	if err != nil {
		t.Fatal(err)
	}
	if kept(keep[0]) != 16 || kept(keep[1]) != 4 || kept(keep[2]) != 3 {
		t.Errorf("kept %d, %d and %d", kept(keep[0]), kept(keep[1]), kept(keep[2]))
	}
	for _, c := range []masking.ChannelChoice{{Sparsity: 1}, {Sparsity: -1}, {Sparsity: math.NaN()}} {
		if _, err := c.Select(groups, [][]float32{high, low, nil}); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	if _, err := (masking.ChannelChoice{}).Select(groups[:1], [][]float32{{float32(math.NaN())}}); err == nil {
		t.Error("one score, not a number, for 16 channels")
	}
}

// TestChannelScores holds each score against what it is by its definition.
func TestChannelScores(t *testing.T) {
	n := newNet(t)
	m := n.model(n.conv("b", n.norm("n", n.conv("a", n.input(1, 2, 6, 6), 3, 3)), 2, 1))
	groups := masking.Groups(m.Graph)
	if len(groups) != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	list, err := masking.Weights(masking.Parameters(m.Graph), 1)(nil)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]*masking.Evidence{}
	for i := range list {
		e := &list[i]
		e.Weight = e.Read()
		for k := range e.Weight {
			e.Gradient = append(e.Gradient, float32(k%3)-0.5)
		}
		by[e.Name] = e
	}
	of := func(m *masking.Member) *masking.Evidence { return by[m.Parameter] }
	for name, want := range map[string]func(c int) float64{
		"l1-norm": func(c int) (sum float64) {
			for _, w := range by["a.weight"].Weight[c*18 : (c+1)*18] {
				sum += math.Abs(float64(w)) / 18
			}
			return sum
		},
		"bn-scale": func(c int) float64 { return math.Abs(float64(by["n.weight"].Weight[c])) },
		"taylor": func(c int) float64 {
			e := by["b.weight"]
			return math.Abs(float64(e.Gradient[c]*e.Weight[c] + e.Gradient[3+c]*e.Weight[3+c]))
		},
	} {
		s, err := masking.FindChannelScore(name)
		if err != nil {
			t.Fatal(err)
		}
		got := s.Of(groups[0], of)
		for c := range 3 {
			if math.Abs(float64(got[c])-want(c)) > 1e-6 {
				t.Errorf("%s: channel %d scores %g, want %g", name, c, got[c], want(c))
			}
		}
	}
	if s, _ := masking.FindChannelScore("bn-scale"); s.Of(&masking.Group{Count: 1, Members: groups[0].Members[:1]}, of) != nil {
		t.Error("a group without a norm has scores")
	}
	if _, err := masking.FindChannelScore("l2"); err == nil || !strings.Contains(err.Error(), "random-channel") {
		t.Errorf("unknown score: %v", err)
	}
}

// TestChooseChannelsErrors: what is missing is said.
func TestChooseChannelsErrors(t *testing.T) {
	n := newNet(t)
	m := n.model(n.conv("b", n.conv("a", n.input(1, 2, 6, 6), 3, 3), 2, 1))
	look := masking.Weights(masking.Parameters(m.Graph), 1)
	groups := masking.Groups(m.Graph)
	taylor, _ := masking.FindChannelScore("taylor")
	l1, _ := masking.FindChannelScore("l1-norm")
	for name, c := range map[string]struct {
		groups []*masking.Group
		look   masking.Look
		score  masking.ChannelScore
		want   string
	}{
		"no groups":    {nil, look, l1, "no channels"},
		"no gradient":  {groups, look, taylor, "slopes"},
		"other graph":  {[]*masking.Group{{Name: "q", Count: 1, Members: []masking.Member{{Parameter: "q", Dims: []int64{1}, At: [][]int{{0}}}}}}, look, l1, `parameter "q"`},
		"no members":   {[]*masking.Group{{Name: "q", Count: 1}}, look, l1, "no members"},
		"other shapes": {[]*masking.Group{{Name: "q", Count: 1, Members: []masking.Member{{Parameter: "a.weight", Dims: []int64{1}, At: [][]int{{0}}}}}}, look, l1, "a.weight"},
	} {
		if _, err := masking.ChooseChannels(c.groups, c.look, c.score, masking.ChannelChoice{Sparsity: 0.5}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := masking.Pick(onnx.NewTensor(onnx.Float, 2, 3), 1, []int{3}); err == nil {
		t.Error("an entry that is not there")
	}
}
