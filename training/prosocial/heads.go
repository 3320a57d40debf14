package prosocial

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"graft/onnx/limits"
)

// Head is a head of attention.
type Head struct {
	Layer int `json:"layer"`
	Head  int `json:"head"`
}

func (h Head) String() string { return fmt.Sprintf("%d.%d", h.Layer, h.Head) }

// Heads are the heads that a network has, layer by layer.
func (n *Network) Heads() []Head {
	var out []Head
	for l := range n.Config.NumHiddenLayers {
		for _, h := range n.Config.Heads(l) {
			out = append(out, Head{int(l), int(h)})
		}
	}
	return out
}

// ParseHead reads "layer.head".
func ParseHead(s string) (Head, error) {
	layer, head, ok := strings.Cut(s, ".")
	l, err := strconv.ParseUint(layer, 10, 31)
	h, err2 := strconv.ParseUint(head, 10, 31)
	if !ok || err != nil || err2 != nil {
		return Head{}, fmt.Errorf("head %s: wants LAYER.HEAD, both counted from 0", limits.Name(s))
	}
	return Head{int(l), int(h)}, nil
}

// place is where a head is among those that its layer has.
func (n *Network) place(h Head) (int64, error) {
	c := n.Config
	if h.Layer < 0 || int64(h.Layer) >= c.NumHiddenLayers || h.Head < 0 || int64(h.Head) >= c.NumAttentionHeads {
		return 0, fmt.Errorf("no head %v in %d layers of %d heads", h, c.NumHiddenLayers, c.NumAttentionHeads)
	}
	at := slices.Index(c.Heads(int64(h.Layer)), int64(h.Head))
	if at < 0 {
		return 0, fmt.Errorf("head %v was removed", h)
	}
	return int64(at), nil
}

// byLayer sorts heads that a network has by their layers.
func (n *Network) byLayer(heads []Head) (map[int64][]int64, error) {
	out := map[int64][]int64{}
	for _, h := range heads {
		if _, err := n.place(h); err != nil {
			return nil, err
		}
		if l := int64(h.Layer); !slices.Contains(out[l], int64(h.Head)) {
			out[l] = append(out[l], int64(h.Head))
		}
	}
	return out, nil
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
	if _, err := n.place(h); err != nil {
		return nil, err
	}
	var out []slice
	width := n.Config.Defaults().HeadDim
	for _, part := range n.Config.HeadParts(int64(h.Layer)) {
		if part.Shared || n.Weights[part.Name] == nil {
			continue
		}
		for i, of := range part.Of {
			if of%n.Config.NumAttentionHeads == int64(h.Head) {
				out = append(out, slice{part.Name, part.Axis, int64(i) * width, int64(i+1) * width})
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no weights of head %v", n.Config.ModelType, h)
	}
	return out, nil
}
