package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"graft/onnx"
	"graft/onnx/limits"
	"graft/runtime"
	"graft/training/metric/bias"
)

// Model is a language model. Its sessions are opened when they are first asked. Scorers of one model are for one goroutine.
type Model struct {
	model   *onnx.Model
	options runtime.Options
	in, out map[string]*onnx.Value
	empty   []*onnx.Value // inputs for a cache of the tokens before, of which there are none
	open    map[string]*opened
	trees   *forest
	masks   *runtime.Session // of trees
	// noForest says that the model takes no trees.
	noForest bool
	mu       sync.Mutex
	// Tokens is how many tokens are run at once; 0: 4096, fewer where logits of all of them would take more than 128 MB.
	Tokens int
	// Answers, where they are set, keep what is answered, batch by batch; what they know already is not asked again.
	Answers *bias.Answers
}

// opened is a session of a form of the model.
type opened struct {
	session *runtime.Session
	inputs  map[string]bool
	early   bool
}

// New takes a model that has been read and checked; an error lists everything about its inputs and outputs that does not fit.
func New(m *onnx.Model, o runtime.Options) (*Model, error) {
	in, empty, out, err := checkPorts(m.Graph)
	if err != nil {
		return nil, err
	}
	return &Model{model: m, options: o, in: in, empty: empty, out: out, open: map[string]*opened{}}, nil
}

// Open opens the session that answers by logits, where the model has them, which else the first question does. causal says that
// what is asked is the likelihood of texts.
func (m *Model) Open(ctx context.Context, causal bool) error {
	if m.out[roleLogits] == nil {
		return nil
	}
	if causal {
		sample := make([]int64, 8)
		for i := range sample {
			sample[i] = int64(i) % max(1, m.Vocabulary())
		}
		if f, err := m.forest(ctx, len(sample), sample); f != nil || err != nil {
			return err
		}
	}
	_, err := m.answers()
	return err
}

// Close closes the sessions.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all error
	for _, o := range m.open {
		all = errors.Join(all, o.session.Close())
	}
	if m.masks != nil {
		all = errors.Join(all, m.masks.Close())
	}
	clear(m.open)
	m.trees, m.masks = nil, nil
	return all
}

// Vocabulary is the number of tokens that the model knows: that logits are of, or of its table of embeddings; 0 where it cannot be
// told.
func (m *Model) Vocabulary() int64 {
	if v := m.out[roleLogits]; v != nil {
		if s := v.Type.Shape; len(s) == 3 && s[2].Known() {
			return s[2].Size
		}
	}
	ids := m.in[roleIDs]
	for range 8 { // casts
		uses := ids.Uses()
		for _, u := range uses {
			if n := u.Node; n.Is("Gather") && u.Index == 1 && n.Input(0).IsInitializer() && len(n.Input(0).Type.Shape) == 2 {
				return n.Input(0).Type.Shape[0].Size
			}
		}
		i := slices.IndexFunc(uses, func(u onnx.Use) bool { return u.Node.Is("Cast") })
		if i < 0 {
			return 0
		}
		ids = uses[i].Node.Output(0)
	}
	return 0
}

// Masked, Causal, Next and Encoder are the model's scorers, nil where it lacks the output. Which of Masked and Causal a model
// with logits is the graph does not say.

// Masked answers by logits.
func (m *Model) Masked() bias.Masked {
	if m.out[roleLogits] == nil {
		return nil
	}
	return masked{m}
}

// Causal answers by logits.
func (m *Model) Causal() bias.Causal {
	if m.out[roleLogits] == nil {
		return nil
	}
	return causal{m}
}

// Next answers by the head for next sentences, of which the first number is that the second text follows.
func (m *Model) Next() bias.NextSentence {
	if m.out[roleNext] == nil {
		return nil
	}
	return next{m}
}

// Encoder gives means of the last hidden states over all tokens, those at the ends included.
func (m *Model) Encoder() bias.Encoder {
	if m.out[roleHidden] == nil {
		return nil
	}
	return encoder{m}
}

// Early reports whether masked questions are answered without the logits of other places. It is known once one was asked.
func (m *Model) Early() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.open[roleLogits]
	return o != nil && o.early
}

