package masking

import (
	"fmt"
	"math"
	"strings"

	"graft/onnx/noise"
)

// ChannelScore is a method of removing channels: it says of every channel of a group how much it is worth keeping.
type ChannelScore struct {
	Name  string
	Doc   string // one line, with the source
	Needs Need   // what Of reads of the evidence beside the weights
	// Of gives one number for each channel; larger means keep. nil: it cannot tell the channels apart, and the group stays whole.
	// of gives the evidence of a member's parameter.
	Of func(g *Group, of func(m *Member) *Evidence) []float32
}

// ChannelScores lists the methods by name.
var ChannelScores = []ChannelScore{l1Norm, bnScale, taylor, randomChannel}

// FindChannelScore looks a method up; the error lists the names there are.
func FindChannelScore(name string) (ChannelScore, error) {
	for _, s := range ChannelScores {
		if s.Name == name {
			return s, nil
		}
	}
	return ChannelScore{}, fmt.Errorf("unknown method of removing channels %q: there are %s", name, strings.Join(ChannelScoreNames(), ", "))
}

// ChannelScoreNames lists the names of the methods.
func ChannelScoreNames() []string {
	names := make([]string, len(ChannelScores))
	for i, s := range ChannelScores {
		names[i] = s.Name
	}
	return names
}

// l1Norm is the mean absolute value of the weights that make a channel (Li, Kadav, Durdanovic, Samet, Graf, arXiv 1608.08710, who
// sum: the mean can be compared between layers too). Where nothing inside makes it, as with a graph input, it is that of the
// weights that read it.
var l1Norm = ChannelScore{Name: "l1-norm", Doc: "keep the channels whose filters are largest in absolute value",
	Of: func(g *Group, of func(*Member) *Evidence) []float32 {
		role := Filter
		if !g.has(Filter) {
			role = Reader
		}
		sums, counts := make([]float64, g.Count), make([]float64, g.Count)
		g.each(of, func(r Role) bool { return r == role }, func(channel int, e *Evidence, i int) {
			sums[channel] += math.Abs(float64(e.Weight[i]))
			counts[channel]++
		})
		return floats(sums, func(i int, x float64) float64 { return x / max(counts[i], 1) })
	}}

// bnScale is the absolute value of the scale that norms give a channel, summed where there are several (network slimming: Liu, Li,
// Shen, Huang, Yan, Zhang, arXiv 1708.06519).
var bnScale = ChannelScore{Name: "bn-scale", Doc: "keep the channels that norms scale most; those without a norm stay",
	Of: func(g *Group, of func(*Member) *Evidence) []float32 {
		if !g.has(Scale) {
			return nil
		}
		sums := make([]float64, g.Count)
		g.each(of, func(r Role) bool { return r == Scale }, func(channel int, e *Evidence, i int) { sums[channel] += math.Abs(float64(e.Weight[i])) })
		return floats(sums, func(_ int, x float64) float64 { return x })
	}}

// taylor is what the loss changes by, to first order, when a channel is taken away: |sum of gradient times weight| over the weights
// that read it, which is that sum over its activations wherever products read it (Molchanov, Mallya, Tyree, Frosio, Kautz, arXiv
// 1906.10771). Taken over the filters it would be zero before a norm, which does not see how large they are.
var taylor = ChannelScore{Name: "taylor", Doc: "keep the channels that the loss feels most: |sum of gradient times weight|", Needs: NeedGradient,
	Of: func(g *Group, of func(*Member) *Evidence) []float32 {
		sums := make([]float64, g.Count)
		readers := g.has(Reader)
		g.each(of, func(r Role) bool { return (r == Reader) == readers }, func(channel int, e *Evidence, i int) {
			sums[channel] += float64(e.Gradient[i]) * float64(e.Weight[i])
		})
		return floats(sums, func(_ int, x float64) float64 { return math.Abs(x) })
	}}

// randomChannel keeps channels by chance: the baseline that every method has to beat. A group's numbers depend on the seed and its
// name alone.
var randomChannel = ChannelScore{Name: "random-channel", Doc: "keep channels by chance, from the seed",
	Of: func(g *Group, of func(*Member) *Evidence) []float32 {
		scores := make([]float32, g.Count)
		noise.Uniform(scores, noise.NewKey(of(&g.Members[0]).Seed, "prune/"+g.Name, 0))
		return scores
	}}

func (g *Group) has(r Role) bool {
	for _, m := range g.Members {
		if m.Role == r {
			return true
		}
	}
	return false
}

// each calls f for every element of the members of some roles.
func (g *Group) each(of func(*Member) *Evidence, roles func(Role) bool, f func(channel int, e *Evidence, i int)) {
	for k := range g.Members {
		m := &g.Members[k]
		if !roles(m.Role) {
			continue
		}
		e := of(m)
		for channel := range g.Count {
			m.Elements(channel, func(i int) { f(channel, e, i) })
		}
	}
}

func floats(values []float64, of func(i int, x float64) float64) []float32 {
	out := make([]float32, len(values))
	for i, x := range values {
		out[i] = float32(of(i, x))
	}
	return out
}
