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

// answering turns a model with logits into one that gives log-probabilities of wanted tokens alone. With rows, they are those
// of given rows of [batch*sequence]; logits of other rows are then not computed where the vocabulary's product is the last, as
// it nearly always is. Without, of all rows.
func answering(m *onnx.Model, logits string, rows bool) (_ *onnx.Model, early bool, err error) {
	if m, err = prepared(m); err != nil {
		return nil, false, err
	}
	g := m.Graph
	v := g.Lookup(logits)
	b := op.NewBuilder(g).In("graft")
	var scores *onnx.Value
	if rows {
		at := g.AddInput(inputAt, onnx.TensorType{DType: onnx.Int64, Shape: onnx.Shape{onnx.UnknownDim}})
		if scores = gatherEarly(b, v, at); scores != nil {
			early = true
		} else if b.Err() == nil {
			scores = b.Gather(b.Flatten(v, 2), at, 0)
		}
	} else {
		scores = b.Flatten(v, 2)
	}
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
	return m, early, nil
}

// gatherEarly computes rows of the logits from rows of what goes into the vocabulary's product, where the logits are a product
// with a constant matrix and constants added to it. It is nil, and adds nothing, where they are not.
func gatherEarly(b *op.Builder, logits, at *onnx.Value) *onnx.Value {
	var chain []*onnx.Node // from the last
	v := logits
	for {
		n := v.Producer()
		if n == nil {
			return nil
		}
		switch {
		case n.Is("Cast") || n.Is("Identity"):
			chain, v = append(chain, n), n.Input(0)
		case n.Is("Add") && constantOfRank(n.Input(1), 0, 1):
			chain, v = append(chain, n), n.Input(0)
		case n.Is("Add") && constantOfRank(n.Input(0), 0, 1):
			chain, v = append(chain, n), n.Input(1)
		case n.Is("MatMul") && constantOfRank(n.Input(1), 2, 2) && len(n.Input(0).Type.Shape) == 3:
			x := b.MatMul(b.Gather(b.Flatten(n.Input(0), 2), at, 0), n.Input(1))
			for i := len(chain) - 1; i >= 0; i-- {
				x = again(b, chain[i], x)
			}
			return x
		default:
			return nil
		}
		if v == nil {
			return nil
		}
	}
}

// again applies a node of a chain to another value.
func again(b *op.Builder, n *onnx.Node, x *onnx.Value) *onnx.Value {
	switch {
	case n.Is("Identity"):
		return x
	case n.Is("Cast"):
		return b.Cast(x, onnx.DataType(onnx.AttrOr(n, "to", int64(onnx.Float))))
	case constantOfRank(n.Input(1), 0, 1):
		return b.Add(x, n.Input(1))
	}
	return b.Add(n.Input(0), x)
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