// form opens a form of the model, once; nil where there is none.
func (m *Model) form(name string, make func() (*onnx.Model, bool, error)) (*opened, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o := m.open[name]; o != nil {
		return o, nil
	}
	changed, early, err := make()
	if err != nil || changed == nil {
		return nil, err
	}
	s, err := runtime.OpenModel(changed, m.options)
	if err != nil {
		return nil, err
	}
	o := &opened{session: s, inputs: map[string]bool{}, early: early}
	for _, p := range s.Inputs() {
		o.inputs[p.Name] = true
	}
	m.open[name] = o
	return o, nil
}

var errNoTokens = errors.New("a sequence has no tokens")

// batch is sequences of one length, by their indexes in the question list.
type batch struct {
	index  []int
	length int
}

// batches puts sequences of the same length together, shortest first, with at most so many tokens in each batch, and one
// sequence at least.
func batches(of []int, length func(int) int, tokens int) (out []batch, err error) {
	order, n := slices.Clone(of), len(of)
	slices.SortStableFunc(order, func(a, b int) int { return length(a) - length(b) })
	for i := 0; i < n; {
		of := length(order[i])
		if of == 0 {
			return nil, errNoTokens
		}
		end := i + 1
		for end < n && length(order[end]) == of && (end-i+1)*of <= tokens {
			end++
		}
		out = append(out, batch{order[i:end], of})
		i = end
	}
	return out, nil
}

// tokens is how many go into a batch of which this many have logits.
func (m *Model) tokens(logits bool) int {
	n := m.Tokens
	if n <= 0 {
		n = 4096
	}
	if v := m.Vocabulary(); logits && v > 0 {
		n = min(n, max(1, int(32<<20/v))) // numbers of 4 bytes
	}
	return n
}

// feeds are a batch's inputs.
func (m *Model) feeds(o *opened, b batch, ids, types func(int) []int64) (map[string]*onnx.Tensor, error) {
	n := len(b.index)
	feeds := map[string]*onnx.Tensor{}
	add := func(role string, value func(row, column int) int64) error {
		v := m.in[role]
		if v == nil || !o.inputs[v.Name] {
			return nil
		}
		flat := make([]int64, 0, n*b.length)
		for _, row := range b.index {
			for column := range b.length {
				flat = append(flat, value(row, column))
			}
		}
		t, err := integers(flat, v.Type.DType, int64(n), int64(b.length))
		feeds[v.Name] = t
		return err
	}
	for _, v := range m.empty {
		if !o.inputs[v.Name] {
			continue
		}
		if s := v.Type.Shape; len(s) == 4 {
			feeds[v.Name] = onnx.NewTensor(v.Type.DType, int64(n), s[1].Size, 0, s[3].Size)
		} else {
			feeds[v.Name] = onnx.NewTensor(v.Type.DType, 1) // use_cache_branch
		}
	}
	return feeds, errors.Join(
		add(roleIDs, func(row, column int) int64 { return ids(row)[column] }),
		add(roleMask, func(int, int) int64 { return 1 }),
		add(rolePositions, func(_, column int) int64 { return int64(column) }),
		add(roleTypes, func(row, column int) int64 {
			if t := types(row); t != nil {
				return t[column]
			}
			return 0
		}),
	)
}

// integers are whole numbers as a tensor of a type.
func integers(flat []int64, to onnx.DataType, dims ...int64) (*onnx.Tensor, error) {
	switch to {
	case onnx.Int64:
		return onnx.FromSlice(flat, dims...), nil
	case onnx.Int32:
		return onnx.FromSlice(converted[int32](flat), dims...), nil
	case onnx.Float:
		return onnx.FromSlice(converted[float32](flat), dims...), nil
	case onnx.Bool:
		out := make([]bool, len(flat))
		for i, v := range flat {
			out[i] = v != 0
		}
		return onnx.FromSlice(out, dims...), nil
	}
	return nil, limits.Refuse("", "an input is of %s", to)
}

func converted[T int32 | float32](from []int64) []T {
	out := make([]T, len(from))
	for i, v := range from {
		out[i] = T(v)
	}
	return out
}

// known refuses tokens that the vocabulary does not have.
func (m *Model) known(list []int64) error {
	size := m.Vocabulary()
	for _, id := range list {
		switch {
		case id < 0:
			return fmt.Errorf("the tokenizer gives token %d", id)
		case size > 0 && id >= size:
			return fmt.Errorf("the tokenizer gives token %d, the model has a vocabulary of %d: they do not belong together", id, size)
		}
	}
	return nil
}

func none(int) []int64 { return nil }
