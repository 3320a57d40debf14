package masking

import (
	"fmt"
	"math"
	"slices"

	"graft/onnx"
	"graft/onnx/limits"
)

// ChannelChoice says how many channels go, and which are compared.
type ChannelChoice struct {
	Sparsity float64 // fraction of the channels removed, in [0, 1)
	Scope    Scope   // Global compares all channels of the network, anything else those of one group
	// Multiple is what the number of channels that a group keeps is rounded to a multiple of, the nearest; one multiple stays at
	// least, and a group of fewer whole. 0: 8, for kernels work on blocks of channels; 1: as many as the fraction says.
	// Heads of attention go one by one.
	Multiple int
	Seed     uint64 // breaks ties
}

// keep is how many channels a group keeps where a choice without rounding keeps k.
func (c ChannelChoice) keep(g *Group, k float64) int {
	multiple := c.Multiple
	switch {
	case g.Heads:
		multiple = 1
	case multiple < 1:
		multiple = 8
	}
	kept := int(math.Round(k/float64(multiple))) * multiple
	return min(max(kept, multiple), g.Count)
}

// Select marks the channels of each group that stay, those of the highest scores. A group without scores stays whole.
func (c ChannelChoice) Select(groups []*Group, scores [][]float32) ([][]bool, error) {
	if !(c.Sparsity >= 0 && c.Sparsity < 1) || len(scores) != len(groups) {
		return nil, fmt.Errorf("choose channels: sparsity %g, scores of %d of %d groups", c.Sparsity, len(scores), len(groups))
	}
	keep := make([][]bool, len(groups))
	var compared []int
	total := int64(0)
	for i, g := range groups {
		switch {
		case scores[i] == nil:
			keep[i] = whole(g.Count)
			continue
		case len(scores[i]) != g.Count:
			return nil, fmt.Errorf("choose channels of %s: %d scores for %d", limits.Name(g.Name), len(scores[i]), g.Count)
		}
		for j, s := range scores[i] {
			if s != s {
				return nil, fmt.Errorf("score of channel %d of %s is not a number", j, limits.Name(g.Name))
			}
		}
		compared = append(compared, i)
		total += int64(g.Count)
	}
	counts := make([]float64, len(groups))
	for _, i := range compared {
		counts[i] = (1 - c.Sparsity) * float64(groups[i].Count)
	}
	if c.Scope == Global {
		lengths := make([]int, len(compared))
		for k, i := range compared {
			lengths[k] = groups[i].Count
		}
		for k, marks := range largest(lengths, func(k int) []float32 { return scores[compared[k]] }, KeepCount(total, c.Sparsity), c.Seed) {
			counts[compared[k]] = float64(count(marks))
		}
	}
	for _, i := range compared {
		n := groups[i].Count
		keep[i] = largest([]int{n}, func(int) []float32 { return scores[i] }, int64(c.keep(groups[i], counts[i])), c.Seed)[0]
	}
	return keep, nil
}

// ChooseChannels makes the masks that remove a fraction of the channels, those of the lowest scores: everything that makes such a
// channel and reads it is masked. What Apply and Compact then make of the network draws the same as Apply alone.
func ChooseChannels(groups []*Group, look Look, s ChannelScore, c ChannelChoice) (*Set, error) {
	seen, err := look(nil)
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		return nil, fmt.Errorf("%s: the network has no channels that can go: every one is handed out or meets an operator without a rule", s.Name)
	}
	by := make(map[string]*Evidence, len(seen))
	names, dims := make([]string, len(seen)), make([][]int64, len(seen))
	for i := range seen {
		by[seen[i].Name], names[i], dims[i] = &seen[i], seen[i].Name, seen[i].Dims
	}
	scores := make([][]float32, len(groups))
	for i, g := range groups {
		if err := g.known(by, s.Needs); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		scores[i] = s.Of(g, func(m *Member) *Evidence { return by[m.Parameter] })
	}
	keep, err := c.Select(groups, scores)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return ChannelSet(names, dims, groups, keep)
}

// known reads the weights of the group's members, and says what is missing.
func (g *Group) known(by map[string]*Evidence, needs Need) error {
	if len(g.Members) == 0 {
		return fmt.Errorf("group %s has no members", limits.Name(g.Name))
	}
	for _, m := range g.Members {
		e := by[m.Parameter]
		if e == nil || !slices.Equal(e.Dims, m.Dims) {
			return fmt.Errorf("nothing is known of parameter %s of shape %v", limits.Name(m.Parameter), m.Dims)
		}
		if e.Weight == nil && e.Read != nil {
			e.Weight = e.Read()
		}
		if n := int(e.count()); len(e.Weight) != n || needs&NeedGradient != 0 && len(e.Gradient) != n {
			return fmt.Errorf("of parameter %s %d weights and %d slopes are known, wants %d", limits.Name(m.Parameter), len(e.Weight), len(e.Gradient), n)
		}
	}
	return nil
}

// ChannelSet is the masks, of the named parameters in their order, that clear the channels that are not kept.
func ChannelSet(names []string, dims [][]int64, groups []*Group, keep [][]bool) (*Set, error) {
	if len(keep) != len(groups) || len(names) != len(dims) {
		return nil, fmt.Errorf("mask channels: %d choices for %d groups, %d names, %d shapes", len(keep), len(groups), len(names), len(dims))
	}
	total := int64(0)
	for i, d := range dims {
		n, err := onnx.ElementCount(d)
		if err != nil {
			return nil, fmt.Errorf("mask channels: %s: %w", limits.Name(names[i]), err)
		}
		total += n
	}
	set, err := FromFlat(names, dims, whole(int(total)))
	if err != nil {
		return nil, err
	}
	for k, g := range groups {
		if len(keep[k]) != g.Count {
			return nil, fmt.Errorf("mask channels of %s: %d choices for %d", limits.Name(g.Name), len(keep[k]), g.Count)
		}
		for i := range g.Members {
			m := &g.Members[i]
			mask := set.Get(m.Parameter)
			if mask == nil || !slices.Equal(mask.Dims, m.Dims) {
				return nil, fmt.Errorf("mask channels of %s: no parameter %s of shape %v", limits.Name(g.Name), limits.Name(m.Parameter), m.Dims)
			}
			for channel, stays := range keep[k] {
				if !stays {
					m.Elements(channel, func(e int) { mask.Keep[e] = false })
				}
			}
		}
	}
	return set, nil
}
