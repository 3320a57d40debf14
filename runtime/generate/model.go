package generate

import (
	"context"
	"fmt"

	"graft/onnx"
	"graft/runtime"
)

// portion is how many tokens of a prompt go through a model with a cache at once.
const portion = 512

// Model is a causal language model. It is for one goroutine.
type Model struct {
	session    *runtime.Session
	ports      ports
	vocabulary int64
}

// New takes over a model that has been read and checked. An error lists everything about its inputs and outputs that does not fit.
func New(m *onnx.Model, o runtime.Options) (*Model, error) {
	p, err := portsOf(m.Graph)
	if err != nil {
		return nil, err
	}
	out := &Model{ports: p}
	if s := p.logits.Type.Shape; len(s) == 3 && s[2].Known() {
		out.vocabulary = s[2].Size
	}
	if err := lastLogits(m, p.logits); err != nil {
		return nil, err
	}
	if out.session, err = runtime.OpenModel(m, o); err != nil {
		return nil, err
	}
	return out, nil
}

// Close closes the session.
func (m *Model) Close() error { return m.session.Close() }

// Vocabulary is the number of tokens that logits are of; 0 where the model does not say.
func (m *Model) Vocabulary() int64 { return m.vocabulary }

// Cached reports whether keys and values of earlier tokens are kept.
func (m *Model) Cached() bool { return len(m.ports.past) > 0 }

// text is a sequence of tokens on its way through the model. Close its state.
type text struct {
	model *Model
	ids   []int64
	done  int            // tokens that the cache holds
	state *runtime.State // the cache
}

// start begins a text whose cache, if there is one, is empty.
func (m *Model) start(ids []int64) (*text, error) {
	empty, links := map[string]*onnx.Tensor{}, make([]runtime.Link, len(m.ports.past))
	for i, c := range m.ports.past {
		empty[c.name] = onnx.NewTensor(c.dtype, 1, c.heads, 0, c.width)
		links[i] = runtime.Link{Output: c.present, Input: c.name, Grows: true}
	}
	state, err := m.session.NewState(empty, links, m.ports.logits.Name)
	if err != nil {
		return nil, err
	}
	return &text{model: m, ids: ids, state: state}, nil
}

// logits are those of the token behind the text.
func (t *text) logits(ctx context.Context) (last []float32, err error) {
	if !t.model.Cached() {
		return t.step(ctx, 0, len(t.ids))
	}
	for t.done < len(t.ids) {
		end := min(t.done+portion, len(t.ids))
		if last, err = t.step(ctx, t.done, end); err != nil {
			return nil, err
		}
		t.done = end
	}
	return last, nil
}

// step runs tokens from..to, and gives the logits behind the last.
func (t *text) step(ctx context.Context, from, to int) ([]float32, error) {
	m, n := t.model, int64(to-from)
	feeds := map[string]*onnx.Tensor{m.ports.ids.Name: onnx.FromSlice(t.ids[from:to:to], 1, n)}
	if v := m.ports.mask; v != nil {
		ones := make([]int64, to)
		for i := range ones {
			ones[i] = 1
		}
		feeds[v.Name] = onnx.FromSlice(ones, 1, int64(to))
	}
	if v := m.ports.positions; v != nil {
		at := make([]int64, n)
		for i := range at {
			at[i] = int64(from + i)
		}
		feeds[v.Name] = onnx.FromSlice(at, 1, n)
	}
	if err := t.state.Step(ctx, feeds); err != nil {
		return nil, err
	}
	logits, err := t.state.Output(m.ports.logits.Name)
	if err != nil {
		return nil, err
	}
	if logits == nil {
		return nil, fmt.Errorf("the model gives no logits")
	}
	found, err := runtime.Floats(logits, onnx.Float)
	if err != nil {
		return nil, err
	}
	d := found.Dims
	if len(d) != 3 || d[0] != 1 || d[1] != 1 && d[1] != n || d[2] < 1 || m.vocabulary > 0 && d[2] != m.vocabulary {
		return nil, fmt.Errorf("logits are of %v, want [1, %d, vocabulary]", d, n)
	}
	return found.Float32s()[(d[1]-1)*d[2]:], nil
}
