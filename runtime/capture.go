//go:build cgo

package runtime

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"
	"strconv"

	ort "github.com/yalue/onnxruntime_go"

	"graft/onnx"
)

// Of a run: which recorded graph it replays, or is recorded as; notRecorded is none.
const (
	graphID     = "gpu_graph_id"
	notRecorded = -1
)

// capture has the provider record the launches of a step and repeat them as one (CUDA graphs). A recording holds addresses, so that whatever
// a step reads or writes lies at the same place every time: feeds and outputs have homes on the device as the state has. The two turns
// of a state have a recording each. A step whose feeds are of other dims than the first one's runs without.
type capture struct {
	feeds    []home // in the order of the state's; without a device where it is held or nothing reads it
	fetch    []home
	turns    [2]*ort.RunOptions // nil: not yet recorded
	settled  bool               // a first step was taken, and the homes are made
	failed   error              // or could not be: the next step's error
	mark     int64              // of the session when the recordings began
	captured int64              // steps

	work chan func() // to the thread; done answers
	done chan struct{}
}

// home is where a feed or an output lies on a device. value is nil until the first step has been taken.
type home struct {
	device *deviceMemory
	dtype  onnx.DataType
	dims   []int64
	value  handle
	tensor *onnx.Tensor // an output's, once it was brought
}

func (h *home) bytes() int64 {
	size := int64(h.dtype.Bits())
	for _, d := range h.dims {
		size *= d
	}
	return (size + 7) / 8
}

// errNotCaptured is why a session cannot record its steps.
var errNotCaptured = errors.New("CUDA graphs")

