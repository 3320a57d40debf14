package prosocial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/integrate/quad"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/op"
	"graft/runtime"
	"graft/training/autodiff"
)

// Path says which gates integrated gradients open together, from 0 to 1.
type Path string

// Paths.
const (
	EachLayers Path = "layers" // those of one layer after the other, the other layers' being 1
	AllHeads   Path = "all"    // those of all layers. In deep networks the measure turns many times on this way, and wants many nodes
)

// Attribution says how integrated gradients are taken.
type Attribution struct {
	Path  Path // "": EachLayers
	Nodes int  // of Gauss and Legendre's rule, on each interval; 0: 4
	// Halvings is how often an interval is halved at most where its sum of parts is more than Tolerance off what F does on it; 0: never.
	Halvings  int
	Tolerance float64 // 0: 0.01
	Told      func(prompts int)
}

// Attributed are the parts that heads have in the association with stereotypes, F = mean over prompts of log p(stereotype)/p(anti-stereotype),
// as a function of their gates g, by integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) from closed gates to open ones:
//
//	part_h = integral over a in [0,1] of dF/dg_h at g = a
//
// The parts of the heads that open together have the sum F(open) - F(closed), but for the error of the rule.
type Attributed struct {
	Heads  []AttributedHead
	Open   float64   // F with all gates at 1
	Closed []float64 // F with those of the path at 0: one number, or one a layer
	Sums   []float64 // of the parts, which would be Open - Closed
}

// AttributedHead is a head's part.
type AttributedHead struct {
	Head Head
	Part float64
}

// Gap is the largest difference of a sum of parts from what it would be.
func (a *Attributed) Gap() (most float64) {
	for i, sum := range a.Sums {
		d := sum - (a.Open - a.Closed[i])
		most = max(most, d, -d)
	}
	return most
}

// Attributor takes gradients of a network by gates.
type Attributor struct {
	network *Network
	session *runtime.Session
}

// The inputs and outputs of an Attributor's graph beside the network's.
const (
	inputPlaces     = "places"      // [batch, 2, 2]: of each sample the token and word of the stereotype, and of the anti-stereotype
	outputLogRatios = "log_ratios"  // [batch]
	outputSlopes    = "gate_slopes" // and .N
)

// NewAttributor opens a network for a task whose logits are of tokens, with the gradients of its gates.
func (n *Network) NewAttributor(task string, o runtime.Options) (*Attributor, error) {
	m, err := n.gateSlopes(task)
	if err != nil {
		return nil, fmt.Errorf("gradients of gates: %w", err)
	}
	s, err := runtime.OpenModel(m, o)
	if err != nil {
		return nil, err
	}
	return &Attributor{n, s}, nil
}

func (n *Network) gateSlopes(task string) (*onnx.Model, error) {
	m, err := n.Build(language.Options{Task: task, Gates: language.GatesSample})
	if err != nil {
		return nil, err
	}
	g := m.Graph
	b := op.NewBuilder(g)
	logits := g.Outputs()[0]
	places := g.AddInput(inputPlaces, onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{logits.Type.Shape[0], {Size: 2}, {Size: 2}}})
	two := b.Split(b.GatherND(logits, places, 1), 1, 1, 1)
	if err := b.Err(); err != nil {
		return nil, err
	}
	ratios := b.Named(b.Squeeze(b.Sub(two[0], two[1]), 1), outputLogRatios)
	total := b.ReduceSum(ratios, false)
	if err := b.Err(); err != nil {
		return nil, err
	}
	var gates []*onnx.Value
	for l := range n.Config.NumHiddenLayers {
		if v := g.Lookup(fmt.Sprintf("head_gates.%d", l)); v != nil {
			gates = append(gates, v)
		}
	}
	slopes, err := autodiff.Gradients(g, total, gates)
	if err != nil {
		return nil, err
	}
	outputs := []*onnx.Value{ratios}
	for i, v := range slopes {
		outputs = append(outputs, b.Named(b.Identity(v), slopeOf(gates[i].Name)))
	}
	g.SetOutputs(outputs...)
	if err := b.Err(); err != nil {
		return nil, err
	}
	m.Declare(op.Opset)
	return m, nil
}

func slopeOf(gate string) string { return outputSlopes + "." + gate }

// Close frees the session.
func (a *Attributor) Close() error { return a.session.Close() }

// gatedRow is a sample: the gates of a layer, or of all where it is -1, at a number and the others at 1.
type gatedRow struct {
	layer int64
	open  float64
}

// run gives log ratios and gradients by layer [rows, heads] for samples of a prompt. Without want the gradients are left out.
func (a *Attributor) run(ctx context.Context, p Prompt, samples []gatedRow, want bool) (ratios []float32, slopes map[int64][]float32, err error) {
	c, n := a.network.Config, int64(len(samples))
	ids, places := []int64{}, []int64{}
	for range samples {
		ids = append(ids, p.Base...)
		places = append(places, int64(p.At), p.Stereotype, int64(p.At), p.Anti)
	}
	feeds := textFeeds(c.ModelType, ids, len(samples))
	feeds[inputPlaces] = onnx.FromSlice(places, n, 2, 2)
	names, layers := []string{outputLogRatios}, map[int64]string{}
	for l := range c.NumHiddenLayers {
		heads := int64(len(c.Heads(l)))
		if heads == 0 {
			continue
		}
		gates := make([]float32, 0, n*heads)
		for _, s := range samples {
			g := float32(1)
			if s.layer == l || s.layer < 0 {
				g = float32(s.open)
			}
			for range heads {
				gates = append(gates, g)
			}
		}
		name := fmt.Sprintf("head_gates.%d", l)
		feeds[name] = onnx.FromSlice(gates, n, heads, 1, 1)
		if want {
			layers[l] = slopeOf(name)
			names = append(names, layers[l])
		}
	}
	out, err := a.session.Run(ctx, feeds, names...)
	if err != nil {
		return nil, nil, err
	}
	slopes = map[int64][]float32{}
	for l, name := range layers {
		slopes[l] = out[name].Float32s()
	}
	return out[outputLogRatios].Float32s(), slopes, nil
}

