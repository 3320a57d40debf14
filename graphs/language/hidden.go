package language

import (
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/limits"
)

// LastHidden finds the last hidden state of a language model, whoever wrote its graph: what the norm behind the last block gives,
// [batch, sequence, width] or the same rows in a matrix, from which the head or an output last_hidden_state is made. Behind it lie
// the head's products, in front of it the last sum of a block with what went around it. Types must have been inferred.
func LastHidden(g *onnx.Graph) (*onnx.Value, error) {
	var out *onnx.Value
	for _, name := range []string{"last_hidden_state", "token_embeddings", "logits", "prediction_logits", "prediction_scores", "pooler_output", "sentence_embedding"} {
		for _, v := range g.Outputs() {
			if out == nil && v.Name == name {
				out = v
			}
		}
	}
	if out == nil {
		return nil, fmt.Errorf("find the last hidden state: there is no output last_hidden_state or logits")
	}
	parts := narrowing(g, out)
	block := slices.IndexFunc(parts, func(p part) bool { return p.split && p.product })
	if block < 0 {
		return nil, fmt.Errorf("find the last hidden state: no block with a sum around it leads to %s", limits.Name(out.Name))
	}
	at := block
	for at > 0 && parts[at-1].norm {
		at--
	}
	return parts[at].end, nil
}

// part is what lies between two values that all of a text passes through.
type part struct {
	end     *onnx.Value
	split   bool // more than one way leads through it
	product bool // there is a product with a weight, or attention
	norm    bool // it scales, shifts, or is a norm: nothing that chooses rows, or mixes their numbers by weights
}

// narrowing lists the parts of a graph that lead to a value, the last first. What a text does not pass through counts for nothing: masks,
// positions, shapes.
func narrowing(g *onnx.Graph, out *onnx.Value) (parts []part) {
	carries, place := map[*onnx.Value]bool{}, map[*onnx.Node]int{}
	nodes := g.Nodes()
	for i, n := range nodes {
		place[n] = i
		if n.Is("Shape") || n.Is("Size") {
			continue
		}
		table := n.Input(0)
		if n.Is("Gather") && table != nil && len(table.Type.Shape) == 2 && table.Producer() == nil && !g.IsInput(table) ||
			slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return carries[v] }) {
			for _, v := range n.Outputs() {
				if v != nil {
					carries[v] = true
				}
			}
		}
	}
	if !carries[out] {
		return nil
	}
	// The ways back are followed node by node, the last node first: where all have come to one value, a part ends.
	open := map[*onnx.Value]bool{out: true}
	now := part{end: out, norm: true}
	for {
		var last *onnx.Value
		for v := range open {
			if v.Producer() != nil && (last == nil || place[v.Producer()] > place[last.Producer()]) {
				last = v
			}
		}
		if last == nil {
			if now.split {
				parts = append(parts, now)
			}
			return parts
		}
		n := last.Producer()
		for _, v := range n.Outputs() {
			delete(open, v)
		}
		now.product = now.product || isProduct(n)
		now.norm = now.norm && isNorm(n)
		for _, v := range n.Inputs() {
			if carries[v] {
				open[v] = true
			}
		}
		if now.split = now.split || len(open) > 1; len(open) == 1 {
			parts = append(parts, now)
			for v := range open {
				now = part{end: v, norm: true}
			}
		}
	}
}

// isProduct reports whether a node has weights that mix the numbers of a row, or rows.
func isProduct(n *onnx.Node) bool {
	return strings.Contains(n.Op, "MatMul") || strings.Contains(n.Op, "Gemm") || strings.Contains(n.Op, "Attention") || n.Is("Conv")
}

// isNorm reports whether a node may be part of a norm.
func isNorm(n *onnx.Node) bool {
	switch n.Op {
	case "LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Reciprocal", "ReduceMean", "Cast":
		return true
	}
	return false
}
