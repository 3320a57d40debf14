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
// the next step reads it as an input, in two buffers that take turns, or, where it grows, is that input. What the provider reads on
// a device lies there, and passes to ordinary memory only where it is read or set. It is not safe for concurrent use.
type State struct {
	session *Session
	options *ort.RunOptions
	closed  bool

	devices deviceMemories
	capture *capture // nil: steps are not recorded
	links   []buffers
	byInput map[string]int // position in links
	turn    int            // links[i].values[turn] holds the current state
	inPlace bool           // a link writes over its input
	lost    bool           // a step that wrote in place has failed

	fetch  []fetched
	feeds  []feed // every input that is not linked, in the session's order
	fed    map[string]int
	stepOK bool // the outputs of fetch belong to a finished step
	atHome bool // and lie in the homes of capture

	inputNames, inputs, outputNames, outputs []handle // of a call: links first
}

// buffers are the two homes of a linked tensor. Of one that grows there is only the current value. What grows or lies on a device has a
// tensor once it has been read.
type buffers struct {
	Link
	device  *deviceMemory // nil: ordinary memory
	dtype   onnx.DataType
	upload  upload // on a device: what the next step reads in the place of the current value, if there is any
	tensors [2]*onnx.Tensor
	values  [2]handle
	pin     goruntime.Pinner
}

// fetched is an output that is not linked. With a static shape it has a buffer, which a large one that is made on a device has
// there, else ONNX Runtime allocates it each step.
type fetched struct {
	name   string
	tensor *onnx.Tensor // nil until it is read, but for one that is written as it lies
	value  handle       // of the buffer, or of the last step
	fixed  bool
	device bool
	dtype  onnx.DataType
	pin    goruntime.Pinner
}

// Step runs the session once. feeds are all inputs that are neither linked nor held. A tensor that is fed again is read in place, so the
// caller may change its data between steps, and costs nothing when its data, dims and type are where they were. After an
// error the state is what it was before the step, unless a link writes in place: then there is none any more.
func (st *State) Step(ctx context.Context, feeds map[string]*onnx.Tensor) error {
	s := st.session
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ptr == nil || st.closed {
		return errClosed
	}
	if st.lost {
		return errLost
	}
	if st.capture != nil && st.capture.failed != nil {
		return st.capture.failed
	}
	for name := range feeds {
		if _, ok := st.fed[name]; !ok {
			if _, linked := st.byInput[name]; linked {
				return fmt.Errorf("%w: %q is part of the state, set it with Write", ErrFeed, name)
			}
			return unknownPort("input", name, s.inputs)
		}
		if st.feeds[st.fed[name]].held != nil {
			return fmt.Errorf("%w: %q is held, it cannot be fed", ErrFeed, name)
		}
	}
	n := len(st.links)
	for i := range st.feeds {
		f := &st.feeds[i]
		if f.held != nil {
			st.inputs[n+i] = f.value
			continue
		}
		if err := f.set(&s.env.capi, feeds[f.port.Name]); err != nil {
			return err
		}
		st.inputs[n+i] = f.value
	}
	if st.inPlace {
		if err := ctx.Err(); err != nil {
			return stopped(ctx)
		}
		ctx = context.WithoutCancel(ctx)
	}
	st.stepOK, st.atHome = false, st.capture != nil && st.capture.ready(st)
	for i := range st.links {
		l := &st.links[i]
		st.inputs[i], st.outputs[i] = l.values[st.turn], l.values[1-st.turn]
		if l.upload.value != nil {
			st.inputs[i] = l.upload.value
		}
	}
	var err error
	if st.atHome {
		err = st.capture.step(ctx, st)
	} else {
		err = st.launch(ctx)
	}
	for i := range st.links {
		switch l := &st.links[i]; {
		case l.Grows:
			l.handOn(&s.env.capi, st.turn, st.outputs[i], err == nil)
		case l.device != nil && err == nil:
			l.upload.free(&s.env.capi)
			l.tensors = [2]*onnx.Tensor{}
		}
	}
	if err != nil {
		st.lost = st.inPlace
		return err
	}
	st.turn, st.stepOK = 1-st.turn, true
	if c := st.capture; c != nil && !c.settled {
		c.settled, c.failed = true, c.settle(st)
	}
	return nil
}