// tokensAtOnce bounds the memory of a run with gradients.
const tokensAtOnce = 320

// interval is a part of a path, with what the measure is at its ends.
type interval struct {
	path     int
	from, to float64
	halved   int
	ends     [2]float64
	slopes   map[Head]float64 // integrals
}

// path takes the integrals of a prompt, each with a weight, along all paths.
func (a *Attributor) path(ctx context.Context, p Prompt, how Attribution, paths []int64, weight float64, parts map[Head]float64, out *Attributed) error {
	ratios, _, err := a.run(ctx, p, []gatedRow{{-1, 1}}, false)
	if err != nil {
		return err
	}
	out.Open += weight * float64(ratios[0])
	var todo []*interval
	for k := range paths {
		todo = append(todo, &interval{path: k, to: 1})
	}
	most := max(1, tokensAtOnce/len(p.Base)/(how.Nodes+2))
	for len(todo) > 0 {
		some := todo[:min(most, len(todo))]
		todo = todo[len(some):]
		if err := a.integrate(ctx, p, how.Nodes, paths, some); err != nil {
			return err
		}
		for _, v := range some {
			sum := 0.0
			for _, x := range v.slopes {
				sum += x
			}
			if off := math.Abs(sum - (v.ends[1] - v.ends[0])); off > how.Tolerance && v.halved < how.Halvings {
				middle := (v.from + v.to) / 2
				todo = append(todo, &interval{path: v.path, from: v.from, to: middle, halved: v.halved + 1},
					&interval{path: v.path, from: middle, to: v.to, halved: v.halved + 1})
				continue
			}
			if v.from == 0 {
				out.Closed[v.path] += weight * v.ends[0]
			}
			out.Sums[v.path] += weight * sum
			for h, x := range v.slopes {
				parts[h] += weight * x
			}
		}
	}
	return nil
}

// integrate fills intervals in.
func (a *Attributor) integrate(ctx context.Context, p Prompt, nodes int, paths []int64, some []*interval) error {
	at, weight := make([]float64, nodes), make([]float64, nodes)
	var samples []gatedRow
	for _, v := range some {
		quad.Legendre{}.FixedLocations(at, weight, v.from, v.to)
		for _, x := range append([]float64{v.from, v.to}, at...) {
			samples = append(samples, gatedRow{paths[v.path], x})
		}
	}
	ratios, slopes, err := a.run(ctx, p, samples, true)
	if err != nil {
		return err
	}
	rows := nodes + 2
	for i, v := range some {
		quad.Legendre{}.FixedLocations(at, weight, v.from, v.to)
		v.ends = [2]float64{float64(ratios[i*rows]), float64(ratios[i*rows+1])}
		v.slopes = map[Head]float64{}
		for l, slope := range slopes {
			if path := paths[v.path]; path >= 0 && path != l {
				continue
			}
			heads := a.network.Config.Heads(l)
			for j, h := range heads {
				for r, w := range weight {
					v.slopes[Head{int(l), int(h)}] += w * float64(slope[(i*rows+2+r)*len(heads)+j])
				}
			}
		}
	}
	return nil
}

// Attribute gives every head its part.
func (a *Attributor) Attribute(ctx context.Context, prompts []Prompt, how Attribution) (*Attributed, error) {
	if len(prompts) == 0 {
		return nil, errors.New("attribute to heads: no prompts")
	}
	how.Nodes, how.Tolerance = cmp.Or(how.Nodes, 4), cmp.Or(how.Tolerance, 0.01)
	c := a.network.Config
	paths := []int64{-1}
	switch how.Path {
	case AllHeads:
	case "", EachLayers:
		paths = nil
		for l := range c.NumHiddenLayers {
			if len(c.Heads(l)) > 0 {
				paths = append(paths, l)
			}
		}
	default:
		return nil, fmt.Errorf("attribute to heads by %q: there are all, layers", string(how.Path))
	}
	out := &Attributed{Closed: make([]float64, len(paths)), Sums: make([]float64, len(paths))}
	parts := map[Head]float64{}
	n := float64(len(prompts))
	for i, p := range prompts {
		if p.At < 0 || p.At >= len(p.Base) {
			return nil, fmt.Errorf("attribute to heads: prompt %d has %d tokens, and is read at %d", i+1, len(p.Base), p.At+1)
		}
		if err := a.path(ctx, p, how, paths, 1/n, parts, out); err != nil {
			return nil, err
		}
		if how.Told != nil {
			how.Told(i + 1)
		}
	}
	for _, h := range a.network.Heads() {
		out.Heads = append(out.Heads, AttributedHead{h, parts[h]})
	}
	return out, nil
}
