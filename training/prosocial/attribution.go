package prosocial

import (
	"context"
	"errors"
	"fmt"

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
	AllHeads   Path = "all"    // those of all layers
	EachLayers Path = "layers" // those of one layer after the other, the other layers' being 1
)

// Attribution says how integrated gradients are taken.
type Attribution struct {
	Path  Path // "": AllHeads
	Nodes int  // of Gauss and Legendre's rule; 0: 16
	Told  func(prompts int)
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

// gatesAtOnce bounds the memory of a run with gradients.
const gatesAtOnce = 8

// Attribute gives every head its part.
func (a *Attributor) Attribute(ctx context.Context, prompts []Prompt, how Attribution) (*Attributed, error) {
	if len(prompts) == 0 {
		return nil, errors.New("attribute to heads: no prompts")
	}
	nodes := how.Nodes
	if nodes == 0 {
		nodes = 16
	}
	c := a.network.Config
	paths := []int64{-1}
	switch how.Path {
	case "", AllHeads:
	case EachLayers:
		paths = nil
		for l := range c.NumHiddenLayers {
			if len(c.Heads(l)) > 0 {
				paths = append(paths, l)
			}
		}
	default:
		return nil, fmt.Errorf("attribute to heads by %q: there are all, layers", string(how.Path))
	}
	at, weight := make([]float64, nodes), make([]float64, nodes)
	quad.Legendre{}.FixedLocations(at, weight, 0, 1)
	out := &Attributed{Closed: make([]float64, len(paths)), Sums: make([]float64, len(paths))}
	parts := map[Head]float64{}
	n := float64(len(prompts))
	for i, p := range prompts {
		if p.At < 0 || p.At >= len(p.Base) {
			return nil, fmt.Errorf("attribute to heads: prompt %d has %d tokens, and is read at %d", i+1, len(p.Base), p.At+1)
		}
		ends := []gatedRow{{-1, 1}}
		for _, l := range paths {
			ends = append(ends, gatedRow{l, 0})
		}
		for from := 0; from < len(ends); from += rowsAtOnce {
			some := ends[from:min(from+rowsAtOnce, len(ends))]
			ratios, _, err := a.run(ctx, p, some, false)
			if err != nil {
				return nil, err
			}
			for r := range some {
				if from+r == 0 {
					out.Open += float64(ratios[r]) / n
				} else {
					out.Closed[from+r-1] += float64(ratios[r]) / n
				}
			}
		}
		for k, path := range paths {
			for from := 0; from < nodes; from += gatesAtOnce {
				var samples []gatedRow
				for _, x := range at[from:min(from+gatesAtOnce, nodes)] {
					samples = append(samples, gatedRow{path, x})
				}
				_, slopes, err := a.run(ctx, p, samples, true)
				if err != nil {
					return nil, err
				}
				for l, slope := range slopes {
					if path >= 0 && l != path {
						continue
					}
					heads := c.Heads(l)
					for r := range samples {
						for j, h := range heads {
							part := weight[from+r] * float64(slope[r*len(heads)+j]) / n
							parts[Head{int(l), int(h)}] += part
							out.Sums[k] += part
						}
					}
				}
			}
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
