package language

import (
	"fmt"
	"maps"
	"slices"

	"graft/onnx"
)

// Heads are the heads that a layer has, by their numbers in the layer before any was removed.
func (c Config) Heads(layer int64) []int64 { return c.without(layer, c.NumAttentionHeads) }

// KeyValueHeads are the heads of keys and values that a layer has: those of which a head is left to read them.
func (c Config) KeyValueHeads(layer int64) []int64 {
	c = c.Defaults()
	if c.NumKeyValueHeads == c.NumAttentionHeads {
		return c.Heads(layer)
	}
	var out []int64
	for _, h := range c.Heads(layer) {
		if kv := h / c.group(); len(out) == 0 || out[len(out)-1] != kv {
			out = append(out, kv)
		}
	}
	return out
}

// group is how many heads read the same keys and values.
func (c Config) group() int64 { return c.NumAttentionHeads / c.NumKeyValueHeads }

// without counts below n, without the heads of a layer that are gone.
func (c Config) without(layer, n int64) (out []int64) {
	for h := range n {
		if !slices.Contains(c.PrunedHeads[layer], h) {
			out = append(out, h)
		}
	}
	return out
}

// Without is the configuration of a model from which heads, by layer, are taken too.
func (c Config) Without(heads map[int64][]int64) Config {
	gone := map[int64][]int64{}
	for _, some := range []map[int64][]int64{c.PrunedHeads, heads} {
		for layer, list := range some {
			gone[layer] = append(gone[layer], list...)
		}
	}
	for layer, list := range gone {
		if slices.Sort(list); len(list) == 0 {
			delete(gone, layer)
			continue
		}
		gone[layer] = slices.Compact(list)
	}
	c.PrunedHeads = gone
	if len(gone) == 0 {
		c.PrunedHeads = nil
	}
	return c
}

// mostErrors of heads are told.
const mostErrors = 8

// checkHeads refuses heads that are gone and never were.
func (c Config) checkHeads() (errs []error) {
	for _, layer := range slices.Sorted(maps.Keys(c.PrunedHeads)) {
		if len(errs) >= mostErrors {
			return errs
		}
		list := c.PrunedHeads[layer]
		switch {
		case layer < 0 || layer >= c.NumHiddenLayers:
			errs = append(errs, fmt.Errorf("pruned_heads of layer %d: there are %d layers", layer, c.NumHiddenLayers))
		case int64(len(list)) > c.NumAttentionHeads:
			errs = append(errs, fmt.Errorf("pruned_heads of layer %d: %d of %d heads", layer, len(list), c.NumAttentionHeads))
		default:
			for i, h := range list {
				if len(errs) < mostErrors && (h < 0 || h >= c.NumAttentionHeads || slices.Contains(list[:i], h)) {
					errs = append(errs, fmt.Errorf("pruned_heads of layer %d: head %d of %d, each once", layer, h, c.NumAttentionHeads))
				}
			}
		}
	}
	return errs
}

// HeadPart is a weight in which each head of a layer has HeadDim rows (axis 0) or columns (axis 1) behind each other.
type HeadPart struct {
	Name string
	Axis int
	// Of says whose they are, in order: head h is h; of weights that hold several products, head h of product i is i·NumAttentionHeads + h.
	Of []int64
	// Shared are rows of keys and values that several heads read: Of are numbers of key-value heads.
	Shared bool
}

// HeadParts are the weights of a layer's heads: query, key and value with biases, which a model may not have, and what the heads'
// outputs are multiplied by.
func (c Config) HeadParts(layer int64) (parts []HeadPart) {
	c = c.Defaults()
	heads := c.Heads(layer)
	rows := func(name string, of []int64, shared bool) {
		parts = append(parts, HeadPart{name + ".weight", 0, of, shared}, HeadPart{name + ".bias", 0, of, shared})
	}
	columns := func(name string) { parts = append(parts, HeadPart{name + ".weight", 1, heads, false}) }
	switch prefix := Prefix(c.ModelType); c.ModelType {
	case "bert", "roberta":
		name := fmt.Sprintf("%sencoder.layer.%d.attention.", prefix, layer)
		for _, of := range []string{"query", "key", "value"} {
			rows(name+"self."+of, heads, false)
		}
		columns(name + "output.dense")
	case "distilbert":
		name := fmt.Sprintf("%stransformer.layer.%d.attention.", prefix, layer)
		for _, of := range []string{"q_lin", "k_lin", "v_lin"} {
			rows(name+of, heads, false)
		}
		columns(name + "out_lin")
	case "gpt2": // weights are [in, out], with query, key and value behind each other
		name := fmt.Sprintf("%sh.%d.attn.", prefix, layer)
		var of []int64
		for i := range int64(3) {
			for _, h := range heads {
				of = append(of, i*c.NumAttentionHeads+h)
			}
		}
		parts = append(parts, HeadPart{name + "c_attn.weight", 1, of, false}, HeadPart{name + "c_attn.bias", 0, of, false},
			HeadPart{name + "c_proj.weight", 0, heads, false})
	case "llama":
		name := fmt.Sprintf("%slayers.%d.self_attn.", prefix, layer)
		shared := c.NumKeyValueHeads != c.NumAttentionHeads
		rows(name+"q_proj", heads, false)
		rows(name+"k_proj", c.KeyValueHeads(layer), shared)
		rows(name+"v_proj", c.KeyValueHeads(layer), shared)
		columns(name + "o_proj")
	}
	return parts
}

