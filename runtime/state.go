//go:build cgo

package runtime

import (
	"context"
	"fmt"
	goruntime "runtime"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"graft/onnx"
)

// State runs a session step by step and keeps inside what one step hands to the next: each linked output is written where
// the next step reads it as an input, in two buffers that take turns. It is not safe for concurrent use.
type State struct {
	session *Session
	options *ort.RunOptions
	closed  bool

	links   []buffers
	byInput map[string]int // position in links
	turn    int            // links[i].values[turn] holds the current state

	fetch  []fetched
	feeds  []feed // every input that is not linked, in the session's order
	fed    map[string]int
	stepOK bool // the outputs of fetch belong to a finished step

	inputNames, inputs, outputNames, outputs []handle // of a call: links first
}

// buffers are the two homes of a linked tensor.
type buffers struct {
	Link
	tensors [2]*onnx.Tensor
	values  [2]handle
	pin     goruntime.Pinner
}

// fetched is an output that is not linked. With a static shape it has a buffer, else ONNX Runtime allocates it each step.
type fetched struct {
	name   string
	tensor *onnx.Tensor
	value  handle // of the buffer, or of the last step
	fixed  bool
	pin    goruntime.Pinner
}

// feed is an input, with the value made of the tensor last fed.
type feed struct {
	port   *Port
	tensor *onnx.Tensor
	data   *byte
	length int
	dims   []int64
	value  handle
	pin    goruntime.Pinner
}

// NewState starts stepping. initial has the first value of each linked input, which is copied; fetch names the outputs to
// keep besides the linked ones. What neither is linked nor fetched is not computed.
func (s *Session) NewState(initial map[string]*onnx.Tensor, links []Link, fetch ...string) (_ *State, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ptr == nil {
		return nil, errClosed
	}
	if err := s.checkLinks(initial, links, fetch); err != nil {
		return nil, err
	}
	st := &State{session: s, byInput: map[string]int{}, fed: map[string]int{},
		links: make([]buffers, len(links)), fetch: make([]fetched, len(fetch))}
	defer func() {
		if err != nil {
			st.Close()
		}
	}()
	if st.options, err = ort.NewRunOptions(); err != nil {
		return nil, runError(err)
	}
	for i, l := range links {
		b := &st.links[i]
		b.Link = l
		st.byInput[l.Input] = i
		for j := range b.tensors {
			b.tensors[j] = onnx.NewTensor(initial[l.Input].DType, initial[l.Input].Dims...)
			b.tensors[j].Name = l.Input
			if b.values[j], err = s.env.wrap(b.tensors[j], &b.pin); err != nil {
				return nil, fmt.Errorf("state %q: %w", l.Input, err)
			}
		}
		copy(b.tensors[0].Data, initial[l.Input].Data)
		st.inputNames, st.outputNames = append(st.inputNames, s.cNames[l.Input]), append(st.outputNames, s.cNames[l.Output])
	}
	for i, name := range fetch {
		f := &st.fetch[i]
		f.name = name
		st.outputNames = append(st.outputNames, s.cNames[name])
		if t := s.outputPort[name].Type; t.DType != onnx.Undefined && t.DType != onnx.String && bounded(t) {
			sizes, _ := t.Shape.Sizes()
			f.fixed, f.tensor = true, onnx.NewTensor(t.DType, sizes...)
			f.tensor.Name = name
			if f.value, err = s.env.wrap(f.tensor, &f.pin); err != nil {
				return nil, fmt.Errorf("output %q: %w", name, err)
			}
		}
	}
	for i := range s.inputs {
		if _, linked := st.byInput[s.inputs[i].Name]; !linked {
			st.fed[s.inputs[i].Name] = len(st.feeds)
			st.feeds = append(st.feeds, feed{port: &s.inputs[i]})
			st.inputNames = append(st.inputNames, s.cNames[s.inputs[i].Name])
		}
	}
	st.inputs, st.outputs = make([]handle, len(st.inputNames)), make([]handle, len(st.outputNames))
	goruntime.SetFinalizer(st, (*State).Close) // memory that stays pinned when its owner is collected is a crash
	return st, nil
}

// bounded reports whether a declared shape is static and small enough to allocate before anything has run: a model may
// declare what it likes.
func bounded(t onnx.TensorType) bool {
	sizes, ok := t.Shape.Sizes()
	if !ok {
		return false
	}
	n, err := onnx.ElementCount(sizes)
	return err == nil && n <= 1<<28
}

func (s *Session) checkLinks(initial map[string]*onnx.Tensor, links []Link, fetch []string) error {
	names := slices.Clone(fetch)
	inputs := map[string]bool{}
	for _, l := range links {
		names = append(names, l.Output)
		in := s.byName[l.Input]
		if in == nil {
			return unknownPort("input", l.Input, s.inputs)
		}
		if inputs[l.Input] {
			return fmt.Errorf("%w: input %q is linked twice", ErrFeed, l.Input)
		}
		inputs[l.Input] = true
		if err := checkFeed(in, initial[l.Input]); err != nil {
			return err
		}
		if in.Type.DType == onnx.String {
			return fmt.Errorf("%w: %q holds strings, which cannot be linked", ErrFeed, l.Input)
		}
		out := s.outputPort[l.Output]
		if out == nil {
			return unknownPort("output", l.Output, s.outputs)
		}
		if out.Type.DType != in.Type.DType || !shapeFits(out.Type.Shape, initial[l.Input].Dims) {
			return fmt.Errorf("%w: output %q is %v, it cannot become input %q, which is %v",
				ErrFeed, l.Output, out.Type, l.Input, initial[l.Input].Type())
		}
	}
	for name := range initial {
		if !inputs[name] {
			return fmt.Errorf("%w: the initial value of %q belongs to no link", ErrFeed, name)
		}
	}
	return s.checkOutputs(names)
}

