package training

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/noise"
	"graft/onnx/op"
)

// DropoutMask is one Dropout of a training form: the element at an index is zero where noise.Float of the key
// noise.NewKey(seed, stream, step) at that index is below the ratio, and otherwise multiplied by 1/(1-ratio).
type DropoutMask struct {
	Node   string  `json:"node"`
	Stream string  `json:"stream"`
	Ratio  float64 `json:"ratio"`
}

// dropoutStream is the stream of the n-th Dropout that is not taken out.
func dropoutStream(n int) string { return fmt.Sprintf("dropout/%d", n) }

// dropout writes Dropout nodes as products with masks that are a function of seed, node, step and index, when a form trains with
// them. Otherwise it takes out those whose mask nobody reads.
func (f *form) dropout(p *plan, train bool) error {
	var dropped []*onnx.Node
	if train {
		p.masks = nil
	}
	for _, n := range f.g.Nodes() {
		if !n.Is("Dropout") {
			continue
		}
		if train && p.Dropout {
			ratio, err := dropoutRatio(n)
			if err != nil {
				return err
			}
			if ratio > 0 {
				p.masks = append(p.masks, DropoutMask{Node: n.Name, Stream: dropoutStream(len(p.masks)), Ratio: ratio})
				dropped = append(dropped, n)
				continue
			}
		}
		if mask := n.Output(1); mask != nil && (mask.NumUses() > 0 || f.g.IsOutput(mask)) {
			continue
		}
		if err := f.g.ReplaceUses(n.Output(0), n.Input(0)); err != nil {
			return err
		}
	}
	if dropped == nil {
		return nil
	}
	f.step = f.g.AddInput(InputStep, onnx.TypeOf(onnx.Int64, 1))
	streams := make([]string, len(p.masks))
	for i, m := range p.masks {
		streams[i] = m.Stream
	}
	keys := noise.EmitStreams(f.b, p.DropoutSeed, streams, f.step)
	for i, n := range dropped {
		x, ratio := n.Input(0), p.masks[i].Ratio
		b := f.b.In(n.Name + "/dropout")
		below := keys.EmitBelow(b, int64(i), ratio, x)
		y := b.Mul(x, b.Where(below, b.Scalar(x, 0), b.Scalar(x, 1/(1-ratio))))
		after := []*onnx.Value{y, nil}
		if n.Output(1) != nil {
			after[1] = b.Not(below)
		}
		if err := b.Err(); err != nil {
			return err
		}
		for k, v := range after {
			if v == nil {
				continue
			}
			if err := f.g.ReplaceUses(n.Output(k), v); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropoutRatio reads the share of elements that a Dropout zeroes.
func dropoutRatio(n *onnx.Node) (float64, error) {
	ratio := onnx.AttrOr(n, "ratio", float32(0.5))
	if v := n.Input(1); v != nil {
		t := op.ConstantOf(v)
		if t == nil || t.DType != onnx.Float || t.Check() != nil || t.Len() != 1 {
			return 0, fmt.Errorf("%v: dropout wants a constant ratio", n)
		}
		ratio = t.Float32s()[0]
	}
	if !(ratio >= 0 && ratio < 1) {
		return 0, fmt.Errorf("%v: dropout by a ratio of %v, want one in [0,1)", n, ratio)
	}
	return float64(ratio), nil
}
