package generate

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

// ports are a model's inputs and outputs by what they are for; nil where it has none.
type ports struct {
	ids, mask, positions, logits *onnx.Value
	past                         []cached
}

// cached is a tensor of keys or values.
type cached struct {
	name, present string // the input, and the output that the next step has there
	dtype         onnx.DataType
	heads, width  int64
}

const (
	pastPrefix    = "past_key_values."
	presentPrefix = "present."
)

// portsOf finds the ports of a graph, or says all that is wrong with them.
func portsOf(g *onnx.Graph) (p ports, err error) {
	var wrong []string
	bad := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	outputs := map[string]*onnx.Value{}
	for _, v := range g.Outputs() {
		outputs[v.Name] = v
	}
	var unknown []string
	for _, v := range g.Inputs() {
		rest, past := strings.CutPrefix(v.Name, pastPrefix)
		switch to := map[string]**onnx.Value{"input_ids": &p.ids, "attention_mask": &p.mask, "position_ids": &p.positions}[v.Name]; {
		case v.IsInitializer():
		case to != nil:
			if *to = v; v.Type.DType != onnx.Int64 {
				bad("input %s is of %s, not int64", v.Name, v.Type.DType)
			}
		case past:
			s := v.Type.Shape
			switch {
			case outputs[presentPrefix+rest] == nil:
				bad("input %s has no output %s", limits.Name(v.Name), limits.Name(presentPrefix+rest))
			case len(s) != 4 || !s[1].Known() || !s[3].Known() || s[1].Size < 1 || s[3].Size < 1:
				bad("input %s is of %v, not [batch, 3, past, 64] or other numbers", limits.Name(v.Name), s)
			case v.Type.DType != onnx.Float && v.Type.DType != onnx.Float16:
				bad("input %s is of %s, not float32 or float16", limits.Name(v.Name), v.Type.DType)
			default:
				p.past = append(p.past, cached{v.Name, presentPrefix + rest, v.Type.DType, s[1].Size, s[3].Size})
			}
		default:
			unknown = append(unknown, v.Name)
		}
	}
	if p.ids == nil {
		bad("no input input_ids")
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		bad("inputs that are not known: %s", limits.Names(unknown, 8))
	}
	if p.logits = outputs["logits"]; p.logits == nil {
		bad("no output logits")
	} else if s := p.logits.Type.Shape; s.Ranked() && len(s) != 3 {
		bad("logits are of %v, not [batch, sequence, vocabulary]", s)
	}
	if len(wrong) > 0 {
		return p, limits.Refuse("", "no model that writes on: %s", strings.Join(wrong, "; "))
	}
	return p, nil
}
