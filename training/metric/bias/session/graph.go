package session

import (
	"fmt"

	"graft/onnx"
	"graft/onnx/op"
	"graft/onnx/rewrite"
)

// Names of what is added to a model.
const (
	inputAt     = "graft.at"     // rows of the flattened [batch*sequence, ...], int64 [N]
	inputWanted = "graft.wanted" // tokens whose log-probabilities are wanted, int64 [N, K]
	outputFound = "graft.found"  // log-probabilities, float32 [N, K]
)

// lowestOpset is the first that has GatherElements.
const lowestOpset = 11

// prepared is a copy of a model with types, at an opset that the added nodes are in. Their forms are the same from lowestOpset
// to the newest.
func prepared(m *onnx.Model) (*onnx.Model, error) {
	m = m.Clone()
	if m.Opset("") < lowestOpset {
		if err := rewrite.Upgrade(m); err != nil {
			return nil, fmt.Errorf("bring the model to opset %d: %w", lowestOpset, err)
		}
	}
	op.InferModel(m)
	return m, nil
}

// answering turns the model with logits into one that gives log-probabilities of wanted tokens alone, in given rows of the logits as
// [batch*sequence, vocabulary]. trees: what tokens see is an input; nil where the model does not allow that.
func (m *Model) answering(trees bool) (_ *onnx.Model, early bool, err error) {
	changed, err := prepared(m.model)
	if err != nil {
		return nil, false, err
	}
	g := changed.Graph
	v := g.Lookup(m.out[roleLogits].Name)
	g.SetOutputs(v)
	g.RemoveUnused() // so that what leads to other outputs wants no rows
	if trees && !seeing(changed, m.name(roleIDs), m.name(roleMask), m.name(rolePositions)) {
		return nil, false, nil
	}
	b := op.NewBuilder(g).In("graft")
	at := g.AddInput(inputAt, onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{onnx.UnknownDim}})
	scores, early := gatherRows(b, v, at)
	if scores != nil && scores.Type.DType != onnx.Float {
		scores = b.Cast(scores, onnx.Float)
	}
	wanted := g.AddInput(inputWanted, onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{onnx.UnknownDim, onnx.UnknownDim}})
	found := b.GatherElements(b.LogSoftmax(scores, 1), wanted, 1)
	if b.Err() != nil {
		return nil, false, b.Err()
	}
	g.SetOutputs()
	g.AddOutput(found, outputFound)
	g.RemoveUnused()
	return changed, early, nil
}

// name is that of an input, "" where there is none.
func (m *Model) name(role string) string {
	if v := m.in[role]; v != nil {
		return v.Name
	}
	return ""
}

// constantOfRank reports whether a value comes of initializers and constants alone, and has a rank within the bounds.
func constantOfRank(v *onnx.Value, least, most int) bool {
	if v == nil || !v.Type.Shape.Ranked() || len(v.Type.Shape) < least || len(v.Type.Shape) > most {
		return false
	}
	for range 64 { // Transpose, Cast, DequantizeLinear of a weight: never long
		if v.IsInitializer() {
			return true
		}
		n := v.Producer()
		switch {
		case n == nil:
			return false
		case n.Is("Constant"):
			return true
		case n.Is("Transpose") || n.Is("Cast") || n.Is("Identity"):
			v = n.Input(0)
		case n.Is("DequantizeLinear"):
			v = n.Input(0)
		default:
			return false
		}
		if v == nil {
			return false
		}
	}
	return false
}

// keeping is a copy of a model with one output.
func keeping(m *onnx.Model, output string) (*onnx.Model, error) {
	m = m.Clone()
	if err := rewrite.Extract(m, nil, []string{output}); err != nil {
		return nil, err
	}
	return m, nil
}
