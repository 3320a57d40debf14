package cli

import (
	"errors"
	"strings"

	"graft/onnx"
	"graft/runtime"
)

// runtimeOptions are the options of a session by the common flags.
func (c *call) runtimeOptions() runtime.Options {
	return runtime.Options{
		Library: c.Common.ORTLib, Provider: c.Common.Provider, Threads: c.Common.Threads, CustomOps: c.Common.CustomOpLibs,
		Device: runtime.DeviceOptions{ID: c.Common.DeviceID, MemoryLimit: c.Common.MemoryLimit, TF32: c.Common.TF32,
			ConvSearch: c.Common.ConvSearch, Other: c.Common.ProviderOpts},
		Capture: c.Common.CUDAGraphs, Deterministic: c.Common.Deterministic, Strict: c.Common.Strict, Verbose: c.Common.Verbose, Log: func(s string) { c.Say("%s", s) }, Placed: c.place,
	}
}

// openSession opens a model, which has been read and checked, in ONNX Runtime. path names it in errors.
func (c *call) openSession(m *onnx.Model, path string) (*runtime.Session, error) {
	s, err := runtime.OpenModel(m, c.runtimeOptions())
	if err != nil {
		return nil, runtimeError(err, path)
	}
	return s, nil
}

// runtimeError grades an error of package runtime: what is missing, and memory that is full, is the environment, a model or an input that does not
// fit is refused input, the rest is a failure of the runtime.
func runtimeError(err error, path string) error {
	var missing *runtime.MissingError
	var full *runtime.MemoryError
	var failed *runtime.DeviceError
	switch {
	case errors.As(err, &missing):
		return missingError(missing)
	case errors.As(err, &full):
		return &Error{File: path, Err: err, Code: exitEnvironment, Hint: "a smaller batch or input needs less; what was saved is valid"}
	case errors.As(err, &failed):
		return &Error{File: path, Err: err, Code: exitEnvironment, Hint: "what was saved is valid: once the device works again (graft runtime info), the same command goes on from there, with --resume where the verb has it"}
	case errors.Is(err, runtime.ErrOption):
		return &Error{Err: err, Code: exitUsage}
	case errors.Is(err, runtime.ErrModel), errors.Is(err, runtime.ErrFeed):
		return refused(path, err)
	case errors.Is(err, runtime.ErrRuntime):
		return &Error{File: path, Err: err, Code: exitRuntime}
	}
	return err
}

// missingError spreads what is missing over the lines of an error.
func missingError(m *runtime.MissingError) error {
	e := &Error{Err: m, Hint: m.Fix, Code: exitEnvironment}
	e.Reason = strings.TrimSuffix(m.Error(), "\nfix: "+m.Fix)
	return e
}
