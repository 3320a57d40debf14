package prosocial

import (
	"fmt"

	"graft/graphs/language"
	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// Fold takes the directions of a projection out of the last hidden state of a language model's graph, whoever wrote it, for all that
// is made from it: outputs, pooling, heads. Where a product with a weight alone reads it, the weight is changed and the graph stays
// as it is.
func (p *Projection) Fold(m *onnx.Model, o rewrite.ProjectOptions) (*rewrite.Projected, error) {
	op.InferModel(m)
	x, err := language.LastHidden(m.Graph)
	if err != nil {
		return nil, err
	}
	return rewrite.Project(m.Graph, x, p.Directions, o)
}

// FoldWeights takes the directions out of the last hidden state of a network that is built for a task, as far as weights can hold that:
// it gives the network with the changed weights, and their names. Where they cannot, network is nil and reason says why. A decoder whose
// head shares the table of words gets a head of its own with untie.
func (p *Projection) FoldWeights(n *Network, task string, untie bool) (network *Network, changed []string, reason string, err error) {
	out := n.with(nil)
	if untie && task == language.TextGeneration && n.Config.TieWordEmbeddings {
		table := n.Weights[wordTables[n.Config.ModelType]]
		if table == nil {
			return nil, nil, "", fmt.Errorf("there is no table of words to make a head of")
		}
		own := *table
		own.Name = "lm_head.weight"
		out.Config.TieWordEmbeddings, out.Weights[own.Name] = false, &own
	}
	m, err := out.Build(language.Options{Task: task})
	if err != nil {
		return nil, nil, "", err
	}
	done, err := p.Fold(m, rewrite.ProjectOptions{})
	if err != nil || done.Kept != "" {
		if done != nil {
			reason = done.Kept
		}
		return nil, nil, reason, err
	}
	for _, name := range done.Merged {
		t := m.Graph.Lookup(name).Const
		t.Name = name
		out.Weights[name] = t
	}
	return out, done.Merged, "", nil
}

// wordTables are the tables of words of decoders.
var wordTables = map[string]string{"gpt2": "transformer.wte.weight", "llama": "model.embed_tokens.weight"}