// newCapture prepares capturing for a state.
func (st *State) newCapture() (c *capture, err error) {
	c = &capture{}
	for i := range st.links {
		if l := &st.links[i]; l.device == nil || l.InPlace {
			return nil, fmt.Errorf("%w: %w: state %q grows, is written in place or lies in ordinary memory", ErrModel, errNotCaptured, l.Input)
		}
	}
	add := func(homes *[]home, kind, name string, in map[string]*deviceMemory) error {
		d := in[name]
		if d == nil && !st.devices.unread[name] {
			return fmt.Errorf("%w: %w: %s %q lies in ordinary memory", ErrModel, errNotCaptured, kind, name)
		}
		*homes = append(*homes, home{device: d})
		return nil
	}
	for i := range st.feeds {
		if err := add(&c.feeds, "input", st.feeds[i].port.Name, st.devices.inputs); err != nil {
			return nil, err
		}
	}
	for i := range st.fetch {
		if err := add(&c.fetch, "output", st.fetch[i].name, st.devices.outputs); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// runOptions are those of runs that are recorded or replayed under a number.
func (s *Session) runOptions(graph int64) (*ort.RunOptions, error) {
	options, err := ort.NewRunOptions()
	if err != nil {
		return nil, runError(err)
	}
	if err := s.env.configureRun(optionsIn(options), graphID, strconv.FormatInt(graph, 10)); err != nil {
		options.Destroy()
		return nil, runError(err)
	}
	return options, nil
}

// run runs f on the operating system's thread of the state's own: the provider keeps what it has recorded by thread.
func (c *capture) run(f func()) {
	if c.work == nil {
		c.work, c.done = make(chan func()), make(chan struct{})
		go func(work chan func(), done chan struct{}) {
			goruntime.LockOSThread() // and never unlocked: the thread ends with what was recorded there
			for f := range work {
				f()
				done <- struct{}{}
			}
		}(c.work, c.done)
	}
	c.work <- f
	<-c.done
}

// close frees what lies on the device, and ends the thread.
func (c *capture) close(release func(v handle, onDevice bool)) {
	if c.work != nil {
		close(c.work)
	}
	for _, h := range slices.Concat(c.feeds, c.fetch) {
		release(h.value, true)
	}
	for _, o := range c.turns {
		if o != nil {
			o.Destroy()
		}
	}
}

// ready reports whether the step that is about to be taken can be a recorded one.
func (c *capture) ready(st *State) bool {
	for i, h := range c.feeds {
		if !h.takes(&st.feeds[i]) {
			continue
		}
		if h.value == nil || !slices.Equal(h.dims, st.feeds[i].dims) {
			return false
		}
	}
	for _, h := range c.fetch {
		if h.value == nil {
			return false
		}
	}
	return true
}

// takes reports whether what is fed goes by this home.
func (h *home) takes(f *feed) bool { return f.held == nil && h.device != nil }

// settle makes homes for what the first step was fed and has made.
func (c *capture) settle(st *State) error {
	api := &st.session.env.capi
	for i := range c.feeds {
		f := &st.feeds[i]
		if !c.feeds[i].takes(f) {
			continue
		}
		if err := c.feeds[i].make(api, f.port.Type.DType, f.dims); err != nil {
			return fmt.Errorf("input %q: %w", f.port.Name, err)
		}
	}
	for i := range c.fetch {
		f := &st.fetch[i]
		kind, dims, err := api.shapeOf(f.value)
		if err == nil {
			err = c.fetch[i].make(api, kind, dims)
		}
		if err != nil {
			return fmt.Errorf("output %q: %w", f.name, err)
		}
	}
	st.session.marks.Add(1)
	return nil
}

func (h *home) make(api *capi, of onnx.DataType, dims []int64) (err error) {
	h.dtype, h.dims = of, slices.Clone(dims)
	h.value, err = h.device.give(api, of, dims)
	return err
}

// step takes a recorded step. st.inputs and st.outputs of the links are set.
func (c *capture) step(ctx context.Context, st *State) error {
	s, n := st.session, len(st.links)
	if err := ctx.Err(); err != nil {
		return stopped(ctx)
	}
	if err := c.number(s); err != nil {
		return err
	}
	var from, to []handle
	var types []onnx.DataType
	for i := range st.links {
		if l := &st.links[i]; l.upload.value != nil {
			from, to, types = append(from, l.upload.value), append(to, l.values[st.turn]), append(types, l.dtype)
			st.inputs[i] = l.values[st.turn]
		}
	}
	for i, h := range c.feeds {
		if !h.takes(&st.feeds[i]) {
			continue // st.inputs has it
		}
		from, to, types = append(from, st.feeds[i].value), append(to, h.value), append(types, h.dtype)
		st.inputs[n+i] = h.value
	}
	for i := range c.fetch {
		st.outputs[n+i] = c.fetch[i].value
	}
	if err := s.copy(from, to, types); err != nil {
		return err
	}
	var err error
	c.run(func() {
		err = s.env.run(s.ptr, optionsIn(c.turns[st.turn]), st.inputNames, st.inputs, st.outputNames, st.outputs)
	})
	if err != nil {
		return runError(err)
	}
	c.captured++
	return c.bring(st)
}

// number gives the recordings new numbers where memory has been taken on the device since the last ones were made: what is recorded goes
// on writing to memory that is free between steps, and may have been taken.
func (c *capture) number(s *Session) (err error) {
	if at := s.marks.Load(); c.mark != at || c.turns[0] == nil {
		for i := range c.turns {
			if c.turns[i] != nil {
				c.turns[i].Destroy()
			}
			if c.turns[i], err = s.runOptions(s.graphs.Add(1)); err != nil {
				return err
			}
		}
		c.mark = at
	}
	return nil
}

// bring copies the small outputs of a step into ordinary memory, all at once.
func (c *capture) bring(st *State) error {
	var from, to []handle
	var types []onnx.DataType
	var of []int
	for i := range c.fetch {
		h := &c.fetch[i]
		h.tensor = nil
		if h.bytes() <= smallOutput {
			from, to, types, of = append(from, h.value), append(to, nil), append(types, h.dtype), append(of, i)
		}
	}
	if len(from) == 0 {
		return nil
	}
	if err := st.session.copy(from, to, types); err != nil {
		return err
	}
	defer st.session.release(to)
	for i, at := range of {
		t, err := st.session.env.unwrap(to[i])
		if err != nil {
			return notBrought(st.fetch[at].name, err)
		}
		t.Name, c.fetch[at].tensor = st.fetch[at].name, t
	}
	return nil
}

// read is an output of the last step.
func (h *home) read(s *Session, name string) (*onnx.Tensor, error) {
	if h.tensor == nil {
		t, err := s.download(h.value, h.dtype)
		if err != nil {
			return nil, notBrought(name, err)
		}
		t.Name, h.tensor = name, t
	}
	return h.tensor, nil
}