// Step runs the session once. feeds are all inputs that are not linked. A tensor that is fed again is read in place, so the
// caller may change its data between steps, and costs nothing when its data, dims and type are where they were. After an
// error the state is what it was before the step.
func (st *State) Step(ctx context.Context, feeds map[string]*onnx.Tensor) error {
	s := st.session
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ptr == nil || st.closed {
		return errClosed
	}
	for name := range feeds {
		if _, ok := st.fed[name]; !ok {
			if _, linked := st.byInput[name]; linked {
				return fmt.Errorf("%w: %q is part of the state, set it with Write", ErrFeed, name)
			}
			return unknownPort("input", name, s.inputs)
		}
	}
	n := len(st.links)
	for i := range st.feeds {
		f := &st.feeds[i]
		if err := f.set(&s.env.capi, feeds[f.port.Name]); err != nil {
			return err
		}
		st.inputs[n+i] = f.value
	}
	st.stepOK = false
	for i := range st.links {
		st.inputs[i], st.outputs[i] = st.links[i].values[st.turn], st.links[i].values[1-st.turn]
	}
	for i := range st.fetch {
		f := &st.fetch[i]
		if !f.fixed {
			s.env.releaseValue(f.value)
			f.value, f.tensor = nil, nil
		}
		st.outputs[n+i] = f.value
	}
	err := s.call(ctx, st.options, st.inputNames, st.inputs, st.outputNames, st.outputs)
	for i := range st.fetch {
		if f := &st.fetch[i]; !f.fixed {
			f.value = st.outputs[n+i]
		}
	}
	if err != nil {
		return err
	}
	st.turn, st.stepOK = 1-st.turn, true
	return nil
}

// set makes t the value of the feed.
func (f *feed) set(c *capi, t *onnx.Tensor) error {
	if t != nil && t == f.tensor && f.value != nil && t.DType == f.port.Type.DType && t.DType != onnx.String &&
		len(t.Data) == f.length && firstByte(t) == f.data && slices.Equal(t.Dims, f.dims) {
		return nil
	}
	if t == nil {
		return fmt.Errorf("%w: input %q (%v) is not fed", ErrFeed, f.port.Name, f.port.Type)
	}
	if err := checkFeed(f.port, t); err != nil {
		return err
	}
	f.free(c)
	v, err := c.wrap(t, &f.pin)
	if err != nil {
		f.pin.Unpin()
		return fmt.Errorf("feed %q: %w", f.port.Name, err)
	}
	f.value = v
	if aligned(t) {
		f.tensor, f.data, f.length, f.dims = t, firstByte(t), len(t.Data), append(f.dims[:0], t.Dims...)
	}
	return nil
}

func (f *feed) free(c *capi) {
	c.releaseValue(f.value)
	f.pin.Unpin()
	f.value, f.tensor, f.data = nil, nil, nil
}

func firstByte(t *onnx.Tensor) *byte {
	if len(t.Data) == 0 {
		return nil
	}
	return &t.Data[0]
}

// Output is a fetched output of the last step, valid until the next; nil before the first step, after a failed one, and for
// a name that is not fetched.
func (st *State) Output(name string) *onnx.Tensor {
	if !st.stepOK || st.closed {
		return nil
	}
	for i := range st.fetch {
		f := &st.fetch[i]
		if f.name != name {
			continue
		}
		if f.tensor == nil {
			t, err := st.session.env.unwrap(f.value)
			if err != nil {
				return nil
			}
			t.Name = name
			f.tensor = t
		}
		return f.tensor
	}
	return nil
}

// Read is a copy of what the next step will see at a linked input.
func (st *State) Read(input string) (*onnx.Tensor, error) {
	t, err := st.current(input)
	if err != nil {
		return nil, err
	}
	return t.Clone(), nil
}

// Write sets what the next step will see at a linked input. Type and dims are those of the initial value.
func (st *State) Write(input string, t *onnx.Tensor) error {
	to, err := st.current(input)
	if err != nil {
		return err
	}
	if t == nil || t.DType != to.DType || !slices.Equal(t.Dims, to.Dims) || len(t.Data) != len(to.Data) {
		return fmt.Errorf("%w: state %q is %v, it cannot be set to another type", ErrFeed, input, to.Type())
	}
	copy(to.Data, t.Data)
	return nil
}

func (st *State) current(input string) (*onnx.Tensor, error) {
	i, ok := st.byInput[input]
	if !ok {
		ports := make([]Port, len(st.links))
		for i, l := range st.links {
			ports[i].Name = l.Input
		}
		return nil, unknownPort("state", input, ports)
	}
	if st.closed {
		return nil, errClosed
	}
	return st.links[i].tensors[st.turn], nil
}

// Close frees the state; the session stays open.
func (st *State) Close() error {
	if st.closed {
		return nil
	}
	st.closed = true
	c := &st.session.env.capi
	for i := range st.links {
		c.releaseValue(st.links[i].values[0])
		c.releaseValue(st.links[i].values[1])
		st.links[i].pin.Unpin()
	}
	for i := range st.fetch {
		c.releaseValue(st.fetch[i].value)
		st.fetch[i].pin.Unpin()
	}
	for i := range st.feeds {
		st.feeds[i].free(c)
	}
	if st.options != nil {
		st.options.Destroy()
	}
	return nil
}
