//go:build cgo

package runtime

import (
	"context"
	"fmt"

	ort "github.com/yalue/onnxruntime_go"
)

// call runs the session until it is done or ctx ends. reuse may hold run options to use again. The caller holds s.mu.
func (s *Session) call(ctx context.Context, reuse *ort.RunOptions, inputNames, inputs, outputNames, outputs []handle) error {
	if err := ctx.Err(); err != nil {
		return stopped(ctx)
	}
	if ctx.Done() == nil {
		return runError(s.env.run(s.ptr, nil, inputNames, inputs, outputNames, outputs))
	}
	options := reuse
	if options == nil {
		var err error
		if options, err = ort.NewRunOptions(); err != nil {
			return runError(err)
		}
		defer options.Destroy()
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		options.Terminate() // fails only on nil options
	})
	err := s.env.run(s.ptr, pointerIn(options, "o"), inputNames, inputs, outputNames, outputs)
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

func stopped(ctx context.Context) error { return fmt.Errorf("run stopped: %w", context.Cause(ctx)) }

func runError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: run: %s", ErrRuntime, oneLine(err.Error()))
}
