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
func checkPorts(g *onnx.Graph) (in, out map[string]*onnx.Value, err error) {
	var wrong []string
	feeds := slices.DeleteFunc(slices.Clone(g.Inputs()), func(v *onnx.Value) bool { return v.IsInitializer() })
	in, other := roles(feeds, inputRoles)
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
	if len(out) == 0 {
		names := []string{}
		for _, v := range g.Outputs() {
			names = append(names, v.Name)
		}
		wrong = append(wrong, "no output logits or last_hidden_state, but "+limits.Names(names, 8))
	}
	if len(wrong) > 0 {
		return nil, nil, limits.Refuse("", "no language model: %s", strings.Join(wrong, "; "))
	}
	return in, out, nil
}
