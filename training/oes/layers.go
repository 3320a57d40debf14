package oes

import (
	"fmt"
	"slices"

	"graft/masking"
	"graft/onnx"
	"graft/onnx/op"
	"graft/training"
)

// layer is a parameter's place in the packed vector.
type layer struct {
	name     string
	from, to int64
	weight   bool    // of a convolution or product: biases and norms are none
	inputs   float64 // that make one output of it
}

// layersOf lists the network's parameters in packed order. Protected ones count as no weights, for they stay.
func layersOf(m *onnx.Model, packing *training.Packing, protect []string) []layer {
	prunable := training.Prunable(m, packing)
	var list []layer
	at := int64(0)
	for i, name := range packing.Names() {
		dims := packing.Dims(i)
		n, _ := onnx.ElementCount(dims)
		l := layer{name: name, from: at, to: at + n, weight: prunable[name] && !slices.Contains(protect, name), inputs: float64(n)}
		if output, _ := op.WeightAxes(m.Graph.Lookup(name)); output >= 0 {
			l.inputs = float64(n) / float64(dims[output])
		}
		list, at = append(list, l), l.to
	}
	return list
}

// weightCount is how many weights of convolutions and products there are.
func weightCount(layers []layer) (n int64) {
	for _, l := range layers {
		if l.weight {
			n += l.to - l.from
		}
	}
	return n
}

// left says how many weights stay beside biases and norms, so that keep parameters do altogether.
func left(layers []layer, keep int64) (weights, of int64, err error) {
	of = weightCount(layers)
	least := layers[len(layers)-1].to - of
	whole := least
	for _, l := range layers {
		if l.weight {
			least++
		}
	}
	if of == 0 || keep < least || keep > whole+of {
		return 0, 0, fmt.Errorf("keep %d of %d parameters: %d are biases, norms or protected and stay, and one weight of each layer has to", keep, whole+of, whole)
	}
	return keep - whole, of, nil
}

// shares cuts a number of weights up between the layers, each of which keeps the same fraction, and one at least.
func shares(layers []layer, weights, of int64) []int64 {
	out, given := make([]int64, len(layers)), int64(0)
	var order []int
	for i, l := range layers {
		if l.weight {
			out[i] = max(1, (l.to-l.from)*weights/of)
			given += out[i]
			order = append(order, i)
		}
	}
	// What rounding leaves goes to, or is taken from, the largest layers first.
	slices.SortStableFunc(order, func(a, b int) int { return int((layers[b].to - layers[b].from) - (layers[a].to - layers[a].from)) })
	for given != weights {
		for _, i := range order {
			switch {
			case given < weights && out[i] < layers[i].to-layers[i].from:
				out[i], given = out[i]+1, given+1
			case given > weights && out[i] > 1:
				out[i], given = out[i]-1, given-1
			}
		}
	}
	return out
}

// bestOf keeps the highest scores of the weights, layer by layer where counts is not nil and otherwise n of all together, and
// everything else.
func bestOf(layers []layer, scores []float32, counts []int64, n int64, seed uint64) ([]bool, error) {
	keep := make([]bool, len(scores))
	var all []float32
	for i, l := range layers {
		part := keep[l.from:l.to]
		switch {
		case !l.weight:
			for j := range part {
				part[j] = true
			}
		case counts == nil:
			all = append(all, scores[l.from:l.to]...)
		default:
			best, err := masking.TopK(scores[l.from:l.to], counts[i], seed)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
			copy(part, best)
		}
	}
	if counts != nil {
		return keep, nil
	}
	best, err := masking.TopK(all, n, seed)
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		if l.weight {
			best = best[copy(keep[l.from:l.to], best):]
		}
	}
	return keep, nil
}
