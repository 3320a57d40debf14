package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"graft/onnx"
	"graft/onnx/rewrite"
	"graft/runtime"
)

// inputSeen takes the place of the mask of attention.
const inputSeen = "graft.seen" // float32 [batch, 1, sequence, sequence], added to the scores

// maskOf finds what every attention of a graph adds to its scores [batch, heads, sequence, sequence] before Softmax, where that is one
// value, made of the mask and of shapes alone; with the nodes that add it, and which of their inputs it is.
func maskOf(g *onnx.Graph, in map[string]*onnx.Value) (mask *onnx.Value, at []onnx.Use) {
	for _, n := range g.Nodes() {
		if len(n.Subgraphs()) > 0 || strings.Contains(n.Op, "Attention") || strings.HasPrefix(n.Op, "DynamicQuantize") {
			return nil, nil // numbers of the last kind depend on all that is run together
		}
		if !n.Is("Softmax") {
			continue
		}
		x := n.Input(0)
		if axis := onnx.AttrOr(n, "axis", int64(-1)); x == nil || len(x.Type.Shape) != 4 || axis != -1 && axis != 3 {
			return nil, nil
		}
		add := x.Producer()
		if add == nil || !add.Is("Add") {
			return nil, nil
		}
		i := slices.IndexFunc(add.Inputs(), func(v *onnx.Value) bool { return v == mask || mask == nil && ofMask(v, in) })
		if i < 0 {
			return nil, nil
		}
		mask, at = add.Input(i), append(at, onnx.Use{Node: add, Index: i})
	}
	if mask == nil || mask.Type.DType != onnx.Float {
		return nil, nil
	}
	return mask, at
}

// ofMask reports whether a value is made of the mask, of positions and of shapes of inputs.
func ofMask(v *onnx.Value, in map[string]*onnx.Value) bool {
	seen := map[*onnx.Value]bool{}
	var ok func(v *onnx.Value) bool
	ok = func(v *onnx.Value) bool {
		if v == nil || v.IsInitializer() || seen[v] || v == in[roleMask] || v == in[rolePositions] {
			return true
		}
		n := v.Producer()
		if seen[v] = true; n == nil || len(seen) > 256 {
			return false
		}
		if n.Is("Shape") {
			return n.Input(0).Producer() == nil
		}
		return !slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return !ok(v) })
	}
	return v.Producer() != nil && ok(v)
}

// seeing puts an input in the place of the mask. It refuses a graph in which the order of tokens may count otherwise than by the mask
// and by position_ids.
func seeing(m *onnx.Model, ids, mask, positions string) bool {
	g := m.Graph
	in := map[string]*onnx.Value{roleMask: g.Lookup(mask), rolePositions: g.Lookup(positions)}
	found, at := maskOf(g, in)
	if found == nil {
		return false
	}
	seen := g.AddInput(inputSeen, onnx.TensorType{DType: onnx.Float, Shape: onnx.Shape{onnx.UnknownDim, {Size: 1}, onnx.UnknownDim, onnx.UnknownDim}})
	for _, u := range at {
		u.Node.SetInput(u.Index, seen)
	}
	g.RemoveUnused()
	shapesAlone := func(v *onnx.Value, also string) bool {
		return v == nil || !slices.ContainsFunc(v.Uses(), func(u onnx.Use) bool { return !u.Node.Is("Shape") && !(u.Node.Is(also) && u.Index == 1) })
	}
	return in[rolePositions] != nil && in[rolePositions].NumUses() > 0 && shapesAlone(in[roleMask], "") && shapesAlone(g.Lookup(ids), "Gather")
}

// maskModel is the part of a model that makes the mask.
func maskModel(m *onnx.Model, in map[string]*onnx.Value) (*onnx.Model, error) {
	m = m.Clone()
	g := m.Graph
	of := map[string]*onnx.Value{}
	for role, v := range in {
		of[role] = g.Lookup(v.Name)
	}
	mask, _ := maskOf(g, of)
	if mask == nil {
		return nil, fmt.Errorf("the model has no mask")
	}
	const name = "graft.mask"
	g.SetOutputs()
	g.AddOutput(mask, name)
	if err := rewrite.Extract(m, nil, []string{name}); err != nil {
		return nil, err
	}
	return m, nil
}

// causalMask runs the part of a model that makes the mask for a text of n tokens, and gives what it adds for a token that is not seen;
// ok: nothing for a token itself and those before, and so little that Softmax makes 0 of it for those behind.
func causalMask(ctx context.Context, s *runtime.Session, feeds map[string]*onnx.Tensor, n int) (unseen float32, ok bool, err error) {
	given := map[string]*onnx.Tensor{}
	for _, p := range s.Inputs() {
		given[p.Name] = feeds[p.Name]
	}
	out, err := s.Run(ctx, given)
	if err != nil {
		return 0, false, err
	}
	for _, t := range out {
		if t.DType != onnx.Float || len(t.Data) != 4*n*n {
			return 0, false, nil
		}
		v := t.Float32s()
		for i := range n {
			for j := range n {
				if j <= i && v[i*n+j] != 0 || j > i && !(v[i*n+j] <= -1e3) {
					return 0, false, nil
				}
			}
		}
		if unseen = v[n-1]; n < 2 {
			unseen = -1e4
		}
	}
	return unseen, true, nil
}
