package prosocial

import (
	"fmt"

	"graft/graphs/language"
)

// Head is a head of attention.
type Head struct {
	Layer int `json:"layer"`
	Head  int `json:"head"`
}

func (h Head) String() string { return fmt.Sprintf("%d.%d", h.Layer, h.Head) }

// Heads are all heads of a network, layer by layer.
func (n *Network) Heads() []Head {
	var out []Head
	for l := range int(n.Config.NumHiddenLayers) {
		for h := range int(n.Config.NumAttentionHeads) {
			out = append(out, Head{l, h})
		}
	}
	return out
}

// slice is the part of a weight that is a head's: from, and below to, along an axis.
type slice struct {
	name     string
	axis     int
	from, to int64
}

// each calls f with the index of each element, in order.
func (s slice) each(dims []int64, f func(i int64)) {
	inner, n := int64(1), int64(1)
	for i, d := range dims {
		if n *= d; i > s.axis {
			inner *= d
		}
	}
	size := dims[s.axis]
	for i := range n {
		if at := i / inner % size; at >= s.from && at < s.to {
			f(i)
		}
	}
}

// slices are the parameters of a head: its rows of query, key and value with their biases, and its columns of what the heads'
// outputs are multiplied by. Heads of Llama that share keys and values have these in common, and they are no head's.
func (n *Network) slices(h Head) ([]slice, error) {
	c := n.Config
	if h.Layer < 0 || int64(h.Layer) >= c.NumHiddenLayers || h.Head < 0 || int64(h.Head) >= c.NumAttentionHeads {
		return nil, fmt.Errorf("no head %v in %d layers of %d heads", h, c.NumHiddenLayers, c.NumAttentionHeads)
	}
	from, to := int64(h.Head)*c.HeadDim, int64(h.Head+1)*c.HeadDim
	var out []slice
	add := func(name string, axis int, from, to int64) {
		if n.Weights[name] != nil {
			out = append(out, slice{name, axis, from, to})
		}
	}
	rows := func(name string) {
		add(name+".weight", 0, from, to)
		add(name+".bias", 0, from, to)
	}
	switch prefix := language.Prefix(c.ModelType); c.ModelType {
	case "bert", "roberta":
		layer := fmt.Sprintf("%sencoder.layer.%d.attention.", prefix, h.Layer)
		for _, of := range []string{"query", "key", "value"} {
			rows(layer + "self." + of)
		}
		add(layer+"output.dense.weight", 1, from, to)
	case "distilbert":
		layer := fmt.Sprintf("%stransformer.layer.%d.attention.", prefix, h.Layer)
		for _, of := range []string{"q_lin", "k_lin", "v_lin"} {
			rows(layer + of)
		}
		add(layer+"out_lin.weight", 1, from, to)
	case "gpt2": // [in, out], with query, key and value behind each other
		layer := fmt.Sprintf("%sh.%d.attn.", prefix, h.Layer)
		for i := range int64(3) {
			add(layer+"c_attn.weight", 1, i*c.HiddenSize+from, i*c.HiddenSize+to)
			add(layer+"c_attn.bias", 0, i*c.HiddenSize+from, i*c.HiddenSize+to)
		}
		add(layer+"c_proj.weight", 0, from, to)
	case "llama":
		layer := fmt.Sprintf("%slayers.%d.self_attn.", prefix, h.Layer)
		rows(layer + "q_proj")
		if c.NumKeyValueHeads == c.NumAttentionHeads {
			rows(layer + "k_proj")
			rows(layer + "v_proj")
		}
		add(layer+"o_proj.weight", 1, from, to)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no weights of head %v", c.ModelType, h)
	}
	return out, nil
}
