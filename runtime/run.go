//go:build cgo

package runtime

import (
	"context"
	"fmt"
	"maps"
	goruntime "runtime"
	"slices"

	ort "github.com/yalue/onnxruntime_go"

	"graft/onnx"
)

// Run feeds the model and gives the outputs named, or all. Feeds are not copied and must not change meanwhile; the outputs
// are the caller's. When ctx ends the run is stopped and the error is ctx's cause.
func (s *Session) Run(ctx context.Context, feeds map[string]*onnx.Tensor, outputs ...string) (map[string]*onnx.Tensor, error) {
	if err := s.checkFeeds(feeds); err != nil {
		return nil, err
	}
	if len(outputs) == 0 {
		for _, p := range s.outputs {
			outputs = append(outputs, p.Name)
		}
	}
	if err := s.checkOutputs(outputs); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ptr == nil {
		return nil, errClosed
	}

	var pin goruntime.Pinner
	defer pin.Unpin()
	inputs := make([]handle, 0, len(feeds))
	defer func() { s.release(inputs) }()
	inputNames := make([]handle, 0, len(feeds))
	for _, name := range slices.Sorted(maps.Keys(feeds)) {
		v, err := s.env.wrap(feeds[name], &pin)
		if err != nil {
			return nil, fmt.Errorf("feed %q: %w", name, err)
		}
		inputNames, inputs = append(inputNames, s.cNames[name]), append(inputs, v)
	}
	results, outputNames := make([]handle, len(outputs)), make([]handle, len(outputs))
	for i, name := range outputs {
		outputNames[i] = s.cNames[name]
	}
	defer func() { s.release(results) }()
	if err := s.call(ctx, nil, inputNames, inputs, outputNames, results); err != nil {
		return nil, err
	}
	tensors := make(map[string]*onnx.Tensor, len(outputs))
	for i, name := range outputs {
		t, err := s.env.unwrap(results[i])
		if err != nil {
			return nil, fmt.Errorf("%w: read output %q: %w", ErrRuntime, name, err)
		}
		t.Name = name
		tensors[name] = t
	}
	return tensors, nil
}

func (s *Session) release(values []handle) {
	for _, v := range values {
		s.env.releaseValue(v)
	}
}

// call runs the session until it is done or ctx ends. reuse may hold run options to use again. The caller holds s.mu.
func (s *Session) call(ctx context.Context, reuse *ort.RunOptions, inputNames, inputs, outputNames, outputs []handle) error {
	if err := ctx.Err(); err != nil {
		return stopped(ctx)
	}
	defer s.guardFirstRun()()
	options := reuse
	if options == nil && (ctx.Done() != nil || s.captures) {
		var err error
		if options, err = s.newRunOptions(); err != nil {
			return err
		}
		defer options.Destroy()
	}
	if ctx.Done() == nil {
		return runError(s.env.run(s.ptr, optionsIn(options), inputNames, inputs, outputNames, outputs))
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		options.Terminate() // fails only on nil options
	})
	err := s.env.run(s.ptr, optionsIn(options), inputNames, inputs, outputNames, outputs)
	if !stop() {
		<-ended // the options must outlive the call to Terminate
		if reuse != nil {
			options.UnsetTerminate()
		}
		if err != nil {
			return stopped(ctx)
		}
	}
	return runError(err)
}

// newRunOptions are those of a run that is not recorded.
func (s *Session) newRunOptions() (*ort.RunOptions, error) {
	if s.captures {
		return s.runOptions(notRecorded)
	}
	options, err := ort.NewRunOptions()
	return options, runError(err)
}

// optionsIn is ONNX Runtime's own object; nil of nil.
func optionsIn(options *ort.RunOptions) handle {
	if options == nil {
		return nil
	}
	return pointerIn(options, "o")
}

// guardFirstRun guards the signals of the first run on a device: what it needs may be loaded as late as that.
func (s *Session) guardFirstRun() (restore func()) {
	restore = func() {}
	if s.placement.Provider != CPU {
		s.first.Do(func() { restore = guardSignals() })
	}
	return restore
}

func stopped(ctx context.Context) error { return fmt.Errorf("run stopped: %w", context.Cause(ctx)) }

func runError(err error) error {
	if err == nil {
		return nil
	}
	if full := memoryError(err); full != nil {
		return full
	}
	if failed := runDeviceError(err); failed != nil {
		return failed
	}
	return fmt.Errorf("%w: run: %s", ErrRuntime, oneLine(err.Error()))
}
