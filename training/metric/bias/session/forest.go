package session

import (
	"context"
	"math"

	"graft/onnx"
	"graft/runtime"
)

// A causal model scores texts that begin alike together: a tree of them is a row in which each token sees the tokens before it in its
// texts. Several trees lie in a row, which none sees of the others. That needs a model whose only mask is one that can be told apart
// and whose positions are an input; others score one text a row.

// Sizes of trees and rows in places: attention is computed between all places of a row, and a common beginning is found again in each
// tree.
const mostPlaces = 64

// forest is a form of a model that takes rows of trees.
type forest struct {
	*opened
	mask    *runtime.Session
	checked int // the longest text for which the mask is known
	unseen  float32
}

// formForest is the name of the form.
const formForest = "forest"

// forest opens the form that takes trees, for texts of at most so many tokens of which one is a sample; nil where the model has none.
func (m *Model) forest(ctx context.Context, longest int, sample []int64) (*forest, error) {
	if m.noForest || len(sample) < 2 || m.in[rolePositions] == nil || m.in[rolePositions].Type.DType != onnx.Int64 {
		return nil, nil
	}
	f := m.trees
	if f == nil {
		var err error
		if f, err = m.openForest(ctx, longest, sample); f == nil {
			m.noForest = err == nil
			return nil, err
		}
		m.trees = f
	}
	if longest > f.checked {
		if ok, err := f.check(ctx, m, longest); !ok {
			m.noForest = err == nil
			return nil, err
		}
	}
	return f, nil
}

func (m *Model) openForest(ctx context.Context, longest int, sample []int64) (*forest, error) {
	typed, err := prepared(m.model)
	if err != nil {
		return nil, err
	}
	part, err := maskModel(typed, m.in)
	if err != nil {
		return nil, nil // there is none
	}
	f := &forest{}
	if f.mask, err = runtime.OpenModel(part, m.options); err != nil {
		return nil, err
	}
	m.masks = f.mask
	if ok, err := f.check(ctx, m, longest); !ok {
		return nil, err
	}
	if f.opened, err = m.form(formForest, func() (*onnx.Model, bool, error) { return m.answering(true) }); err != nil || f.opened == nil {
		return nil, err
	}
	if same, err := m.likeAlone(ctx, f, sample); !same {
		return nil, err
	}
	return f, nil
}

// check finds out whether the model's own mask for a text of n tokens is that of a causal model.
func (f *forest) check(ctx context.Context, m *Model, n int) (bool, error) {
	o := &opened{inputs: map[string]bool{}}
	for _, p := range f.mask.Inputs() {
		o.inputs[p.Name] = true
	}
	text := make([]int64, n)
	feeds, err := m.feeds(o, batch{[]int{0}, n}, func(int) []int64 { return text }, none)
	if err != nil {
		return false, err
	}
	unseen, ok, err := causalMask(ctx, f.mask, feeds, n)
	if err == nil && ok {
		f.checked, f.unseen = n, unseen
	}
	return ok, err
}

// likeAlone tries whether two texts side by side have the answers that each has alone.
func (m *Model) likeAlone(ctx context.Context, f *forest, sample []int64) (bool, error) {
	const enough = 12
	first := sample[:min(len(sample), enough)]
	second := make([]int64, len(first))
	for i, id := range first {
		second[len(first)-1-i] = id
	}
	texts := [][]int64{first, second}
	ids := func(i int) []int64 { return texts[i] }
	var got [2][][]float64
	for k := range got {
		got[k] = make([][]float64, 2)
		var all []*tree
		for i := range texts {
			all = append(all, trees([]int{i}, ids, mostPlaces)...)
		}
		rows := []row{{all, len(all[0].tokens) + len(all[1].tokens)}}
		if k == 1 {
			rows = []row{{all[:1], len(all[0].tokens)}, {all[1:], len(all[1].tokens)}}
		}
		if err := m.score(ctx, f, grove{rows, rows[0].size}, got[k]); err != nil {
			return false, err
		}
	}
	for i := range texts {
		for k, v := range got[0][i] {
			if !(math.Abs(v-got[1][i][k]) < 1e-3*max(1, math.Abs(v))) {
				return false, nil
			}
		}
	}
	return true, nil
}

// score runs a grove.
func (m *Model) score(ctx context.Context, f *forest, g grove, into [][]float64) error {
	x := g.fields(f.unseen)
	index := make([]int, len(g.rows))
	for i := range index {
		index[i] = i
	}
	n, l := int64(len(g.rows)), int64(g.length)
	if l == 0 { // texts of one token
		g.take(nil, 0, into)
		return nil
	}
	feeds, err := m.feeds(f.opened, batch{index, g.length}, func(i int) []int64 { return x.ids[i] }, none)
	if err != nil {
		return err
	}
	positions := make([]int64, 0, n*l)
	for _, of := range x.positions {
		positions = append(positions, of...)
	}
	feeds[m.in[rolePositions].Name] = onnx.FromSlice(positions, n, l)
	feeds[inputSeen] = onnx.FromSlice(x.seen, n, 1, l, l)
	feeds[inputAt] = onnx.FromSlice(x.at, int64(len(x.at)))
	feeds[inputWanted] = onnx.FromSlice(x.wanted, int64(len(x.at)), int64(x.width))
	found, err := m.found(ctx, f.opened, feeds, len(x.wanted))
	if err != nil {
		return err
	}
	g.take(found, x.width, into)
	return nil
}