// Unread are weights that layers without heads have no use for: those of the heads, and of a norm in front of them.
func (c Config) Unread() (names []string) {
	for layer := range c.NumHiddenLayers {
		if len(c.Heads(layer)) == 0 {
			for _, part := range c.HeadParts(layer) {
				names = append(names, part.Name)
			}
			names = append(names, c.attentionNorm(layer)...)
		}
	}
	return names
}

// attentionNorm are the weights of the norm that only a layer's heads read.
func (c Config) attentionNorm(layer int64) []string {
	switch prefix := Prefix(c.ModelType); c.ModelType {
	case "gpt2":
		name := fmt.Sprintf("%sh.%d.ln_1.", prefix, layer)
		return []string{name + "weight", name + "bias"}
	case "llama":
		return []string{fmt.Sprintf("%slayers.%d.input_layernorm.weight", prefix, layer)}
	}
	return nil
}

// Reheaded makes the weights of a model with c's heads, of the sizes that Parameters says, from those of the same model with other
// heads: what both have is copied, and heads that were not there are zeros, which do nothing. A weight that is no head's is given as it is.
func (c Config) Reheaded(from Config, weight func(name string) (*onnx.Tensor, error)) func(Parameter) (*onnx.Tensor, error) {
	type pair struct{ has, wants HeadPart }
	pairs, unread := map[string]pair{}, from.Unread()
	for layer := range c.NumHiddenLayers {
		has := from.HeadParts(layer)
		for i, part := range c.HeadParts(layer) {
			pairs[part.Name] = pair{has[i], part}
		}
	}
	return func(p Parameter) (*onnx.Tensor, error) {
		both, ok := pairs[p.Name]
		if !ok && slices.Contains(unread, p.Name) {
			return Fresh(0, 0)(p)
		}
		if !ok || slices.Equal(both.has.Of, both.wants.Of) {
			return weight(p.Name)
		}
		out := onnx.NewTensor(onnx.Float, p.Dims...)
		out.Name = p.Name
		if len(both.has.Of) == 0 {
			return out, nil
		}
		t, err := weight(p.Name)
		if err != nil {
			return nil, err
		}
		dims := slices.Clone(p.Dims)
		if both.wants.Axis >= len(dims) || int64(len(both.wants.Of))*c.Defaults().HeadDim != dims[both.wants.Axis] {
			return nil, fmt.Errorf("%s is to be %v of %d heads", p.Name, p.Dims, len(both.wants.Of))
		}
		if dims[both.has.Axis] = int64(len(both.has.Of)) * c.Defaults().HeadDim; !slices.Equal(t.Dims, dims) || t.DType != onnx.Float {
			return nil, fmt.Errorf("%s is %v, wants float %v", p.Name, t.Type(), dims)
		}
		copyParts(out, t, both.wants, both.has, c.Defaults().HeadDim)
		return out, nil
	}
}

// copyParts copies what both of two forms of a weight hold.
func copyParts(to, from *onnx.Tensor, wants, has HeadPart, width int64) {
	inner := int64(1)
	for _, d := range to.Dims[wants.Axis+1:] {
		inner *= d
	}
	outer, block := int64(1), width*inner
	for _, d := range to.Dims[:wants.Axis] {
		outer *= d
	}
	dst, src := to.Float32s(), from.Float32s()
	for i, of := range wants.Of {
		j := slices.Index(has.Of, of)
		if j < 0 {
			continue
		}
		for o := range outer {
			at, was := (o*int64(len(wants.Of))+int64(i))*block, (o*int64(len(has.Of))+int64(j))*block
			copy(dst[at:at+block], src[was:was+block])
		}
	}
}
