package session

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

// What inputs and outputs are for.
const (
	roleIDs       = "input_ids"
	roleMask      = "attention_mask"
	roleTypes     = "token_type_ids"
	rolePositions = "position_ids"
	roleLogits    = "logits"
	roleNext      = "seq_relationship_logits"
	roleHidden    = "last_hidden_state"
)

var inputRoles = map[string]string{
	"input_ids": roleIDs, "tokens": roleIDs, "input": roleIDs,
	"attention_mask": roleMask, "input_mask": roleMask,
	"token_type_ids": roleTypes, "segment_ids": roleTypes,
	"position_ids": rolePositions,
}

var outputRoles = map[string]string{
	"logits": roleLogits, "prediction_logits": roleLogits, "prediction_scores": roleLogits, "lm_logits": roleLogits,
	"seq_relationship_logits": roleNext, "seq_relationship_score": roleNext,
	"last_hidden_state": roleHidden, "hidden_states": roleHidden, "token_embeddings": roleHidden, "last_state": roleHidden,
}

// cached reports whether an input is for keys and values of the tokens before, [batch, heads, 0, width] where there are none, or
// says whether there are some.
func cached(v *onnx.Value) bool {
	s := v.Type.Shape
	switch {
	case v.Name == "use_cache_branch":
		return v.Type.DType == onnx.Bool && len(s) == 1
	case !strings.HasPrefix(v.Name, "past_key_values."):
		return false
	}
	return (v.Type.DType == onnx.Float || v.Type.DType == onnx.Float16) && len(s) == 4 && small(s[1]) && small(s[3])
}

func small(d onnx.Dim) bool { return d.Known() && d.Size < 1<<20 }

// roles finds what the ports of a graph are for: names by role.
func roles(ports []*onnx.Value, known map[string]string) (by map[string]*onnx.Value, other []string) {
	by = map[string]*onnx.Value{}
	for _, v := range ports {
		role := known[v.Name]
		if role == "" || by[role] != nil {
			other = append(other, v.Name)
			continue
		}
		by[role] = v
	}
	return by, other
}

// checkPorts says what is wrong with a model's ends, all of it at once.
func checkPorts(g *onnx.Graph) (in map[string]*onnx.Value, empty []*onnx.Value, out map[string]*onnx.Value, err error) {
	var wrong []string
	feeds := slices.DeleteFunc(slices.Clone(g.Inputs()), func(v *onnx.Value) bool { return v.IsInitializer() })
	in, other := roles(slices.DeleteFunc(slices.Clone(feeds), cached), inputRoles)
	for _, v := range feeds {
		if cached(v) {
			empty = append(empty, v)
		}
	}
	if in[roleIDs] == nil {
		wrong = append(wrong, "no input input_ids")
	}
	if len(other) > 0 {
		wrong = append(wrong, "inputs that are not known: "+limits.Names(other, 8))
	}
	for _, role := range []string{roleIDs, roleMask, roleTypes, rolePositions} {
		v := in[role]
		if v == nil {
			continue
		}
		if d := v.Type.DType; d != onnx.Int64 && d != onnx.Int32 && d != onnx.Float && d != onnx.Bool {
			wrong = append(wrong, fmt.Sprintf("input %s is of %s", limits.Name(v.Name), d))
		}
	}
	out, _ = roles(g.Outputs(), outputRoles)
	if v := out[roleLogits]; v != nil && v.Type.Shape.Ranked() && len(v.Type.Shape) != 3 {
		wrong = append(wrong, fmt.Sprintf("%s is %s, want [batch, sequence, vocabulary]: a classifier gives no probabilities of words", limits.Name(v.Name), v.Type))
	}
	if len(out) == 0 {
		names := []string{}
		for _, v := range g.Outputs() {
			names = append(names, v.Name)
		}
		wrong = append(wrong, "no output logits or last_hidden_state, but "+limits.Names(names, 8))
	}
	if len(wrong) > 0 {
		return nil, nil, nil, limits.Refuse("", "no language model: %s", strings.Join(wrong, "; "))
	}
	return in, empty, out, nil
}