// launch takes a step as any other run. st.inputs and st.outputs of the links are set.
func (st *State) launch(ctx context.Context) (err error) {
	s, n := st.session, len(st.links)
	for i := range st.fetch {
		f := &st.fetch[i]
		if !f.fixed {
			s.env.releaseValue(f.value)
			f.value = nil
		}
		if !f.fixed || f.device {
			f.tensor = nil
		}
		st.outputs[n+i] = f.value
	}
	call := func() { err = s.call(ctx, st.options, st.inputNames, st.inputs, st.outputNames, st.outputs) }
	if st.capture != nil {
		st.capture.run(call)
	} else {
		call()
	}
	for i := range st.fetch {
		if f := &st.fetch[i]; !f.fixed {
			f.value = st.outputs[n+i]
		}
	}
	return err
}

// handOn has a tensor that grows be what a step made of it, or stay what it was before a step that failed.
func (b *buffers) handOn(c *capi, turn int, made handle, ok bool) {
	if !ok {
		c.releaseValue(made)
		return
	}
	c.releaseValue(b.values[turn])
	b.values[turn], b.values[1-turn] = nil, made
	b.tensors = [2]*onnx.Tensor{}
}

// Output is a fetched output of the last step, valid until the next; nil before the first step, after a failed one, and for
// a name that is not fetched. The error is of one that cannot be brought from its device.
func (st *State) Output(name string) (*onnx.Tensor, error) {
	if !st.stepOK || st.closed {
		return nil, nil
	}
	for i := range st.fetch {
		f := &st.fetch[i]
		if f.name != name {
			continue
		}
		if st.atHome {
			return st.capture.fetch[i].read(st.session, name)
		}
		if f.tensor == nil {
			t, err := st.session.bring(f.value, f.device, f.dtype)
			if err != nil {
				return nil, notBrought(name, err)
			}
			t.Name, f.tensor = name, t
		}
		return f.tensor, nil
	}
	return nil, nil
}

func notBrought(output string, err error) error {
	return fmt.Errorf("%w: read output %q: %w", ErrRuntime, output, err)
}

// Read is a copy of what the next step will see at a linked input.
func (st *State) Read(input string) (*onnx.Tensor, error) {
	t, err := st.current(input)
	if err != nil {
		return nil, err
	}
	return t.Clone(), nil
}

// Peek is what the next step will see at a linked input, where it lies (of one that grows or lies on a device: a copy): valid and unchanged until
// the next step, and after Close.
func (st *State) Peek(input string) (*onnx.Tensor, error) { return st.current(input) }

// Write sets what the next step will see at a linked input. Type and dims are those of the initial value. What grows cannot be
// set.
func (st *State) Write(input string, t *onnx.Tensor) error {
	to, err := st.current(input)
	if err != nil {
		return err
	}
	l := &st.links[st.byInput[input]]
	if l.Grows {
		return fmt.Errorf("%w: state %q grows, it cannot be set: begin a new state", ErrFeed, input)
	}
	if t == nil || t.DType != to.DType || !slices.Equal(t.Dims, to.Dims) || len(t.Data) != len(to.Data) {
		return fmt.Errorf("%w: state %q is %v, it cannot be set to another type", ErrFeed, input, to.Type())
	}
	if l.device != nil {
		return l.upload.set(&st.session.env.capi, t)
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
	if st.lost {
		return nil, errLost
	}
	l := &st.links[i]
	if l.upload.tensor != nil {
		return l.upload.tensor, nil
	}
	if l.tensors[st.turn] == nil {
		t, err := st.session.bring(l.values[st.turn], l.device != nil, l.dtype)
		if err != nil {
			return nil, fmt.Errorf("%w: read state %q: %w", ErrRuntime, input, err)
		}
		t.Name, l.tensors[st.turn] = input, t
	}
	return l.tensors[st.turn], nil
}

// Close frees the state; the session stays open. What lies on a device of a session that was closed before went with it.
func (st *State) Close() error {
	if st.closed {
		return nil
	}
	st.closed = true
	s := st.session
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := &s.env.capi
	release := func(v handle, onDevice bool) {
		if !onDevice || s.ptr != nil {
			c.releaseValue(v)
		}
	}
	for i := range st.links {
		l := &st.links[i]
		release(l.values[0], l.device != nil)
		if !l.InPlace {
			release(l.values[1], l.device != nil)
		}
		l.pin.Unpin()
		l.upload.free(c)
	}
	for i := range st.fetch {
		release(st.fetch[i].value, st.fetch[i].device)
		st.fetch[i].pin.Unpin()
	}
	for i := range st.feeds {
		f := &st.feeds[i]
		if f.device {
			release(f.value, true)
			f.value = nil
		}
		f.free(c)
	}
	if st.capture != nil {
		st.capture.close(release)
	}
	st.devices.close(c)
	if st.options != nil {
		st.options.Destroy()
	}
	return nil
}
